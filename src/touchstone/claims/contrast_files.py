"""The contrast of a claims.yaml, read and checked: numbers that use the roles of one of its criteria."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from touchstone.claims import paper_files
from touchstone.claims.criteria import NUMBER, Criterion
from touchstone.claims.file_checks import ClaimError, Place

PLACE: Place = ("contrast",)
NUMBERS = ("unaware", "aware", "reference")
KEYS = ("of", "shows", *NUMBERS)


def mistakes(facts: Mapping[str, Any]) -> Iterator[ClaimError]:
    """Yield what is wrong with the contrast of a claims.yaml."""
    if "contrast" in facts:
        try:
            criterion("contrast", facts)
        except ClaimError as error:
            yield error


def criterion(name: str, facts: Mapping[str, Any]) -> Criterion:
    """Return the contrast as a criterion of this name that asks for no bound.

    Raises:
        ClaimError: it is wrong.
    """
    block = facts["contrast"]
    if not isinstance(block, dict):
        raise ClaimError(PLACE, "expected a block of keys")
    for key in block:
        if key not in KEYS:
            raise ClaimError(PLACE, f"no such key: {key}. Keys are {', '.join(KEYS)}")
    for key in KEYS[:-1]:
        if key not in block:
            raise ClaimError(PLACE, f"{key} is missing; add it")
    criteria = facts.get("criteria") or {}
    judged = criteria.get(block["of"]) if isinstance(block["of"], str) and isinstance(criteria, dict) else None
    if not isinstance(judged, dict):
        raise ClaimError((*PLACE, "of"), f"{block['of']} is no criterion of this paper")
    same = {key: judged[key] for key in ("roles", "together") if key in judged}
    tests = [block[key] for key in NUMBERS if key in block]
    own = {"kind": NUMBER, "setting": block["shows"], "criterion": "no bound", "tests": tests, **same}
    return paper_files.criterion(name, facts, own)
