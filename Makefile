# Every target sets up what it needs in .venv by itself; only make and a Python ≥3.11 have to be there.
#
#   make demo             start everything, send a catalogue, follow it, stay up   (ARGS=--exit: stop and say if all was right)
#   make up               the stack in the foreground; settings from SLUICE_* variables
#   make restart          replace the processes of a running stack, without a failed request
#   make mend             cut out of the embedded store's log what a power cut damaged; it says what, and asks
#   make test             all tests                                                (ARGS="-k order -x": passed to pytest)
#   make test-restart     the same under a minute of load, and the laws checked
#   make slow-clients     2,000 slow, silent and vanished clients for two minutes, and everybody else
#   make memory           a store of 256 MB filled with misleading texts, and all of it applied   (TRIAL_MB=64)
#   make test-typesense   the sink in Typesense, on a real server, which is installed for it: 115 MB to fetch
#   make test-cluster     a real Redis Cluster whose servers die, hang and change    (CLUSTER_SEED=7)
#   make model            the protocol's model in every order of events: two workers, three batches, two faults
#   make mutants          each protection taken away in a copy of the source: its test has to fail
#   make fuzz             many requests made up from the OpenAPI document          (FUZZ_EXAMPLES=1000: for each operation)
#   make check            linter, types, import rules
#   make audit            known weaknesses of what is installed, as far as its index knows them
#   make chaos            ten minutes of faults on a whole fleet, and a report      (ARGS="--seed 7 --seconds 60")
#   make bench            Sluice beside what one would use otherwise, in 15 minutes        (ARGS=--quick: in two)
#   make capacity         what a batch and an entry cost on each part, and what a wanted load needs
#   make docs             the generated tables of docs/ written, and the site built in build/docs
#   make screenshots      the pictures in deploy/screenshots, taken anew with chromium
#   make clean            what these targets made; never the data folder

# The first of these that is new enough, so that an old `python3` in front of a newer one does no harm.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(if $(filter ok,$(shell \
	$(p) -c 'import sys; sys.version_info >= (3, 11) and print("ok")' 2>/dev/null)),$(p))))
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet

.DEFAULT_GOAL := help
.PHONY: help demo up restart mend test test-restart test-typesense memory slow-clients test-cluster chaos model mutants fuzz check audit bench capacity docs screenshots clean

help:
	@sed -n '3,23s/^# *//p' Makefile

demo: $(VENV)/ready
	@$(BIN)/python -m deploy.demo $(ARGS)

up: $(VENV)/ready
	@exec $(BIN)/python -m deploy.up $(ARGS)

restart: $(VENV)/ready
	@$(BIN)/python -m deploy.restart

mend: $(VENV)/ready
	@$(BIN)/python -m deploy.mend $(ARGS)

test: $(VENV)/ready-dev
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

test-restart: $(VENV)/ready-dev
	@RESTART_SECONDS=60 $(BIN)/python -m pytest tests/acceptance/test_rolling_restart.py $(ARGS)

memory: $(VENV)/ready-dev
	@TRIAL_MB=$${TRIAL_MB:-256} $(BIN)/python -m pytest tests/acceptance/test_memory_trials.py $(ARGS)

slow-clients: $(VENV)/ready-dev
	@SLOW_CLIENTS=2000 SLOW_SECONDS=120 $(BIN)/python -m pytest tests/acceptance/test_slow_clients.py -k mixture $(ARGS)

test-typesense: $(VENV)/ready-dev
	@$(PIP) --editable '.[test_typesense]'
	@SINK_ROUNDS=$${SINK_ROUNDS:-100} $(BIN)/python -m pytest tests/integration/sinks/test_typesense.py $(ARGS)

test-cluster: $(VENV)/ready-dev
	@$(BIN)/python -m pytest tests/cluster/test_slots.py tests/cluster/faults.py tests/cluster/sentinel.py tests/cluster/hosts.py $(ARGS)

mutants: $(VENV)/ready-dev
	@$(BIN)/python -m tests.mutants

fuzz: $(VENV)/ready-dev
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-300} FUZZ_REQUESTS=$${FUZZ_REQUESTS:-100000} $(BIN)/python -m pytest --timeout=0 tests/fuzz $(ARGS)

model: $(VENV)/ready-dev
	@MODEL='BATCHES=3 FAULTS=2 AWAKE=1' $(BIN)/python -m pytest --timeout=0 tests/model/test_protocol.py tests/model/test_runs.py $(ARGS)

check: $(VENV)/ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# Strict: what the index knows nothing of fails too, instead of passing for sound.
audit: $(VENV)/ready-dev
	@$(PIP) --editable '.[audit]'
	@$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/frozen.txt
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement $(VENV)/frozen.txt $(ARGS)

chaos: $(VENV)/ready-dev
	@$(BIN)/python -m tests.chaos --keep-report $(ARGS)

bench: $(VENV)/ready-bench
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/ready-dev
	@$(BIN)/python -m tests.docs

screenshots: $(VENV)/ready-dev
	@$(BIN)/python -m tests.screenshots

capacity: $(VENV)/ready-dev
	@$(BIN)/python -m tests.benchmarks.capacity

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find api deploy shared workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: made after the installation succeeded, older than setup.cfg means install again.
$(VENV)/ready: setup.cfg pyproject.toml | $(BIN)/python
	@echo 'Installing what Sluice needs into $(VENV) ...'
	@$(PIP) --editable .
	@touch $@

$(VENV)/ready-dev: setup.cfg pyproject.toml | $(BIN)/python
	@echo 'Installing what Sluice and its tests need into $(VENV) ...'
	@$(PIP) --editable '.[test,check,docs]'
	@touch $(VENV)/ready $@

$(VENV)/ready-bench: setup.cfg pyproject.toml | $(BIN)/python
	@echo 'Installing what Sluice and its benchmark need into $(VENV) ...'
	@$(PIP) --editable '.[bench]'
	@touch $(VENV)/ready $@

$(BIN)/python:
	@[ -n '$(PYTHON)' ] || { echo 'Sluice needs Python 3.11 or newer, and none was found: install one, or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Sluice needs Python 3.11 or newer; $(PYTHON) is' "$$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'The venv module of $(PYTHON) is missing; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
