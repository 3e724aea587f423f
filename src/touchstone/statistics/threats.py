"""What the attacker behind a number knew and was allowed, as one line of text that can be read back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from touchstone.records.nouns import Cell

# papers.md 6.5 item 8: printed next to every robust number, in this order, where the attack has them.
STATED = ("eps", "steps", "step_size", "restarts", "imitations", "queries", "draws", "target")
_TEXT = re.compile(r"(?P<knows>.+?) (?P<norm>linf|l2|l1)(?P<allowed>(?: [a-z_]+=\S+)*)(?: \((?P<use>[a-z0-9_]+)\))?")


@dataclass(frozen=True)
class Threat:
    """What the attacker `knows`, the norm, what is `allowed` ("eps=0.1 steps=40"), and the attack's component."""

    knows: str
    norm: str = ""
    allowed: str = ""
    use: str = ""

    def __str__(self) -> str:
        words = [self.knows, self.norm, self.allowed, f"({self.use})" if self.use else ""]
        return " ".join(word for word in words if word)

    @property
    def eps(self) -> float | None:
        """The budget in pixels; None where there is none."""
        found = re.search(r"(?:^| )eps=(\S+)", self.allowed)
        return float(found[1]) if found else None

    @property
    def family(self) -> str:
        """What the attacker knew, the norm and the attack, whatever its budget and effort."""
        return str(Threat(self.knows, self.norm, "", self.use))


def read(text: str) -> Threat:
    """Return the threat that `text` was written from; one that names no norm has its text as `knows`."""
    found = _TEXT.fullmatch(text)
    if not found:
        return Threat(text)
    return Threat(found["knows"], found["norm"], found["allowed"].strip(), found["use"] or "")


def network(cell: Cell) -> str:
    """Return the cell's classifier with its seed, as `victim` names it."""
    return f"{cell.entry}.{cell.seed}"


def white_box(cell: Cell) -> bool:
    """Return whether the attack was made on exactly what the cell measures, with full knowledge of it."""
    return bool(cell.attack) and cell.victim == network(cell) and not cell.translator and not cell.detector


def _knows(cell: Cell) -> str:
    own = network(cell)
    if not cell.entry:  # images, which nothing has looked at yet
        return f"made on {cell.victim}"
    if cell.victim == own:
        adaptive = str(cell.settings.get("use", "")).startswith("adaptive/")
        return "oblivious" if cell.translator or cell.detector else "white-box adaptive" if adaptive else "white-box"
    if cell.victim == cell.settings.get("protects"):  # made on the network alone that the defence protects
        return "oblivious"
    if cell.victim.startswith(own + "+") and not cell.translator:
        defence = cell.victim.removeprefix(own + "+")
        if not cell.detector or defence.split("@")[0] == cell.detector:
            return f"white-box adaptive to {defence}"
    return f"transfer from {cell.victim}"


def threat(cell: Cell) -> str:
    """Return the threat model of the cell: "none", "white-box linf eps=0.1 steps=40 (pgd)", "oblivious ...".

    The norm is the attack's `norm`; attacks without that setting are L-infinity. Of several attacks in one the budget is
    that of the widest.
    """
    if not cell.attack:
        return "none"
    stated = _widest(cell.settings) | cell.settings
    allowed = " ".join(f"{name}={_short(stated[name])}" for name in STATED if _given(stated.get(name)))
    norm = str(cell.settings.get("norm", "linf"))
    use = str(cell.settings.get("use", "")).rpartition("/")[2]
    return str(Threat(_knows(cell), norm, allowed, use))


def _widest(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the budget of an attack that is made of several: that of the widest."""
    budgets = [part["eps"] for part in settings.get("attacks", ()) if "eps" in part]
    return {"eps": max(budgets)} if budgets else {}


def _given(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool) and value != "none"


def _short(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, int | float) else value


def seedless(text: str) -> str:
    """Return a name, path or threat with the seed of each network left out: "transfer from mlp.0" -> "... mlp"."""
    return re.sub(r"\b([a-z][a-z0-9_]*)\.\d+", r"\1", text)
