"""What the challenge of `verify` costs, what it notices, and whether it accuses honest packs.

    python benchmarks/challenge.py --study digits --pack digits.pack [--project .] [--seeds 20] [--threads 1]

Cost: processor seconds of `touchstone verify` of a pack, in units of those that the study's jobs of attacks took
(`attack`, `detect` and `defend` in benchmarks/results/job_seconds.json). Without --pack, the cost of the last run is kept.

Power: on the finished study `tiny` of the project, a share of the rows of its PGD set is falsified: replaced by the clean
images, by images of one step, or by the same attack with other random numbers. The set is challenged with each seed; an
honest file, and one as another processor would have written it (by networks with nudged weights), have to pass.

Writes challenge.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import racing
from racing import Goal, Results
from touchstone.audit import attack_reruns, challenge, verification
from touchstone.audit.problems import Result
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.nouns import ExampleSet
from touchstone.settings.study import load

ATTACKED = "results/tiny/attack/cnn.0/attacked/digits_test/cnn.0/pgd.safetensors"
SECONDS = Path(__file__).parent / "results" / "job_seconds.json"
RULES = ("attack", "detect", "defend")  # whose jobs are the attacks of a study
SHARES = (1.0, 0.5, 0.25, 0.1)
MOST = 0.25  # of the attacks' seconds, that `verify` may take

Falsify = Callable[[Recomputation, ExampleSet, ExampleSet], ExampleSet]


# --- cost --------------------------------------------------------------------------------------------------------------


def cost(study: str, pack: Path) -> Results:
    """Return the processor seconds of `verify`, with the challenge and in it, and of the study's attacks."""
    jobs: dict[str, float] = json.loads(SECONDS.read_text())[study]["seconds"]
    attacks = sum(seconds for name, seconds in jobs.items() if name.split("/")[0] in RULES)
    said: list[Result] = []
    options = verification.Options(seed=0)
    seconds = racing.own_seconds(lambda: said.append(verification.verify(pack, options)))
    (result,) = said
    return {
        "study": study,
        "attacks": attacks,
        "verify": seconds,
        "challenged": result.challenged,
        "findings": [str(problem) for problem in result.problems],
    }


# --- power -------------------------------------------------------------------------------------------------------------


def replaced(rows: Any, attacked: ExampleSet, images: ExampleSet) -> ExampleSet:
    """Return an attacked set with some rows from another one."""
    pick = np.zeros(len(attacked), bool)
    pick[rows] = True
    return replace(attacked, images=np.where(pick[:, None, None, None], images.images, attacked.images))


def by_the_clean_images(reader: Recomputation, attacked: ExampleSet, clean: ExampleSet) -> ExampleSet:
    """Return the clean images."""
    return clean


def by_other_settings(
    change: dict[str, Any], reader: Recomputation, attacked: ExampleSet, clean: ExampleSet
) -> ExampleSet:
    """Return what the attack returns under other settings."""
    task = reader.selection.tasks[ATTACKED]
    block = task.settings["component"] | {name: value for name, value in change.items() if name != "seed"}
    seed = {name: value for name, value in change.items() if name == "seed"}
    images: ExampleSet = reader.compute(replace(task, settings=task.settings | {"component": block} | seed))
    return images


def by_another_processor(reader: Recomputation, attacked: ExampleSet, clean: ExampleSet) -> ExampleSet:
    """Return what the attack returns if the network's weights are nudged."""
    images: ExampleSet = reader.compute(reader.selection.tasks[ATTACKED], nudged=True)
    return images


FALSIFICATIONS: dict[str, Falsify] = {
    "clean images": by_the_clean_images,
    "one step instead of five": partial(by_other_settings, {"steps": 1}),
    "other random numbers": partial(by_other_settings, {"seed": 11}),
}
HONEST: dict[str, Falsify] = {
    "the same processor": lambda reader, attacked, clean: attacked,
    "another processor": by_another_processor,
}


