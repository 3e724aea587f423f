"""The RO-Crate validator without a network: the two JSON-LD contexts that it asks for are served from installed packages."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import requests
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils.http import HttpRequester

TERMS = "https://w3id.org/ro/terms/workflow-run#"
WORKFLOW_RUN = {"@context": {term: TERMS + term for term in (
    "ParameterConnection", "connection", "sourceParameter", "targetParameter", "md5", "sha1", "sha256", "sha512",
)}}  # fmt: skip


def served() -> dict[str, str]:
    """The contexts by address. rocrate 0.14 is the last to ship that of RO-Crate 1.1, which the run crate profiles ask for."""
    return {
        "https://w3id.org/ro/crate/1.1/context": (files("rocrate") / "data" / "ro-crate.jsonld").read_text(),
        "https://w3id.org/ro/terms/workflow-run/context": json.dumps(WORKFLOW_RUN),
    }


def issues(crate: Path, profile: str, monkeypatch) -> list[str]:
    """What the validator has to say at level REQUIRED; any address but the two contexts is an error."""
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
        profile_identifier=profile,
        requirement_severity=Severity.REQUIRED,
        skip_availability_check=True,
    )
    found = services.validate(settings).get_issues()
    return [f"{issue.check.identifier}: {issue.message}" for issue in found]
