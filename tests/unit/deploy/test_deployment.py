"""The files for containers, systemd and Kubernetes parse with their own tools and match the code.

Nothing of it is run here but what the commands in it run: those are in acceptance/test_run.py.
"""

from __future__ import annotations

import configparser
import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.run import command
from deploy.stack.services import Name
from deploy.stack.settings_check import check_settings
from shared.errors import BadSetting, Misconfigured
from shared.settings import Settings, variable
from shared.telemetry import metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
TOOLS = Path(sys.executable).parent
UNITS = sorted((DEPLOY / "systemd").glob("sluice*.*"))
MANIFESTS = [DEPLOY / "kubernetes" / "sluice.yaml", DEPLOY / "kubernetes" / "scaling.yaml"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SHIPPED = [DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", *MANIFESTS, *UNITS]


def parses(*words: object) -> None:
    """Run a tool that must have nothing to say."""
    said = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def installed(tool: str) -> str:
    """Find a tool of the system; without it the test is skipped at home and fails in CI."""
    if found := shutil.which(tool):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{tool} is not installed")
    pytest.skip(f"{tool} is not installed")


def manifests() -> list[dict[str, Any]]:
    return [each for file in MANIFESTS for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


# -- parsed by its own tool or schema ---------------------------------------------------------------------------------


def test_the_caddyfile_is_to_the_liking_of_caddy() -> None:
    """Valid, and in the format of its own formatter."""
    caddy, file = installed("caddy"), DEPLOY / "caddy" / "Caddyfile"
    parses(caddy, "validate", "--adapter", "caddyfile", "--config", file)
    formatted = subprocess.run([caddy, "fmt", file], capture_output=True, text=True, check=True).stdout
    assert formatted == file.read_text(encoding="utf-8")


def test_the_dockerfile_is_to_the_liking_of_hadolint() -> None:
    parses(TOOLS / "hadolint", DEPLOY / "Dockerfile")


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    parses(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_manifests_fit_the_schema_of_kubernetes() -> None:
    parses(TOOLS / "kubernetes-validate", "--strict", MANIFESTS[0])


def test_the_units_are_to_the_liking_of_systemd(tmp_path: Path) -> None:
    """With the folder of the code where it is here, since what they start has to be there."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/sluice/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("/opt/sluice", str(DEPLOY.parent)), encoding="utf-8")
    verify = [installed("systemd-analyze"), "verify", "--man=no"]
    said = subprocess.run([*verify, *tmp_path.glob("*.s*")], capture_output=True, text=True)
    assert [line for line in said.stderr.splitlines() if "sluice" in line] == []
    assert said.returncode == 0


@pytest.mark.parametrize("file", ["prometheus.yml", "compose.yml"])
def test_prometheus_takes_its_configurations(file: str) -> None:
    parses(installed("promtool"), "check", "config", DEPLOY / "prometheus" / file)


# -- true to the code -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*SHIPPED, DEPLOY / "systemd" / "sluice.env"], ids=lambda file: file.name)
def test_only_settings_that_exist_are_named(file: Path) -> None:
    named = set(re.findall(r"SLUICE_[A-Z_]+", file.read_text(encoding="utf-8")))
    assert named <= {variable(field) for field in dataclasses.fields(Settings)}


def test_every_service_is_started_by_the_one_command() -> None:
    """Whoever starts it, as `make up` does."""
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    entry = json.loads(re.findall(r"^ENTRYPOINT (.*)", docker, re.MULTILINE)[0])
    words = [json.loads(re.findall(r"^CMD (.*)", docker, re.MULTILINE)[0])]
    words += [service["command"] for service in COMPOSE["services"].values() if service["image"] == "sluice"]
    words += [
        container["args"]
        for each in manifests() if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    ]  # fmt: skip
    assert entry == ["python", "-m", "deploy.run"]
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=\S+ -m (.*)", unit.read_text(encoding="utf-8"), re.MULTILINE):
            module, *rest = line.split()
            assert module == "deploy.run"
            words.append(rest)
    assert {word[0] for word in words} == {Name.INGRESS, Name.WORKER, Name.SINKS, Name.FLOWER}
    assert len(words) == 12


def test_the_one_command_is_what_supervisor_runs() -> None:
    supervised = configparser.ConfigParser(interpolation=None)
    supervised.read(DEPLOY / "supervisor.conf")
    settings = dataclasses.replace(
        Settings(),
        redis_url="redis://store/0",
        secret_key="secret",
        workers=1,
        ftps_port=21,
        ftps_cert=Path("cert.pem"),
    )
    values = {
        "$python": sys.executable,
        "$deploy": str(DEPLOY),
        "$workers": str(settings.workers),
        "$sinks": "1",
        "$log_level": "INFO",
        "%%h": "%h",
    }
    for name in (Name.INGRESS, Name.WORKER, Name.SINKS, Name.FLOWER, Name.FTPS):
        line = supervised[f"program:{name}"]["command"]
        for placeholder, value in values.items():
            line = line.replace(placeholder, value)
        assert command(name, settings) == shlex.split(line)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({}, "SLUICE_REDIS_URL is not set"), ({"redis_url": "redis://store/0"}, "SLUICE_SECRET_KEY is not set")],
)
def test_an_ingress_of_its_own_says_what_it_needs(settings: dict[str, str], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        command(Name.INGRESS, dataclasses.replace(Settings(), **settings))


def test_both_configurations_of_the_store_say_the_same_of_what_both_say() -> None:
    """What keeps accepted batches safe must not be found in one of them only."""
    embedded, alone = (
        dict(line.split(maxsplit=1) for line in (DEPLOY / name).read_text("utf-8").splitlines() if line[:1].isalpha())
        for name in ("redis.conf", "store.conf")
    )
    assert {name for name in embedded if "$" not in embedded[name]} - set(alone) <= {
        "port", "unixsocketperm", "daemonize", "logfile",
    }  # fmt: skip
    same = [name for name in set(embedded) & set(alone) if "$" not in embedded[name]]
    assert {name: embedded[name] for name in same} == {name: alone[name] for name in same}
    assert {"appendonly", "maxmemory-policy", "save"} <= set(same)


def test_a_folder_of_the_settings_may_be_written_by_the_units_that_use_it() -> None:
    """Systemd makes everything read-only that is not named."""
    environ = dict(
        line.split("=", 1)
        for line in (DEPLOY / "systemd" / "sluice.env").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    for name in ("sluice-ingress.service", "sluice-worker@.service"):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.read(DEPLOY / "systemd" / name)
        assert unit["Service"]["ProtectSystem"] == "strict"
        assert unit["Service"]["ReadWritePaths"] == "-" + environ["SLUICE_EXPORTS_URL"]


def test_no_service_starts_with_the_secrets_of_an_example() -> None:
    for line in (DEPLOY / "systemd" / "sluice.env").read_text("utf-8").splitlines():
        if "change-me" in line:
            name, _, value = line.partition("=")
            with pytest.raises(BadSetting, match=name):
                check_settings(Settings.from_env({name: value}), {})


def test_what_compose_mounts_is_there() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert files
    assert [file for file in files if not (DEPLOY / file).exists()] == []


def test_workers_are_scaled_by_a_metric_that_exists() -> None:
    [scaled] = [each for each in manifests() if each["kind"] == "ScaledObject"]
    workers = [each["metadata"]["name"] for each in manifests() if each["kind"] == "Deployment"]
    assert scaled["spec"]["scaleTargetRef"]["name"] in workers
    assert scaled["spec"]["minReplicaCount"] >= 1, "the sweep is a worker's"
    [trigger] = scaled["spec"]["triggers"]
    assert set(re.findall(r"sluice_\w+", trigger["metadata"]["query"])) <= set(metrics.names())
