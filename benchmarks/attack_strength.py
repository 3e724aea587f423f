"""Race: robust accuracy by our attack_suite and by the authors' AutoAttack, and the passes that each takes.

    python benchmarks/attack_strength.py [--images 1000] [--networks plain pgd] [--norms linf l2] [--threads 1]
                                         [--eps 0.1] [--keep build/attack_strength] [--add]

Seven networks, trained on 600 of scikit-learn's digits at 14x14 pixels (15x15 for L2): plain, PGD, TRADES, FGSM, ALOE,
label smoothing (small CNNs), and a PreAct ResNet-18 of width 4 trained with PGD. The attacks get `--images` of the 1,197
others. AutoAttack is `pyautoattack`, the authors' code as a package, in its standard version. Attacked images are clipped
to the budget and classified again. A pass is one image through the network, forward or backward. Ours may leave .2 points
more than theirs, with an eighth of their passes. Passes do not depend on what else the machine does. `--keep` names a folder
for networks and results, so that the race can be run in slices: AutoAttack has run once for each network, ours runs again
if its code has changed. `--add` keeps the other lines of the earlier table, if both suites are the same. Writes
attack_strength.json, .md and .svg into benchmarks/results/. The figure is accuracy against passes: after each attack of a
suite, and for PGD of 10, 20, 50 and 100 steps.
"""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from matplotlib.figure import Figure
from pyautoattack.autoattack import AutoAttack
from torch import Tensor, nn

import racing
from racing import Goal, Results, Rows
from touchstone.attacks.adversary.effort import Effort, counted
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.attack_suite import _Search, attack_suite
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.data.blobs import blobs
from touchstone.data.digits import digits
from touchstone.data.sources.sklearn_digits import sklearn_digits
from touchstone.digests import sha256
from touchstone.models.networks import checkpoints
from touchstone.models.preact_resnet18 import preact_resnet18
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics.tensors import RandomStreams, frozen
from touchstone.pipeline.steps.train import train
from touchstone.provenance import code
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import Checkpoint, ExampleSet
from touchstone.report import drawing, palette
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean
from touchstone.training.label_smoothing import label_smoothing
from touchstone.training.outlier_exposed import outlier_exposed
from touchstone.training.trades import trades

EPS = {"linf": (0.05, 0.1, 0.15), "l2": (0.25, 0.5, 0.75)}
THEIR_NORMS = {"linf": "Linf", "l2": "L2"}
SIDES = {"linf": 14, "l2": 15}  # of the digits; their L2 Square refuses sides such as 14
BATCH, TRAINED_ON = 250, 600  # theirs attacks 250 at a time
OURS, THEIRS, PGD = "touchstone attack_suite", "AutoAttack", "PGD"
PGD_STEPS = (10, 20, 50, 100)
WORSE, SHARE = 0.002, 0.125  # that ours may leave more than theirs; of their passes


class Kind(NamedTuple):
    """How a network of the race is trained."""

    objective: Callable[..., Tensor]
    architecture: Callable[..., nn.Module] = small_cnn
    settings: dict[str, Any] = {"use": "models/small_cnn"}  # noqa: RUF012 - never changed
    outliers: bool = False


NETWORKS = {
    "plain": Kind(clean),
    "pgd": Kind(partial(adversarial, attack=partial(pgd, eps=0.1, steps=7))),
    "trades": Kind(partial(trades, eps=0.1, steps=7)),
    "fgsm": Kind(partial(adversarial, attack=partial(fgsm, eps=0.1), clean_weight=0.5)),
    "aloe": Kind(partial(outlier_exposed, eps=0.05, steps=3), outliers=True),
    "label_smoothed": Kind(partial(label_smoothing, smoothing=0.7)),
    "resnet_pgd": Kind(
        partial(adversarial, attack=partial(pgd, eps=0.1, steps=7)),
        partial(preact_resnet18, width=4),
        {"use": "models/preact_resnet18", "width": 4},
    ),
}


class Curve:
    """How many images an attack has left, after how many passes.

    Attributes:
        points: (passes, images left), in the order of the passes.
    """

    def __init__(self, effort: Effort | None = None) -> None:
        self.effort, self.points = effort or Effort(), list[list[float]]()

    @property
    def passes(self) -> int:
        """All passes so far."""
        return self.effort.forward + self.effort.gradient

    def mark(self, left: int) -> None:
        """Add a point: as many images are left now."""
        self.points.append([self.passes, left])

    def per_image(self, count: int) -> list[list[float]]:
        """Return (passes per image, accuracy) where the accuracy changes, and at the end."""
        points = [[passes / count, left / count] for passes, left in self.points]
        changes = [point for before, point in itertools.pairwise(points[:-1]) if point[1] != before[1]]
        return [points[0], *changes, points[-1]]


