"""One page of all races: what was asked, what was measured, by which command; from the JSON files that they wrote.

python benchmarks/all_races.py [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import racing
from racing import Goal


def page(results: Path) -> str:
    """Return the goals of every race whose results lie in a folder, as Markdown."""
    parts = ["# All races"]
    for path in sorted(results.glob("*.json")):
        found = json.loads(path.read_text())
        goals = [Goal(*(goal[name] for name in Goal._fields)) for goal in found["goals"]]
        met = sum(goal.met for goal in goals)
        told = f": {met} of {len(goals)} goals met" if goals else ", which has no goals"
        parts += [f"## [{path.stem}]({path.stem}.md){told}"]
        parts += [
            f"`{found['command']}`. {racing.told(found['machine'])}",
            *([racing.goal_table(goals)] if goals else []),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the page beside the results, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=racing.RESULTS, help="folder of the tables")
    asked = parser.parse_args()
    text = page(asked.out)
    (asked.out / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
