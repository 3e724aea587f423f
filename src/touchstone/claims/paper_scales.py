"""Which published figures a criterion measures itself: on the paper's data, by entries with the paper's settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from touchstone.claims.criteria import Condition, PaperScale, Role
from touchstone.claims.file_checks import ClaimError, Place, check_block, check_names

KEYS = ("data", "settings", "tests")
COMPONENT = "component"  # of an entry; not `use`, because every `use` in a job's settings is code that the job runs
IMAGES = ("examples", "margins")  # sections whose entries are no part of what the paper built; `data` says which images

Settings = Mapping[str, Any]


def read_scales(
    place: Place, block: Any, figures: Sequence[str], roles: Mapping[str, Role], tests: Sequence[Condition]
) -> dict[str, PaperScale]:
    """Return what a study must have to measure each figure itself.

    Args:
        place: of the block.
        block: {figure: its data, settings and tests}.
        figures: that the criterion scales down.
        roles: of the criterion.
        tests: of the criterion.

    Raises:
        ClaimError: the block is wrong.
    """
    if not isinstance(block, dict):
        raise ClaimError(place, "expected figures, each with the paper's data and settings: {P1-1: {data: mnist, ...}}")
    check_names(place, block, figures, "the figure")
    return {figure: _scale((*place, figure), own, roles, tests) for figure, own in block.items()}


def _scale(place: Place, block: Any, roles: Mapping[str, Role], tests: Sequence[Condition]) -> PaperScale:
    check_block(place, block, KEYS, required=("data",))
    settings, numbers = block.get("settings", {}), block.get("tests", [])
    if not isinstance(block["data"], str):
        raise ClaimError((*place, "data"), "expected a component of data, such as cifar10")
    check_block((*place, "settings"), settings, [name for name, role in roles.items() if role.section not in IMAGES])
    for name, role in roles.items():
        if role.section not in IMAGES and not (isinstance(settings.get(name), dict) and settings[name]):
            raise ClaimError(
                (*place, "settings", name), "must be given: the settings of the paper, such as {component: pgd}"
            )
    if not isinstance(numbers, list) or any(number not in range(len(tests)) for number in numbers):
        raise ClaimError((*place, "tests"), f"expected places from 0 to {len(tests) - 1}")
    return PaperScale(block["data"], settings, tuple(tests[number] for number in numbers))


def measured_figures(
    papers: Mapping[str, Settings], claims: Settings, data: str, study: Mapping[str, Settings]
) -> dict[str, list[str]]:
    """Return {criterion: the published figures that a study measures itself}, of criteria that measure one.

    Args:
        papers: {paper: the content of its claims.yaml}, checked.
        claims: {criterion: the entries that play its roles, or why the study does not ask it}.
        data: the study's in-distribution data.
        study: {section: {entry: its settings}}.
    """
    found = {name: list(_figures(block, claims.get(name), data, study)) for name, block in _criteria(papers)}
    return {name: figures for name, figures in found.items() if figures}


def _criteria(papers: Mapping[str, Settings]) -> Iterator[tuple[str, Settings]]:
    for facts in papers.values():
        yield from (facts.get("criteria") or {}).items()


def _figures(block: Settings, chosen: Any, data: str, study: Mapping[str, Settings]) -> Iterator[str]:
    """Yield the figures of a criterion that a study measures itself."""
    for figure, scale in block.get("paper_scale", {}).items() if isinstance(chosen, Mapping) else ():
        wanted = scale.get("settings", {})
        if (
            scale["data"] == data
            and wanted.keys() <= chosen.keys()
            and all(
                _has(study[block["roles"][role].split()[-1]][entry], settings)
                for role, settings in wanted.items()
                for entry in ([chosen[role]] if isinstance(chosen[role], str) else chosen[role])
            )
        ):
            yield figure


def _has(settings: Any, wanted: Any) -> bool:
    """Return whether settings hold the wanted ones; components are named without their section."""
    if isinstance(wanted, Mapping):
        return isinstance(settings, Mapping) and all(
            _has(str(settings.get("use")).rpartition("/")[2] if key == COMPONENT else settings.get(key), value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, float) and isinstance(settings, int | float):
        return math.isclose(settings, wanted, rel_tol=1e-5)
    return bool(settings == wanted)
