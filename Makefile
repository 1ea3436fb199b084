# Every target sets up what it needs in .venv by itself; only make and a Python ≥3.11 have to be there.
#
#   make demo             start everything, send a catalogue, follow it, stay up   (ARGS=--exit: stop and say if all was right; --sink=postgres)
#   make up               the stack in the foreground; settings from SLUICE_* variables
#   make restart          replace the processes of a running stack, without a failed request
#   make mend             cut out of the embedded store's log what a power cut damaged; it says what, and asks
#   make test             all tests                                                (ARGS="-k order -x": passed to pytest)
#   make test-restart     the same under a minute of load, and the laws checked
#   make slow-clients     2,000 slow, silent and vanished clients for two minutes, and everybody else
#   make memory           stores and clusters of 256 MB filled in misleading ways   (TRIAL_MB=64 TRIAL_SERVER=/usr/bin/redis-server)
#   make test-typesense   the sink in Typesense, on a real server, which is installed for it: 115 MB to fetch
#   make resync           a million entries copied anew into PostgreSQL beside live changes    (RESYNC_ENTRIES=100000)
#   make test-cluster     a real Redis Cluster whose servers die, hang and change    (CLUSTER_SEED=7)
#   make model            the protocol's model in every order of events: two workers, three batches, two faults
#   make simulate         whole histories on one thread, with accidents, decided by seeds   (ARGS="--seeds 2000 --first 1")
#   make simulate-mutants  each protection taken away: which histories notice
#   make mutate           the core changed bit by bit: some test has to notice; some hours
#   make mutants          each protection taken away in a copy of the source: its test has to fail
#   make fuzz             many requests made up from the OpenAPI document          (FUZZ_EXAMPLES=1000: for each operation)
#   make check            linter, types, import rules
#   make audit            known weaknesses of what is installed, as far as its index knows them
#   make lock             deploy/requirements written anew after a change of setup.cfg   (ARGS=--upgrade: the newest)
#   make sbom             the list of all parts, as CycloneDX, in build/sbom.json
#   make test-lowest      unit and integration tests with the lowest versions that setup.cfg allows
#   make chaos            ten minutes of faults on a whole fleet, and a report      (ARGS="--seed 7 --seconds 60", ARGS=--cluster)
#   make soak             two hours of mixed load with what is kept removed after minutes: is all flat? A report and a plot
#   make bench            Sluice beside what one would use otherwise, in 20 minutes       (ARGS=--quick: in four)
#   make capacity         what a batch and an entry cost on each part, and what a wanted load needs
#   make docs             the generated tables of docs/ written, and the site built in build/docs
#   make screenshots      the pictures in deploy/screenshots, taken anew with chromium
#   make clean            what these targets made; never the data folder

# The first of these that is new enough, so that an old `python3` in front of a newer one does no harm.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(if $(filter ok,$(shell \
	$(p) -c 'import sys; sys.version_info >= (3, 11) and print("ok")' 2>/dev/null)),$(p))))
ARGS ?=
# Compiled modules are kept: the tests start hundreds of processes, and each would compile all of Sluice anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
LOCKS := deploy/requirements
UV := $(BIN)/uv pip --quiet
LOCK := $(UV) compile setup.cfg $(LOCKS)/build.in --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help demo up restart mend lock sbom test test-lowest test-restart test-typesense resync memory slow-clients test-cluster chaos model simulate simulate-mutants mutate mutants fuzz check audit soak bench capacity docs screenshots clean

help:
	@sed -n '3,31s/^# *//p' Makefile

demo: $(VENV)/ready
	@$(if $(findstring --sink,$(ARGS)),$(PIP) --editable '.[postgres]',true)
	@$(BIN)/python -m deploy.demo $(ARGS)

up: $(VENV)/ready
	@exec $(BIN)/python -m deploy.up $(ARGS)

restart: $(VENV)/ready
	@$(BIN)/python -m deploy.restart

mend: $(VENV)/ready
	@$(BIN)/python -m deploy.mend $(ARGS)

test: $(VENV)/ready-dev
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-restart: $(VENV)/ready-dev
	@RESTART_SECONDS=60 $(BIN)/python -m pytest tests/acceptance/test_rolling_restart.py $(ARGS)

memory: $(VENV)/ready-dev
	@TRIAL_MB=$${TRIAL_MB:-256} $(BIN)/python -m pytest --timeout 1800 tests/acceptance/memory tests/acceptance/memory/cluster.py $(ARGS)

slow-clients: $(VENV)/ready-dev
	@SLOW_CLIENTS=2000 SLOW_SECONDS=120 $(BIN)/python -m pytest tests/acceptance/test_slow_clients.py -k mixture $(ARGS)

test-typesense: $(VENV)/ready-typesense
	@SINK_ROUNDS=$${SINK_ROUNDS:-100} $(BIN)/python -m pytest tests/integration/sinks -k typesense $(ARGS)

