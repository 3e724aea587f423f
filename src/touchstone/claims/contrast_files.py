"""The contrasts of a claims.yaml, read and checked: numbers that use the roles of its criteria."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from touchstone.claims import paper_files
from touchstone.claims.criteria import NUMBER, Criterion, roles_in
from touchstone.claims.file_checks import ClaimError, Place, check_block, check_names

PLACE: Place = ("contrast",)
NUMBERS = ("unaware", "aware", "reference", "also")
REQUIRED = ("of", "shows", "unaware", "aware")
KEYS = ("name", *REQUIRED, "reference", "also")


class Written(NamedTuple):
    """One contrast as a claims.yaml writes it.

    Attributes:
        name: of the system.
        shows: what the numbers are; {role} stands for who plays it.
        of: the criteria whose roles the numbers use; if two have a role of one name, the first counts.
        numbers: which of NUMBERS it gives.
        criterion: these numbers, as a criterion that asks for no bound.
    """

    name: str
    shows: str
    of: tuple[str, ...]
    numbers: tuple[str, ...]
    criterion: Criterion


def mistakes(facts: Mapping[str, Any]) -> Iterator[ClaimError]:
    """Yield what is wrong with the first wrong contrast of a claims.yaml."""
    try:
        read(facts)
    except ClaimError as error:
        yield error


def read(facts: Mapping[str, Any]) -> list[Written]:
    """Return the contrasts of a claims.yaml, which has one block or a list of them.

    Raises:
        ClaimError: one is wrong.
    """
    blocks = facts.get("contrast", [])
    if not isinstance(blocks, list):
        return [_read(PLACE, facts, blocks)]
    return [_read((*PLACE, str(index)), facts, block) for index, block in enumerate(blocks)]


def _read(place: Place, facts: Mapping[str, Any], block: Any) -> Written:
    check_block(place, block, KEYS, REQUIRED)
    criteria = facts.get("criteria") or {}
    check_block(("criteria",), criteria)
    of = block["of"] if isinstance(block["of"], list) else [block["of"]]
    check_names((*place, "of"), of, criteria, "the criterion")
    judged = [criteria[name] for name in of]
    for name, found in zip(of, judged, strict=True):
        check_block(("criteria", name), found)
        check_block(("criteria", name, "roles"), found.get("roles", {}))
    roles = {role: words for one in reversed(judged) for role, words in one.get("roles", {}).items()}
    together = {"together": judged[0]["together"]} if judged and "together" in judged[0] else {}
    given = tuple(key for key in NUMBERS if key in block)
    own = {
        "kind": NUMBER,
        "setting": block["shows"],
        "criterion": "no bound",
        "tests": [block[key] for key in given],
        "roles": roles,
        **together,
    }
    criterion = paper_files.criterion("-".join(map(str, place)), facts, own)
    for role in roles_in(block["shows"]):
        if role not in criterion.tests[NUMBERS.index("aware")].roles:
            raise ClaimError((*place, "shows"), f"{role} is no role that aware uses")
    return Written(str(block.get("name", facts.get("name", ""))), block["shows"], tuple(of), given, criterion)
