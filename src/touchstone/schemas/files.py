"""The files study.json, paper.json and questions.json, and the comment by which a YAML file names its schema."""

from __future__ import annotations

import json
import os
from pathlib import Path

from touchstone.schemas.papers import paper_schema
from touchstone.schemas.studies import questions_schema, study_schema
from touchstone.schemas.values import Schema

FOLDER = Path(__file__).parent


def texts() -> dict[str, str]:
    """Return {file name: its content}; equal bytes wherever the components are equal."""
    schemas = {"study": study_schema(), "paper": paper_schema(), "questions": questions_schema()}
    return {f"{name}.json": _text(schema) for name, schema in schemas.items()}


def comment(file: Path, schema: Path) -> str:
    """Return the first line of a YAML file, from which editors know its schema.

    Args:
        file: of settings, such as papers/mine/paper.yaml.
        schema: such as FOLDER / "paper.json". It is named relative to the file, so both can move together.
    """
    path = Path(os.path.relpath(schema.resolve(), file.resolve().parent))
    return f"# yaml-language-server: $schema={path.as_posix()}"


def _text(schema: Schema) -> str:
    """Return a schema as JSON with one definition on a line, so that a diff names what changed."""
    lines = [f"  {_line(name)}: {_line(block)}" for name, block in schema.pop("definitions").items()]
    head = [f" {_line(name)}: {_line(block)}" for name, block in schema.items()]
    return "{\n" + ",\n".join([*head, ' "definitions": {\n' + ",\n".join(lines) + "\n }"]) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