def power(project: Path, seeds: int) -> list[Results]:
    """Return, for each falsification and share, the share of challenges that name it."""
    selection = Selection(Plan(load("tiny", project)))
    reader = Recomputation(selection, project, "cpu", {})
    attacked = reader.noun(ATTACKED, "ExampleSet")
    clean = reader.noun(str(selection.tasks[ATTACKED].inputs["examples"]), "ExampleSet")
    lines = []
    for falsified, kinds, shares in ((True, FALSIFICATIONS, SHARES), (False, HONEST, (1.0,))):
        for name, make in kinds.items():
            others = make(reader, attacked, clean)
            for share in shares:
                found = [_named(reader, attacked, others, share, [seed, len(lines)]) for seed in range(seeds)]
                expected = 1 - (1 - share) ** challenge.DEFAULT
                lines.append(
                    {"name": name, "falsified": falsified, "share": share, "named": sum(found), "of": seeds}
                    | ({"expected": expected} if falsified else {})
                )
    return lines


def _named(reader: Recomputation, attacked: ExampleSet, others: ExampleSet, share: float, seed: list[int]) -> bool:
    random = np.random.default_rng(seed)
    rows = random.permutation(len(attacked))[: round(share * len(attacked))]
    stated = replaced(rows, attacked, others)
    reader.nouns.values[ATTACKED] = stated
    (found,) = attack_reruns.reruns(reader, [reader.selection.tasks[ATTACKED]], challenge.DEFAULT, random)
    return found.contradicts


# --- the page ------------------------------------------------------------------------------------------------------------


def goals(results: Results) -> list[Goal]:
    """Return what was asked of the challenge."""
    honest = sum(line["named"] for line in results["power"] if not line["falsified"])
    asked = [
        Goal("honest sets that are accused", honest, 0, "at most"),
        *(
            Goal(
                f"{line['name']} in all rows: share of challenges that name it",
                line["named"] / line["of"],
                1.0,
                "at least",
            )
            for line in results["power"]
            if line["falsified"] and line["share"] == 1
        ),
    ]
    if spent := results.get("cost"):
        share = spent["verify"] / spent["attacks"]
        asked.insert(0, Goal(f"verify of {spent['study']}, in units of its attacks", share, MOST, "at most"))
        asked.insert(1, Goal(f"findings in the honest pack of {spent['study']}", len(spent["findings"]), 0, "at most"))
    return asked


def page(results: Results) -> str:
    """Return the results as Markdown."""
    parts = []
    if spent := results.get("cost"):
        parts += [
            "## Cost",
            f"`verify` of the whole pack of {spent['study']}: {spent['verify']:.0f} processor seconds. Its attacks took"
            f" {spent['attacks']:.0f}. What the challenge said:",
            "\n".join(f"- {line}" for line in spent["challenged"]),
        ]
    rows = [
        (
            line["name"], f"{line['share']:.0%}", f"{line['named']} of {line['of']}",
            f"{line['expected']:.0%}" if line["falsified"] else "honest",
        )
        for line in results["power"]
    ]  # fmt: skip
    parts += [
        "## Power",
        f"A share of one attacked set of `tiny` (60 images) is falsified, and {challenge.DEFAULT} drawn. The last column is"
        " the chance that a false one is drawn. If images equal their clean ones, one of these is looked at too. A false"
        " one leads to a look at 32 images. The set is accused only if more are false than another processor explains.",
        racing.table(("rows of the set", "share", "named", "drawn with probability"), rows),
    ]
    what = "What the challenge of `verify` costs, what it notices, and whether it accuses honest packs."
    return racing.page("Challenge", what, results, *parts)


def main() -> None:
    """Measure, and write the tables."""
    parser: argparse.ArgumentParser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--project", type=Path, default=Path())
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    racing.begin(options.threads)
    out = options.out.resolve()
    results: Results = {"command": racing.command(), "machine": racing.machine()}
    before = out / "challenge.json"
    if options.pack is not None:
        results["cost"] = cost(options.study, options.pack)
    elif before.is_file() and (kept := json.loads(before.read_text()).get("cost")):
        results["cost"] = kept
    project = options.project.resolve()
    os.chdir(project)
    results["power"] = power(project, options.seeds)
    results["goals"] = [goal.as_json() for goal in goals(results)]
    racing.write(out, "challenge", results, page(results))


if __name__ == "__main__":
    main()
