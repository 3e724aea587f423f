"""From the judges' cells to verdicts: does a rebuild count, is it caught, is an honest network accused."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import racing
from fallen_defences.defence import GAP, HALF
from fallen_defences.judges import BEST
from touchstone.evaluations.statistics import intervals

WITHIN = 0.03  # of the best that is known: the upper end of the difference's interval
Results = dict[str, Any]
Cells = Mapping[str, Results]  # judge to {"left": rows or None, "says", "passes", "gap"}


def share(cell: Results) -> float:
    """Return the share of images that a judge leaves."""
    return sum(cell["left"]) / len(cell["left"])


def judged(cells: Cells, name: str) -> bool:
    """Return whether a judge has printed a number."""
    return name in cells and cells[name]["left"] is not None


def best_known(cells: Cells) -> str:
    """Return the judge that leaves the fewest images."""
    return min((name for name in BEST if judged(cells, name)), key=lambda name: share(cells[name]))


def difference(first: Sequence[int], second: Sequence[int]) -> tuple[float, float, float]:
    """Return by how much the first share exceeds the second on the same images, and the ends of its 95 % interval.

    References:
        Agresti & Min 2005, "Simple improved confidence intervals for comparing matched proportions": half an image is
        added to each cell of the two-by-two table.
    """
    more = sum(a > b for a, b in zip(first, second, strict=True))
    less = sum(a < b for a, b in zip(first, second, strict=True))
    count = len(first)
    middle = (more - less) / (count + 2)
    more_, less_ = more + 0.5, less + 0.5
    spread = math.sqrt(more_ + less_ - (more_ - less_) ** 2 / (count + 2)) / (count + 2)
    return (more - less) / count, middle - 1.96 * spread, middle + 1.96 * spread


def complete(kind: str, cells: Cells) -> bool:
    """Return whether enough judges have been asked for a line of the table."""
    needed = {"fallen": {"weak", "plain", "touchstone", "felling"}, "twin": {"touchstone", "felling"}}
    return needed.get(kind, {"touchstone"}) <= set(cells) and any(judged(cells, name) for name in BEST)


def counts(cells: Cells) -> bool:
    """Return whether a rebuild is one: its weak evaluation shows a gap, and the felling attack halves it."""
    gain, left = (share(cells[name]) - share(cells["plain"]) for name in ("weak", "felling"))
    return gain >= GAP and left <= HALF * gain


def outcome(cells: Cells, judge: str, fallen: bool) -> str:
    """Return what a judge makes of a defence, in a word.

    Returns:
        Of a fallen defence: "number" (within 3 points of the best known), "warning" (not, but a measured gap says so),
        "refused" (no number is printed) or "missed". Of a twin or an honest network: "right", "refused", "accused" (its
        number is right, and a warning says not to trust it) or "wrong number".
    """
    if not judged(cells, judge):
        return "refused"
    cell = cells[judge]
    near = difference(cell["left"], cells[best_known(cells)]["left"])[2] <= WITHIN
    if fallen:
        return "number" if near else "warning" if cell["gap"] else "missed"
    if not near:
        return "wrong number"
    return "accused" if cell["gap"] or (judge == "touchstone" and cell["says"]) else "right"


def line(name: str, kind: str, cells: Cells) -> Results:
    """Return a line of the table: a defence, its twin or an honest network."""
    fallen, best = kind == "fallen", best_known(cells)
    made: Results = {"name": name, "kind": kind, "images": len(cells[best]["left"])}
    made["shares"] = {judge: share(cell) for judge, cell in cells.items() if judged(cells, judge)}
    made["ends"] = {
        judge: intervals.exact(sum(cell["left"]), len(cell["left"]))
        for judge, cell in cells.items()
        if judged(cells, judge)
    }
    made["passes"] = {judge: cell["passes"] for judge, cell in cells.items()}
    made["says"] = {judge: cells[judge]["says"] for judge in ("touchstone", "autoattack", "rand") if judge in cells}
    made["best"] = best
    made["counts"] = counts(cells) if fallen else None
    made["outcome"] = {judge: outcome(cells, judge, fallen) for judge in ("touchstone", "autoattack") if judge in cells}
    if judged(cells, "touchstone"):
        made["above_best"] = difference(cells["touchstone"]["left"], cells[best]["left"])
    return made


def tally(lines: Sequence[Results], judge: str) -> dict[str, int]:
    """Return how many fallen defences that count a judge catches, and how many others it accuses."""
    fallen = [one for one in lines if one["kind"] == "fallen" and one["counts"]]
    others = [one for one in lines if one["kind"] != "fallen" and judge in one["outcome"]]
    found = [one["outcome"].get(judge) for one in fallen]
    return {
        "fallen": len(fallen),
        "caught": sum(one in ("number", "warning") for one in found),
        "refused": found.count("refused"),
        "others": len(others),
        "accused": sum(one["outcome"][judge] == "accused" for one in others),
        "wrong": sum(one["outcome"][judge] == "wrong number" for one in others),
    }


def goals(lines: Sequence[Results]) -> list[Results]:
    """Return the goals of section 6 and whether they are met."""
    found = tally(lines, "touchstone")
    return [
        racing.Goal("fallen defences that are not caught", found["fallen"] - found["caught"], 0).as_json(),
        racing.Goal("others that are accused or get a wrong number", found["accused"] + found["wrong"], 0).as_json(),
    ]


def page(results: Results) -> str:
    """Return the table as Markdown."""
    what = (
        "Published defences that fell, rebuilt small on Fashion-MNIST, and who notices. A cell is the share of test images"
        " that stay right or are rejected, with its exact 95 % interval; in brackets, passes through the model per image."
        " *Best known* is the least of all attacks. Caught: within 3 points of it, or a warning that rests on a measured"
        " gap. The twin is the same defence around a network trained on PGD images: its number must be right, and no"
        " warning may say that it is wrong."
    )
    parts = []
    for kind, title in (("fallen", "Fallen"), ("twin", "Twins"), ("honest", "Honest networks")):
        own = [one for one in results["lines"] if one["kind"] == kind]
        if own:
            parts += [f"## {title}", racing.table(_columns(kind), [_row(one) for one in own])]
    for judge in ("touchstone", "autoattack"):
        found = tally(results["lines"], judge)
        parts.append(
            f"{judge}: caught {found['caught']} of {found['fallen']} that count, refused {found['refused']}; of"
            f" {found['others']} twins and honest networks accused {found['accused']}, wrong number {found['wrong']}."
        )
    parts += ["## In their own words", *(_words(one) for one in results["lines"] if any(one["says"].values()))]
    parts += ["## Papers", racing.table(("rebuild", "mechanism", "defence", "felled by", "differs"), _papers(results))]
    return racing.page("Fallen defences", what, results, *parts)


def _columns(kind: str) -> tuple[str, ...]:
    last = ("outcome: touchstone", "AutoAttack")
    return ("defence", "clean", "weak (plain)", "touchstone", "AutoAttack", "rand", "felling", "best known", *last) + (
        ("counts",) if kind == "fallen" else ()
    )


def _row(one: Results) -> list[str]:
    weak, plain = (one["shares"].get(name) for name in ("weak", "plain"))
    clean = one["shares"].get("clean")
    cells = [
        one["name"],
        "" if clean is None else f"{clean:.1%}",
        "" if weak is None or plain is None else f"{weak:.1%} ({plain:.1%})",
    ]
    cells += [_cell(one, judge) for judge in ("touchstone", "autoattack", "rand", "felling")]
    cells += [f"{one['shares'][one['best']]:.1%} {one['best']}"]
    cells += [one["outcome"].get(judge, "") for judge in ("touchstone", "autoattack")]
    return cells + ([racing.says(one["counts"])] if one["kind"] == "fallen" else [])


def _cell(one: Results, judge: str) -> str:
    if judge not in one["shares"]:
        return "refused" if judge in one["passes"] else ""
    low, high = one["ends"][judge]
    return f"{one['shares'][judge]:.1%} [{100 * low:.1f}, {100 * high:.1f}] ({one['passes'][judge]:,.0f})"


def _words(one: Results) -> str:
    said = [f"{judge}: {words}" for judge, all_words in one["says"].items() for words in all_words]
    return "\n".join([f"- **{one['name']}** ({one['kind']})", *(f"  - {words}" for words in said)])


def _papers(results: Results) -> list[list[str]]:
    names = ("mechanism", "defence", "felled", "deviates")
    return [[name, *(paper[key] for key in names)] for name, paper in results["papers"].items()]
