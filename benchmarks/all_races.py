"""Write one page about all races, from their JSON files: goals, measurements, and the command of each.

    python benchmarks/all_races.py [--out benchmarks/results] [--picture docs/races.svg]

The picture has a line per goal: the measured value relative to its bound.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

import racing
from racing import Goal, Results
from touchstone.report import drawing, palette

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
    """Return all goals that have a bound above 0, a line each, by their distance from it; met ones lie left of 1."""
    shown = [(name, goal) for name, _, goals in races(results) for goal in goals if goal.distance is not None]
    with drawing.style():
        figure = Figure(figsize=(drawing.WIDTH, 0.5 + 0.17 * len(shown)))
        axes = figure.subplots()
        axes.axvline(1, color=drawing.INK, linewidth=0.8)
        for place, (_, goal) in enumerate(shown):
            colour, mark = (MET, "o") if goal.met else (MISSED, "X")
            axes.plot([1, goal.distance], [place, place], color=colour, linewidth=1)
            axes.plot(goal.distance, place, mark, color=colour)
        axes.set_xscale("log")
        axes.set_xticks([0.01, 0.1, 1, 10], ["1/100", "1/10", "as asked", "10"], minor=False)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.xaxis.set_minor_formatter("")
        axes.set_yticks(range(len(shown)), [f"{name}: {goal.text}" for name, goal in shown], fontsize=6)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlabel("measured, in units of what was asked")
    return figure


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
