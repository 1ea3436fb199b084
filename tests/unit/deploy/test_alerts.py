"""Alert rules, dashboard and runbook refer to metrics and alerts that exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.telemetry import metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
RUNBOOK = DEPLOY.parent / "docs" / "runbook.md"

ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))


def used(text: str) -> set[str]:
    """The metrics a text names, histograms without their endings."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bsluice_[a-z_]+", text)}


@pytest.mark.parametrize("file", [RULES, DASHBOARD, RUNBOOK], ids=lambda file: file.name)
def test_only_metrics_that_exist_are_named(file: Path) -> None:
    """A rule about a metric that nobody writes never calls."""
    assert used(file.read_text(encoding="utf-8")) <= set(metrics.names())


def test_the_dashboard_shows_every_metric_that_has_a_catalog() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    shown = used(json.dumps(panels))
    gauges = [gauge for gauge in vars(metrics).values() if isinstance(gauge, metrics.Gauge) and gauge.by_partition]
    assert {gauge.name for gauge in gauges} <= shown


@pytest.mark.parametrize("alert", ALERTS)
def test_the_runbook_says_of_every_alert_what_it_means_and_what_to_do(alert: str) -> None:
    [section] = re.findall(rf"^## {alert}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(encoding="utf-8"), re.M | re.S)
    for part in ("**Means:**", "**Look at:**", "**Do:**"):
        assert part in section
    assert f"runbook: docs/runbook.md#{alert.lower()}\n" in RULES.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml"),
                                   ("test", "rules", "rules_test.yml")], ids=" ".join)  # fmt: skip
def test_prometheus_agrees(words: tuple[str, ...]) -> None:
    """The rules parse, and call in each of the situations they are for, and in no other.

    Without Prometheus's own tool: skipped at home, a failure in CI.
    """
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: apt-get install prometheus")
        pytest.skip("without promtool: apt-get install prometheus")
    done = subprocess.run([promtool, *words], cwd=RULES.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