resync: $(VENV)/ready-dev
	@RESYNC_ENTRIES=$${RESYNC_ENTRIES:-1000000} $(BIN)/python -m pytest --timeout 3600 tests/integration/sinks/test_great_copy.py -k postgres $(ARGS)

test-cluster: $(VENV)/ready-dev
	@$(BIN)/python -m pytest tests/cluster/test_slots.py tests/cluster/faults.py tests/cluster/sentinel.py tests/cluster/hosts.py $(ARGS)

simulate: $(VENV)/ready-dev
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation $(or $(ARGS),--seeds 5000 --jobs 2)

simulate-mutants: $(VENV)/ready-dev
	@$(BIN)/python -m tests.mutants.simulated $(ARGS)

mutate: $(VENV)/ready-dev
	@$(PIP) --editable '.[mutate]'
	@$(BIN)/mutmut run --max-children 2 $(ARGS)
	@$(BIN)/mutmut results

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
audit: $(VENV)/ready-audit
	@$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement $(LOCKS)/dev.txt $(ARGS)

sbom: $(VENV)/ready-audit
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements $(LOCKS)/run.txt --pyproject pyproject.toml --output-file build/sbom.json
	@echo 'written to build/sbom.json'

# dev first: the others take from it what they share.
lock: $(VENV)/ready-audit
	@$(LOCK) --extra test --extra check --extra docs --output-file $(LOCKS)/dev.txt $(ARGS)
	@$(LOCK) --constraint $(LOCKS)/dev.txt --output-file $(LOCKS)/run.txt $(ARGS)
	@$(LOCK) --constraint $(LOCKS)/dev.txt $(addprefix --extra ,opensearch otel postgres typesense) --output-file $(LOCKS)/image.txt $(ARGS)
	@$(LOCK) --constraint $(LOCKS)/dev.txt --extra bench --output-file $(LOCKS)/bench.txt $(ARGS)
	@$(LOCK) --constraint $(LOCKS)/dev.txt --extra audit --output-file $(LOCKS)/audit.txt $(ARGS)

test-lowest: $(VENV)/ready-audit
	@mkdir -p build
	@$(UV) compile setup.cfg $(LOCKS)/build.in --extra test --resolution lowest-direct --output-file build/lowest.txt
	@$(PYTHON) -m venv --clear build/lowest
	@$(UV) install --python build/lowest/bin/python --requirement build/lowest.txt
	@$(UV) install --python build/lowest/bin/python --no-deps --no-build-isolation --editable .
	@build/lowest/bin/python -m pytest --numprocesses 2 --dist loadfile tests/unit tests/integration $(ARGS)

chaos: $(VENV)/ready-dev
	@$(BIN)/python -m tests.chaos --keep-report $(ARGS)

# The plot is drawn by what the benchmark draws with.
soak: $(VENV)/ready-bench
	@$(BIN)/python -m tests.soak --keep-report $(ARGS)

bench: $(VENV)/ready-bench
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/ready-dev
	@$(BIN)/python -m tests.docs

screenshots: $(VENV)/ready-dev
	@$(BIN)/python -m tests.screenshots

capacity: $(VENV)/ready-dev
	@$(BIN)/python -m tests.benchmarks.capacity

clean:
	rm -rf $(VENV) build dist mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find api deploy shared workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What is installed is what these files pin, each archive by its hash; setup.cfg has the ranges.
LOCKED = $(PIP) --require-hashes --requirement $(LOCKS)/$(1).txt && $(PIP) --no-deps --no-build-isolation --editable .

# Stamps: made after the installation succeeded, older than what they are made from means install again.
$(VENV)/ready: setup.cfg pyproject.toml $(LOCKS)/run.txt | $(BIN)/python
	@echo 'Installing what Sluice needs into $(VENV) ...'
	@$(call LOCKED,run)
	@touch $@

$(VENV)/ready-dev: setup.cfg pyproject.toml $(LOCKS)/dev.txt | $(BIN)/python
	@echo 'Installing what Sluice and its tests need into $(VENV) ...'
	@$(call LOCKED,dev)
	@touch $(VENV)/ready $@

$(VENV)/ready-bench: setup.cfg pyproject.toml $(LOCKS)/bench.txt | $(BIN)/python
	@echo 'Installing what Sluice and its benchmark need into $(VENV) ...'
	@$(call LOCKED,bench)
	@touch $(VENV)/ready $@

$(VENV)/ready-typesense: $(VENV)/ready-dev
	@echo 'Installing a Typesense server into $(VENV) ...'
	@$(PIP) --editable '.[test-typesense]'
	@touch $@

$(VENV)/ready-audit: setup.cfg pyproject.toml $(LOCKS)/audit.txt | $(BIN)/python
	@$(call LOCKED,audit)
	@touch $(VENV)/ready $@


$(BIN)/python:
	@[ -n '$(PYTHON)' ] || { echo 'Sluice needs Python 3.11 or newer, and none was found: install one, or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Sluice needs Python 3.11 or newer; $(PYTHON) is' "$$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'The venv module of $(PYTHON) is missing; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
