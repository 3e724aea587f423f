"""The threat model of an artefact: what its attacker knew, of which network, and with which budget."""

from __future__ import annotations

from typing import Any

from touchstone.evaluations.statistics import declared_budgets
from touchstone.records import metric_rows
from touchstone.records.metric_rows import Threat
from touchstone.records.nouns import Cell

seedless = metric_rows.seedless
# The settings that are printed next to every robust number, in this order (docs/papers/shared.md, "Checks of an attack").
STATED = ("eps", "steps", "step_size", "restarts", "imitations", "queries", "draws", "target")


def network(cell: Cell) -> str:
    """Return the cell's classifier with its seed, as `victim` names it: "cnn.0"."""
    return f"{cell.entry}.{cell.seed}"


def white_box(cell: Cell) -> bool:
    """Return whether the attack was made, with full knowledge, on exactly the network that the cell measures."""
    return bool(cell.attack) and cell.victim == network(cell) and not cell.translator and not cell.detector


def use_of(cell: Cell) -> str:
    """Return the component of the cell's attack: "pgd"."""
    return str(cell.settings.get("use", "")).rpartition("/")[2]


def threat(cell: Cell) -> Threat:
    """Return the threat model of the cell.

    Of several attacks combined in one it states the budget of the widest, and no budget if they have no common norm or one
    of them declares no eps.
    """
    if not cell.attack:
        return Threat()
    knowledge, of = _knowledge(cell)
    settings = cell.settings
    if declared_budgets.is_nested(settings):
        single = declared_budgets.single(settings)
        if single is None:
            return Threat(knowledge, of)
        settings = settings | single._asdict()
    budget = tuple((name, metric_rows.stated(settings[name])) for name in STATED if _is_stated(settings.get(name)))
    norm = str(settings.get("norm", declared_budgets.DEFAULT_NORM))
    return Threat(knowledge, of, norm=norm, budget=budget, use=use_of(cell))


def _knowledge(cell: Cell) -> tuple[str, str]:
    """Return what the attacker knew, and the defence or the other network that this is about."""
    own = network(cell)
    if not cell.entry:  # a set of images that no network has classified
        return metric_rows.MADE, cell.victim
    if cell.victim == own:
        adaptive = str(cell.settings.get("use", "")).startswith("adaptive/")
        if cell.translator or cell.detector:
            return metric_rows.OBLIVIOUS, ""
        return metric_rows.ADAPTIVE if adaptive else metric_rows.WHITE_BOX, ""
    if cell.victim == cell.settings.get("protects"):  # made on the bare network that the defence protects
        return metric_rows.OBLIVIOUS, ""
    if cell.victim.startswith(own + "+") and not cell.translator:
        defence = cell.victim.removeprefix(own + "+")
        if not cell.detector or defence.split("@")[0] == cell.detector:
            return metric_rows.ADAPTIVE, defence
    return metric_rows.TRANSFER, cell.victim


def budget(cell: Cell) -> tuple[str, float | None]:
    """Return the norm and the eps of the cell's attack: two attacks with equal ones may be compared.

    The eps is None if the attack declares no single budget.
    """
    allowed = threat(cell)
    return allowed.norm, allowed.eps


def equal_budgets(one: Cell, other: Cell) -> bool:
    """Return whether two attacks declare one and the same norm and eps; two without an eps are not alike."""
    return budget(one) == budget(other) and budget(one)[1] is not None


def _is_stated(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool) and value != "none"