def ours(model: nn.Module, rows: Rows, eps: float, norm: str, curve: Curve | None = None) -> Tensor:
    """Return the images of our suite; the curve gets a point after each of its attacks."""
    marked, keep = curve or Curve(), _Search._keep

    def keeping(search: _Search, *found: Tensor) -> None:
        keep(search, *found)
        marked.mark(int((search.loss <= 0).sum()))  # not those that are wrong only off the 8-bit grid

    draws = RandomStreams(0, "attack", rows.ids)
    with mock.patch.object(_Search, "_keep", keeping):
        return attack_suite(model, rows.images, rows.labels, draws, eps=eps, norm=norm)  # type: ignore[arg-type]


def theirs(model: nn.Module, rows: Rows, eps: float, norm: str, curve: Curve | None = None) -> Tensor:
    """Return the images of the standard AutoAttack; the curve gets a point before each of its attacks."""
    logging.getLogger("auto-attack").setLevel(logging.CRITICAL)
    attack = AutoAttack(model, norm=THEIR_NORMS[norm], eps=eps, version="standard", seed=0)
    attack.verbose = False
    marked, begun = curve or Curve(), set()

    def beginning(perturb: Callable[..., Tensor], images: Tensor, labels: Tensor) -> Tensor:
        if perturb not in begun:  # an attack runs batch by batch on all images that are left
            begun.add(perturb)
            marked.mark(0)
        marked.points[-1][1] += len(images)
        return perturb(images, labels)

    for part in (attack.apgd, attack.apgd_targeted, attack.fab, attack.square):
        part.perturb = partial(beginning, part.perturb)
    with frozen(model):
        images: Tensor = attack.run_standard_evaluation(rows.images, rows.labels, batch_size=BATCH)[0]
    return images


def plain_pgd(model: nn.Module, rows: Rows, eps: float, norm: str, curve: Curve) -> Tensor:
    """Return the images of the longest PGD; the curve gets a point for each number of steps."""
    for steps in PGD_STEPS:
        before, part = curve.passes, (rows.images, rows.labels, RandomStreams(0, "attack", rows.ids))
        images = pgd(model, *part, eps=eps, norm=norm, steps=steps, stop_on_success=True)  # type: ignore[arg-type]
        curve.points.append([curve.passes - before, len(left_right(model, rows, images, eps, norm))])
    return images


SUITES: dict[str, Callable[..., Tensor]] = {OURS: ours, THEIRS: theirs}


PICTURE = "![Accuracy left against passes](attack_strength.svg)"


class Network(NamedTuple):
    """A network of the race."""

    name: str
    model: nn.Module
    digest: str  # of its weights


def our_code() -> str:
    """Return the digest of our suite's code."""
    return code.code_from((("touchstone.attacks.attack_suite", "attack_suite"),)).digest


def attacked(suite: str, network: Network, rows: Rows, norm: str, eps: float, keep: Path | None) -> Results:
    """Return the rows that an attack leaves, its passes per image, and its curve; from the folder `keep` if kept there."""
    code = racing.version("pyautoattack") if suite == THEIRS else our_code()
    key = [network.digest, code, len(rows.ids)]
    name = {OURS: "ours", THEIRS: "theirs", PGD: "pgd"}[suite]
    file = keep and keep / f"{network.name}_{norm}_{eps:g}_{name}.json"
    if file and file.is_file() and (kept := json.loads(file.read_text()))["key"] == key:
        return kept["cell"]  # type: ignore[no-any-return]
    with counted(network.model) as effort:
        curve = Curve(effort)
        images = {**SUITES, PGD: plain_pgd}[suite](network.model, rows, eps, norm, curve)
    passes, left = curve.passes, left_right(network.model, rows, images, eps, norm)
    if suite != PGD:
        curve.points.append([passes, len(left)])
    cell = {"left": left, "passes": passes / len(rows.ids), "curve": curve.per_image(len(rows.ids))}
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"key": key, "cell": cell}))
    return cell


def left_right(model: nn.Module, rows: Rows, images: Tensor, eps: float, norm: str) -> list[int]:
    """Return the ids of the rows that are right, and stay right under an attack, whose images are clipped to the budget."""
    inside = Ball(rows.images, eps, norm).project(images)  # type: ignore[arg-type]  # all claim to keep the budget
    right = set(rows.right(model).ids.tolist())
    return sorted(right & set(Rows(inside, rows.labels, rows.ids).right(model).ids.tolist()))


