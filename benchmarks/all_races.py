"""Write one page about all races, from their JSON files: goals, measurements, and the command of each.

    python benchmarks/all_races.py [--out benchmarks/results] [--picture docs/races.svg]

The picture has the goals that are missed, and the ten that are met by most: the measured value relative to its bound.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

import racing
from racing import Goal, Results
from touchstone.report import drawing, palette

GAINS = 10  # the most goals of the picture that are met
ROW, LETTERS = 0.36, 52  # inches of a goal, and letters of a line of its words
MET, MISSED = palette.COLOURS["blue"], palette.COLOURS["vermilion"]


def races(results: Path) -> Iterator[tuple[str, Results, list[Goal]]]:
    """Yield the name, the JSON document and the goals of every race in a folder of results."""
    for path in sorted(results.glob("*.json")):
        document = json.loads(path.read_text())
        if "goals" in document:  # a table that a command reads is no race
            yield path.stem, document, [Goal(*(goal[name] for name in Goal._fields)) for goal in document["goals"]]


def page(results: Path) -> str:
    """Return the goals of every race whose results lie in a folder, as Markdown."""
    parts = ["# All races"]
    for name, document, goals in races(results):
        met = sum(goal.met for goal in goals)
        score = f": {met} of {len(goals)} goals met" if goals else ", which has no goals"
        parts += [
            f"## [{name}]({name}.md){score}",
            f"`{document['command']}`. {racing.as_sentence(document['machine'])}",
            *([racing.goal_table(goals)] if goals else []),
        ]
    return "\n\n".join(parts) + "\n"


def picture(results: Path) -> Figure:
    """Return the goals that are missed, the farthest first, then those met by most; what is at most 0 is off the axis."""
    every = [(name, goal, goal.distance) for name, _, goals in races(results) for goal in goals]
    shown = sorted(((name, goal, far) for name, goal, far in every if far and far > 0), key=lambda one: one[2])
    missed = [one for one in reversed(shown) if not one[1].met]
    rows = missed + [one for one in shown if one[1].met][:GAINS]
    with drawing.style():
        figure = Figure(figsize=(drawing.WIDTH, 1.1 + ROW * len(rows)))
        axes = figure.subplots()
        axes.axvline(1, color=drawing.INK, linewidth=0.8)
        for place, (_, goal, far) in enumerate(rows):
            colour, mark = (MET, "o") if goal.met else (MISSED, "X")
            axes.plot([1, far], [place, place], color=colour, linewidth=1.6)
            axes.plot(far, place, mark, color=colour, markersize=7)
            axes.annotate(
                _times(far), (far, place), (-7 if goal.met else 7, 0), textcoords="offset points", va="center",
                ha="right" if goal.met else "left", fontsize=9,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks([0.01, 0.1, 1, 10], ["1/100", "1/10", "as asked", "10 times"], minor=False)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.xaxis.set_minor_formatter("")
        axes.margins(x=0.18)
        axes.set_yticks(
            range(len(rows)),
            [
                textwrap.fill(f"{name.replace('_', ' ')}: {goal.text}", LETTERS, break_on_hyphens=False)
                for name, goal, _ in rows
            ],
            fontsize=8,
        )
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("measured, in units of what was asked: left is better")
        drawing.headline(figure, _takeaway([goal for _, goal, _ in every], missed))
    return figure


def _times(distance: float) -> str:
    """Return a distance from a bound: "1/12" or "2.4 times"."""
    return f"1/{1 / distance:.3g}" if distance < 1 else f"{distance:.3g} times"


def _takeaway(goals: list[Goal], missed: list[tuple[str, Goal, float]]) -> str:
    """Return how many goals are met, and the largest miss."""
    met = f"{sum(goal.met for goal in goals)} of {len(goals)} goals are met"
    if not missed:
        return met
    name, _, distance = missed[0]
    return f"{met}; the farthest from its goal is one of {name.replace('_', ' ')}, at {_times(distance)} what was asked"


def main() -> None:
    """Write the page beside the results, and print it; and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=racing.RESULTS, help="folder of the tables")
    parser.add_argument("--picture", type=Path, help="an SVG of all goals")
    options = parser.parse_args()
    text = page(options.out)
    (options.out / "README.md").write_text(text)
    if options.picture:
        options.picture.write_bytes(drawing.svg(picture(options.out), "races"))
    print(text)


if __name__ == "__main__":
    main()
