"""The reports in git, and what each says of itself: they may be older than code, settings and papers."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

from touchstone.provenance import sidecar_files

ROOT = Path(__file__).parents[1]
STUDIES = sorted(path.parent.name for path in ROOT.glob("reports/*/claims.csv"))


@cache
def record(study: str) -> dict[str, Any]:
    """Return the record of a study's report: the settings, papers and code by which it was built."""
    return sidecar_files.read_sidecar(ROOT / "reports" / study / "report.html")


def papers(study: str) -> dict[str, dict[str, Any]]:
    """Return the papers that a study's report judges, as they were when it was built."""
    return dict(record(study)["settings"]["papers"])


def claims(study: str) -> dict[str, dict[str, str]]:
    """Return {claim: its line} of a report's table of claims."""
    with (ROOT / "reports" / study / "claims.csv").open(newline="") as stream:
        return {line["claim"]: line for line in csv.DictReader(stream)}
