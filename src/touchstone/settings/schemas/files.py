"""The schemas as files: study.json, claims.json and experiment.json."""

from __future__ import annotations

import json

from touchstone.settings.schemas.papers import paper_schema
from touchstone.settings.schemas.studies import experiment_schema, study_schema


def texts() -> dict[str, str]:
    """Return {file name: its content}; equal bytes wherever the components are equal."""
    schemas = {"study": study_schema(), "claims": paper_schema(), "experiment": experiment_schema()}
    return {f"{name}.json": f"{json.dumps(schema, ensure_ascii=False, indent=1)}\n" for name, schema in schemas.items()}