def race(network: Network, rows: Rows, norm: str, eps: float, keep: Path | None) -> Results:
    """Return robust accuracy and passes of both suites on one network, and the curves."""
    line: Results = {"network": network.name, "norm": norm, "eps": eps}
    for suite in SUITES:
        cell = attacked(suite, network, rows, norm, eps, keep)
        line[suite] = {"robust_accuracy": len(cell["left"]) / len(rows.ids)} | {k: cell[k] for k in ("passes", "curve")}
    line[PGD] = {"curve": attacked(PGD, network, rows, norm, eps, keep)["curve"]}
    line["more_left"] = line[OURS]["robust_accuracy"] - line[THEIRS]["robust_accuracy"]
    line["share_of_passes"] = line[OURS]["passes"] / line[THEIRS]["passes"]
    return line


def trained(name: str, training: ExampleSet, epochs: int, keep: Path | None) -> Network:
    """Return a network of one kind, trained on some digits."""
    kind, file = NETWORKS[name], keep and keep / f"{name}_{epochs}_{training.images.shape[-1]}.safetensors"
    if file and file.is_file():
        data = file.read_bytes()
    else:
        outliers = blobs(np.random.default_rng(0), count=len(training.images), size=training.images.shape[-1])
        checkpoint = train(
            training,
            training,
            (outliers,) if kind.outliers else (),
            architecture=kind.architecture,
            architecture_settings=kind.settings,
            objective=kind.objective,
            epochs=epochs,
            learning_rate=0.004,
        )
        data = encode(checkpoint)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    made = decode(data)
    assert isinstance(made, Checkpoint)
    return Network(name, checkpoints.load(kind.architecture, made), sha256(data))


def split(count: int, side: int) -> tuple[ExampleSet, Rows]:
    """Return the digits to train on, and `count` others to attack, both drawn from all 1,797."""
    with tempfile.TemporaryDirectory() as folder:
        sklearn_digits(Path(folder))
        names = ("train", "validation", "test", "calibration", "detector_train")
        parts = [digits(Path(folder), part=part, size=side) for part in names]  # type: ignore[arg-type]
    images, labels, ids = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels", "example_ids")
    )
    order = np.random.default_rng(0).permutation(len(ids))
    known, unseen = order[:TRAINED_ON], order[TRAINED_ON : TRAINED_ON + count]
    rows = Rows(*(torch.from_numpy(column[unseen]) for column in (images, labels, ids)))
    return replace(parts[0], images=images[known], labels=labels[known], example_ids=ids[known]), rows


def measured(
    count: int,
    networks: list[str],
    norms: list[str],
    epochs: int = 20,
    keep: Path | None = None,
    eps: list[float] | None = None,
) -> Results:
    """Return the races of all networks, norms and eps, or only of some of the eps."""
    parts = {norm: split(count, SIDES[norm]) for norm in norms}
    lines: list[Results] = []
    clean_accuracy = {}
    for name in networks:
        for norm, (training, rows) in parts.items():
            network = trained(name, training, epochs, keep)
            clean_accuracy[f"{name} {norm}"] = len(rows.right(network.model).ids) / len(rows.ids)
            for budget in EPS[norm]:
                if eps is not None and budget not in eps:
                    continue
                lines.append(race(network, rows, norm, budget, keep))
                print(lines[-1], flush=True)
    return {
        "command": racing.command(),
        "machine": racing.machine("pyautoattack"),
        "images": count,
        "clean_accuracy": clean_accuracy,
        "suite": our_code(),
        "lines": lines,
        "goals": goals(lines),
    }


def goals(lines: list[Results]) -> list[Results]:
    """Return the goals of each norm, and whether they are met."""
    made = []
    for norm in dict.fromkeys(line["norm"] for line in lines):
        own = [line for line in lines if line["norm"] == norm]
        made += [
            Goal(f"{norm}: most that ours leaves more than AutoAttack", max(line["more_left"] for line in own), WORSE),
            Goal(f"{norm}: greatest share of its passes", max(line["share_of_passes"] for line in own), SHARE),
        ]
    return [goal.as_json() for goal in made]


