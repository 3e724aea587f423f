"""What the judge catches of the field's own history: published defences that fell, rebuilt small on Fashion-MNIST.

    python benchmarks/fallen_defences [--rebuilds k_winners magnet] [--kinds fallen twin honest] [--judges touchstone]
                                      [--images 1000] [--training 20000] [--epochs 8] [--keep build/fallen_defences]

Each rebuild is a file of `rebuilds/`, with its paper, its published evaluation and the attack that felled it. Each is also
put around a network trained on PGD images: its twin. Every training and every judgement is written to `--keep` when it is
done, so the run can be stopped at any time and goes on where it was. Writes fallen_defences.json and .md at the end.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # a folder that is run sees only itself

import torch

import racing
from fallen_defences import honest, judges, rebuilds, table
from fallen_defences.defence import Defence
from fallen_defences.judges import JUDGES, Subject
from fallen_defences.lab import Base, Lab
from touchstone.digests import sha256
from touchstone.numerics.tensors import seeded

KINDS = ("fallen", "twin", "honest")
Results = dict[str, Any]


def subjects(lab: Lab, kinds: list[str], names: list[str]) -> list[tuple[str, str]]:
    """Return the kind and name of everything that is judged: two of each mechanism first."""
    made = [
        (kind, name) for kind in ("fallen", "twin") if kind in kinds for name in rebuilds.in_order() if name in names
    ]
    return made + [("honest", name) for name in honest.NETWORKS if "honest" in kinds]


def judges_of(kind: str, defence: Defence, chosen: list[str]) -> list[str]:
    """Return the judges that a defence gets: weak evaluations are for the fallen, and rand for what draws."""
    left_out = {"rand"} if not defence.drawn else set()
    left_out |= {"weak", "plain"} if kind != "fallen" else set()
    left_out |= {"felling"} if kind == "honest" else set()
    return [name for name in JUDGES if name in chosen and name not in left_out]


def built(lab: Lab, kind: str, name: str) -> tuple[Defence, float]:
    """Return a defence, trained if it was not, and the radius that it is attacked at."""
    with seeded(0, f"build {name}"):
        if kind == "honest":
            return honest.build(Base(lab), name), honest.EPS
        return rebuilds.module(name).build(Base(lab, kind == "twin")), rebuilds.module(name).PAPER.eps


def judgement(lab: Lab, kind: str, name: str, judge: str, subject: Subject) -> Results:
    """Return a judge's cell, from the folder if it is there and of this code."""
    sources = [Path(__file__).parent / f"{one}.py" for one in ("defence", "attacks", "judges", "lab")]
    sources.append(Path(honest.__file__) if kind == "honest" else rebuilds.file(name))
    key = sha256(b"".join(source.read_bytes() for source in sources) + judges.code_of(judge).encode() + _size(lab))
    file = lab.folder / "cells" / f"{kind}_{name}_{judge}.json"
    if file.is_file() and (kept := json.loads(file.read_text()))["key"] == key:
        return kept["cell"]  # type: ignore[no-any-return]
    with seeded(0, judge):
        found = JUDGES[judge](subject)
    left = None if found.left is None else found.left.int().tolist()
    cell = {"left": left, "says": found.says, "passes": found.passes, "gap": found.gap}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({"key": key, "cell": cell}))
    partial.rename(file)
    return cell


def _size(lab: Lab) -> bytes:
    return f"{lab.images} {lab.training} {lab.epochs}".encode()


def measured(lab: Lab, kinds: list[str], names: list[str], chosen: list[str]) -> Results:
    """Return the lines of all that is judged."""
    lines = []
    bases = (Base(lab), Base(lab, adversarial=True))
    for kind, name in subjects(lab, kinds, names):
        defence, eps = built(lab, kind, name)
        every = torch.arange(0, len(lab.rows.ids), defence.share)
        subject = Subject(defence, lab.rows.take(every), eps, bases)
        cells = {}
        for judge in judges_of(kind, defence, chosen):
            cells[judge] = judgement(lab, kind, name, judge, subject)
            left = cells[judge]["left"]
            print(
                f"{kind} {name} {judge}: {'no number' if left is None else f'{sum(left) / len(left):.1%}'}", flush=True
            )
        if table.complete(kind, cells):
            lines.append(table.line(name, kind, cells))
    return {
        "command": f"python benchmarks/fallen_defences {' '.join(sys.argv[1:])}".strip(),
        "machine": racing.machine("pyautoattack"),
        "images": lab.images,
        "training": [lab.training, lab.epochs],
        "papers": {name: dataclasses.asdict(rebuilds.module(name).PAPER) for name in names},
        "lines": lines,
        "goals": table.goals(lines),
    }


def main() -> None:
    """Judge what is asked for and write the table."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--rebuilds", nargs="+", choices=rebuilds.in_order(), default=rebuilds.in_order())
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--training", type=int, default=20_000, help="images that each network is trained on")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fallen_defences"), help="folder of weights and results"
    )
    options = parser.parse_args()
    racing.begin(options.threads)
    lab = Lab(options.keep.resolve(), options.images, options.training, options.epochs)
    results = measured(lab, options.kinds, options.rebuilds, options.judges)
    racing.write(options.out, "fallen_defences", results, table.page(results))


if __name__ == "__main__":
    main()
