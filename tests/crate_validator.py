"""The RO-Crate validator without a network: the two JSON-LD contexts that it asks for are served from here."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import requests
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

PROFILE = (
    "provenance-run-crate-0.5"  # it extends workflow-run-crate, workflow-ro-crate, process-run-crate and ro-crate-1.1
)
TERMS = "https://w3id.org/ro/terms/workflow-run#"
WORKFLOW_RUN = {"@context": {term: TERMS + term for term in (
    "ParameterConnection", "connection", "sourceParameter", "targetParameter", "md5", "sha1", "sha256", "sha512",
)}}  # fmt: skip


def served() -> dict[str, str]:
    """The contexts by address. The library has that of RO-Crate 1.3, in which one of the terms that we use has moved since 1.1."""
    context = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text())
    context["@context"]["ComputationalWorkflow"] = "https://bioschemas.org/ComputationalWorkflow"
    return {
        "https://w3id.org/ro/crate/1.1/context": json.dumps(context),
        "https://w3id.org/ro/terms/workflow-run/context": json.dumps(WORKFLOW_RUN),
    }


def issues(crate: Path, monkeypatch, severity: Severity = Severity.REQUIRED) -> list[str]:
    """What the validator has to say at a level, once each; any address but the two contexts is an error."""
    contexts = served()

    def get(self, url: str, **_options: object) -> requests.Response:
        if url not in contexts:
            raise requests.ConnectionError(f"offline: {url}")
        answer = requests.Response()
        answer.status_code, answer.url, answer._content = 200, url, contexts[url].encode()
        answer.headers["Content-Type"] = "application/ld+json"
        return answer

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=PROFILE,
        requirement_severity=severity,
        skip_availability_check=True,
    )
    found = services.validate(settings).get_issues()
    return [f"{issue.check.identifier}: {issue.message}" for issue in found]