def same_race(earlier: Results, images: int) -> Results:
    """Return the results of an earlier run; ValueError if its images or its suites were others."""
    for name, there, here in (
        ("images", earlier["images"], images),
        ("the code of attack_suite", earlier.get("suite"), our_code()),
        ("pyautoattack", earlier["machine"]["versions"]["pyautoattack"], racing.version("pyautoattack")),
    ):
        if there != here:
            raise ValueError(
                f"the earlier table is of another race ({name}: {there}, now {here}); run all networks again"
            )
    return earlier


def joined(earlier: Results, results: Results) -> Results:
    """Return the results with the other lines of an earlier run; the machine is the last one."""
    lines = {_budget(line): line for line in earlier["lines"]} | {_budget(line): line for line in results["lines"]}
    return {
        **results,
        "command": f"{earlier['command']} && {results['command']}",
        "clean_accuracy": earlier["clean_accuracy"] | results["clean_accuracy"],
        "lines": list(lines.values()),
        "goals": goals(list(lines.values())),
    }


def _budget(line: Results) -> tuple[str, str, float]:
    return line["network"], line["norm"], line["eps"]


def picture(results: Results) -> Figure:
    """Return the accuracy that each attack leaves against its passes, as the mean over the lines of each norm."""
    norms = list(dict.fromkeys(line["norm"] for line in results["lines"]))
    passes = np.geomspace(1, 1e4, 200)
    with drawing.style(), palette.methods((OURS, THEIRS, PGD)):
        figure, panels = drawing.panels(len(norms), columns=2, height=2.9, sharey=True)
        for axes, norm in zip(panels, norms, strict=True):
            lines = [line for line in results["lines"] if line["norm"] == norm]
            for suite in (OURS, THEIRS, PGD):
                every = [
                    _accuracy(line[suite]["curve"], results["clean_accuracy"][_place(line)], passes) for line in lines
                ]
                look = palette.line(suite, (OURS, THEIRS, PGD)) | {"marker": ""}
                mean, end = np.mean(every, axis=0), np.mean([line[suite]["curve"][-1][0] for line in lines])
                axes.plot(passes, mean, label=suite, drawstyle="steps-post", **look)
                axes.plot(end, mean[-1], "o", color=look["color"])
            axes.set(xscale="log", xlabel="passes per image", title=f"{norm}, races: {len(lines)}")
        panels[0].set_ylabel("accuracy left")
        panels[0].legend()
        drawing.headline(figure, "Mean accuracy left after as many passes; dots: all passes")
    return figure


def _accuracy(curve: list[list[float]], clean: float, passes: np.ndarray[Any, Any]) -> list[float]:
    """Return what a curve has come down to after each of some passes; at first the clean accuracy."""
    return [min([clean, *(left for taken, left in curve if taken <= most)]) for most in passes]


def _place(line: Results) -> str:
    return f"{line['network']} {line['norm']}"


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (
            f"{line['network']} ({results['clean_accuracy'][_place(line)]:.1%})",
            f"{line['norm']} {line['eps']:g}",
            *(f"{line[suite]['robust_accuracy']:.1%}" for suite in SUITES),
            f"{100 * line['more_left']:+.1f}",
            *(f"{line[suite]['passes']:,.0f}" for suite in SUITES),
            f"{line['share_of_passes']:.2f}",
        )
        for line in results["lines"]
    ]
    what = (
        f"{results['images']} digits that no network was trained on. A lower robust accuracy is a stronger attack. A pass is"
        " one image through the network, forward or backward, on average over all images."
    )
    columns = (
        "network (clean accuracy)", "budget", "left: ours", "left: AutoAttack", "points more", "passes: ours",
        "passes: AutoAttack", "ratio",
    )  # fmt: skip
    return racing.page("Robust accuracy: ours and AutoAttack's", what, results, racing.table(columns, rows), PICTURE)


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--norms", nargs="+", choices=EPS, default=list(EPS))
    parser.add_argument("--eps", nargs="+", type=float, help="only these of the budgets")
    parser.add_argument("--add", action="store_true", help="keep the other lines of the earlier table")
    parser.add_argument("--keep", type=Path, help="folder for networks and results, to run the race in slices")
    options = parser.parse_args()
    racing.begin(options.threads)
    keep = options.keep and options.keep.resolve()
    table = options.out / "attack_strength.json"
    earlier = same_race(json.loads(table.read_text()), options.images) if options.add else None
    results = measured(options.images, options.networks, options.norms, keep=keep, eps=options.eps)
    results = joined(earlier, results) if earlier else results
    racing.write(options.out, "attack_strength", results, page(results))
    (options.out / "attack_strength.svg").write_bytes(drawing.svg(picture(results), "attack_strength"))


if __name__ == "__main__":
    main()
