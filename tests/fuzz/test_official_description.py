"""The public description of the hosted API judges the answers of Sluice.

schemathesis makes up requests from that description, good ones and bad ones, and holds each answer to it.  It is read
where it lies beside the project.  It is taken at its word but where it contradicts itself, see `mended`.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.services import EXTENSION
from tests.fuzz.test_document_holds import APP, EXAMPLES, ingress  # noqa: F401  (a fixture)
from tests.support.ingress import TOKEN, Ingress
from tests.support.rig import ACME
from tests.test_conventions import ROOT

PUBLIC = ROOT.parent / "shared" / "data" / "constructor-openapi.json"
if not PUBLIC.exists():
    pytest.skip("the public description is not at hand", allow_module_level=True)

JUDGES = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
#: Fewer than of our own document, which says the same and more.
FEWER = max(1, EXAMPLES // 2)
_MAY_BE_NULL = re.compile(r"\bnull\b")


def mended(part: Any) -> Any:
    """Let values be null whose text says so, as `start_time`; and let two choices fit, as both do for a FAILED task."""
    if isinstance(part, list):
        return [mended(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {"anyOf" if name == "oneOf" else name: mended(one) for name, one in part.items()}
    if isinstance(found.get("type"), str) and _MAY_BE_NULL.search(str(found.get("description"))):
        found["type"] = [found["type"], "null"]
    return found


description = schemathesis.openapi.from_dict(mended(json.loads(PUBLIC.read_text(encoding="utf-8"))))
description.app = APP
# Cases at every boundary are worked out when tests are collected, by every process: only where many are wanted.
description.config.phases.coverage.enabled = "FUZZ_EXAMPLES" in os.environ


@description.parametrize()
@settings(max_examples=FEWER, suppress_health_check=list(HealthCheck), deadline=None)
def test_an_answer_is_as_the_public_description_says(case: Any, ingress: Ingress) -> None:  # noqa: F811
    APP.extensions[EXTENSION] = ingress.app.extensions[EXTENSION]
    case.query["key"] = ACME
    response = case.call(auth=(TOKEN, ""))
    case.validate_response(response, checks=JUDGES)
