"""Who judges a defence: touchstone out of the box, AutoAttack, the felling attack, and the best that is known.

Every judge returns a `Cell`: which of the images stay right or rejected, what the judge says in its own words, and the
passes through the model. Nobody tells touchstone what the defence is. It gets the model, or the model and the score that it
rejects by, as it would from its author.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pyautoattack.autoattack import AutoAttack
from torch import Tensor, nn

import racing
import touchstone
from fallen_defences.defence import Defence
from fallen_defences.lab import Base
from racing import Rows
from touchstone.api import gate
from touchstone.attacks.adaptive.evasion_suite import evasion_suite
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.square import square
from touchstone.digests import sha256
from touchstone.evaluations.statistics.sanity_checks import CHECKS
from touchstone.numerics.tensors import RandomStreams, batches, frozen
from touchstone.provenance import code

BATCH, DRAWS = 100, 20
ASKS_FOR_DRAWS = "draws=20"  # in the words of a warning or a refusal
TENFOLD = {"steps": 200, "restarts": 200, "queries": 15_000}
SQUARE_QUERIES = 5_000
# Checks in which some attack does better than the one that is trusted: a measured gap.
MEASURED = tuple(check.words for name, check in CHECKS.items() if name.startswith(("worse_than", "evades_less")))


class Cell(NamedTuple):
    """What a judge has found.

    Attributes:
        left: which images stay right or rejected, (N,) bool; None if it refuses the defence, so prints no number.
        says: its warnings, failed checks or refusal.
        passes: through the model, per image.
        gap: a warning rests on an attack or probe that does better than another.
    """

    left: Tensor | None
    says: list[str]
    passes: float
    gap: bool = False


class Subject(NamedTuple):
    """A defence under judgement, the images that attack it, and the networks that images are transferred from."""

    defence: Defence
    rows: Rows
    eps: float
    bases: tuple[Base, ...]

    def survivors(self, images: Tensor) -> Tensor:
        """Return which images stay right or rejected once attacked, after clipping them to the budget, (N,) bool."""
        inside = images.clamp(self.rows.images - self.eps, self.rows.images + self.eps).clamp(0, 1)
        parts = batches(BATCH, inside, self.rows.images, self.rows.labels)
        # An image that is wrong when clean is right under no attack, whatever a detector says of the attacked one.
        return torch.cat([self.defence.right(part, y) & self.defence.right(clean, y) for part, clean, y in parts])


def by_touchstone(subject: Subject) -> Cell:
    """Judge as a user does: with nothing but the defaults, and then what the first answer asks for."""
    if subject.defence.score is not None:
        return _guarded(subject)
    cell, attacked = _evaluated(subject)
    if any(ASKS_FOR_DRAWS in words for words in cell.says):
        more, attacked = _evaluated(subject, draws=DRAWS)
        cell = more._replace(says=[*cell.says, *more.says], passes=cell.passes + more.passes)
    return cell if attacked is None else cell._replace(left=subject.survivors(attacked))


def _evaluated(subject: Subject, **settings: Any) -> tuple[Cell, Tensor | None]:
    """Return what `touchstone.evaluate` says, and its attacked images; None if it refuses."""
    model, rows = subject.defence.model, subject.rows
    with warnings.catch_warnings(record=True) as caught, counted(model) as effort:
        warnings.simplefilter("always")
        try:
            result = touchstone.evaluate(
                model, rows.images, rows.labels, eps=subject.eps, batch_size=BATCH, progress=False, **settings
            )
        except (TypeError, ValueError) as refusal:
            return Cell(None, [str(refusal)], _passes(effort, rows)), None
    # An accuracy of 0 is exact, so `evaluate` lets it be trusted whatever the checks say.
    doubts = list(result.failed_checks) if result.robust_accuracy.value > 0 else []
    gap = any(words.startswith(MEASURED) for words in doubts)
    return Cell(None, [*(str(one.message) for one in caught), *doubts], _passes(effort, rows), gap), result.attacked


def _guarded(subject: Subject) -> Cell:
    """Attack a classifier beside a detector as an assay does, and compare with an attack that ignores the detector."""
    defence, rows = subject.defence, subject.rows
    with torch.no_grad():
        spread = float(torch.cat([defence.score(part) for (part,) in batches(BATCH, rows.images)]).std())  # type: ignore[misc]
    guard = Guarded(defence.model, defence.score, ("images",), {}, defence.threshold, max(spread, 1e-6), {})  # type: ignore[arg-type]
    with counted(defence.model) as effort:
        adaptive = subject.survivors(_each(evasion_suite, guard, rows, subject.eps))
        passes = _passes(effort, rows)
    oblivious = subject.survivors(_each(attack_suite, defence.model, rows, subject.eps))
    check, value = CHECKS["evades_less_than_oblivious"], float((adaptive.double() - oblivious.double()).mean())
    says = [] if check.passed(value) else [f"{check.in_words(value)}, asked {check.asked}"]
    return Cell(adaptive & oblivious, says, passes, bool(says))


def _each(attack: Callable[..., Tensor], target: object, rows: Rows, eps: float, **settings: Any) -> Tensor:
    """Return the images of one of our attacks."""
    return torch.cat(
        [
            attack(target, images, labels, RandomStreams(0, "attack", ids), eps=eps, **settings)
            for images, labels, ids in batches(BATCH, *rows)
        ]
    )


@cache
def _transferred(base: Base, eps: float) -> Tensor:
    """Return the images that our suite makes on an undefended network; every defence is shown the same."""
    return _each(attack_suite, base.network, base.lab.rows, eps)


def by_autoattack(subject: Subject, version: str = "standard") -> Cell:
    """Judge by the authors' AutoAttack. It knows no rejection, so it attacks the classifier alone."""
    model, rows = subject.defence.model, subject.rows
    with _logged("auto-attack") as says, counted(model) as effort, frozen(model):
        attack = AutoAttack(model, norm="Linf", eps=subject.eps, version=version, seed=0)
        attack.verbose = False
        try:
            images = attack.run_standard_evaluation(rows.images, rows.labels, batch_size=BATCH)[0]
        except RuntimeError as failure:  # no gradient reaches the images
            return Cell(None, [*says, str(failure).splitlines()[0]], _passes(effort, rows))
    gap = any("Square Attack has decreased" in words for words in says)
    return Cell(subject.survivors(images), list(dict.fromkeys(says)), _passes(effort, rows), gap)


def by_felling(subject: Subject) -> Cell:
    """Judge by the attack of the paper that felled the defence."""
    with counted(subject.defence.model) as effort:
        parts = [subject.defence.felling(x, y, subject.eps) for x, y in batches(BATCH, *subject.rows[:2])]
    return Cell(subject.survivors(torch.cat(parts)), [], _passes(effort, subject.rows))


def unattacked(subject: Subject) -> Cell:
    """Return which images are right or rejected as they come."""
    return Cell(subject.survivors(subject.rows.images), [], 0.0)


def by_weak(subject: Subject) -> Cell:
    """Judge by the published evaluation."""
    network = subject.defence.seen or subject.defence.model
    parts = [subject.defence.weak(network, x, y, subject.eps) for x, y in batches(BATCH, *subject.rows[:2])]
    return Cell(subject.survivors(torch.cat(parts)), [], 0.0)


def plain_by_weak(subject: Subject) -> Cell:
    """Judge the plain network by the same evaluation: what the defence is compared with."""
    plain = subject.bases[0].plain
    parts = [subject.defence.weak(plain, x, y, subject.eps) for x, y in batches(BATCH, *subject.rows[:2])]
    undefended = subject._replace(defence=Defence(plain, subject.defence.weak, subject.defence.felling))
    return Cell(undefended.survivors(torch.cat(parts)), [], 0.0)


def by_tenfold(subject: Subject) -> Cell:
    """Judge by ten times the budget. Of a random defence, draws are not multiplied, nor restarts."""
    defence, rows = subject.defence, subject.rows
    if defence.score is not None:
        guard = Guarded(defence.model, defence.score, ("images",), {}, defence.threshold, 1.0, {})  # type: ignore[arg-type]
        with counted(defence.model) as effort:
            images = _each(evasion_suite, guard, rows, subject.eps, steps=200, restarts=10, queries=2000)
        return Cell(subject.survivors(images), [], _passes(effort, rows))
    settings = {"draws": DRAWS, "steps": 200} if defence.drawn else TENFOLD
    cell, attacked = _evaluated(subject, **settings)
    return cell if attacked is None else cell._replace(left=subject.survivors(attacked))


def by_transfer(subject: Subject) -> Cell:
    """Judge by images that our suite made on the plain and on the adversarially trained network."""
    images = [_transferred(base, subject.eps)[:: subject.defence.share] for base in subject.bases]
    left = [subject.survivors(made) for made in images]
    return Cell(min(left, key=lambda rows: int(rows.sum())), [], 0.0)


def by_square(subject: Subject) -> Cell:
    """Judge by 5,000 queries of Square; with rejection it searches for images that are wrong and accepted."""
    defence = subject.defence
    if defence.drawn:  # a lucky draw would end the search
        return Cell(None, ["not for defences that draw random numbers"], 0.0)
    with counted(defence.model) as effort:
        model = _Refusing(defence) if defence.score else defence.model
        images = _each(square, model, subject.rows, subject.eps, queries=SQUARE_QUERIES)
    return Cell(subject.survivors(images), [], _passes(effort, subject.rows))


class _Refusing(nn.Module):
    """A defence with rejection for Square: the logits shrink towards equal as the score passes its threshold."""

    def __init__(self, defence: Defence) -> None:
        super().__init__()
        self.defence = defence

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, a thousandth of them where the image is rejected."""
        rejected = self.defence.score(images) > self.defence.threshold  # type: ignore[misc]
        return torch.where(rejected[:, None], self.defence.model(images) / 1000, self.defence.model(images))


JUDGES: dict[str, Callable[[Subject], Cell]] = {
    "clean": unattacked,
    "weak": by_weak,
    "plain": plain_by_weak,
    "touchstone": by_touchstone,
    "felling": by_felling,
    "autoattack": by_autoattack,
    "rand": lambda subject: by_autoattack(subject, "rand"),
    "transfer": by_transfer,
    "square": by_square,
    "tenfold": by_tenfold,
}
BEST = (
    "touchstone",
    "felling",
    "autoattack",
    "rand",
    "transfer",
    "square",
    "tenfold",
)  # the least of them is best known


def code_of(judge: str) -> str:
    """Return the digest of the code of a judge that is not here: results of other code are computed anew."""
    if judge in ("touchstone", "tenfold", "transfer", "square"):
        modules = ("attack_suite", "square", "fgsm", "pgd", "random_sign", "adaptive.evasion_suite")
        roots = tuple((f"touchstone.attacks.{name}", name.rpartition(".")[2]) for name in modules)
        around = b"".join(file.read_bytes() for file in sorted(Path(gate.__file__).parent.glob("*.py")))
        return code.code_from(roots).digest + sha256(around)
    return racing.version("pyautoattack") if judge in ("autoattack", "rand") else ""


def _passes(effort: Any, rows: Rows) -> float:
    return float((effort.forward + effort.gradient) / len(rows.ids))


@contextmanager
def _logged(name: str) -> Iterator[list[str]]:
    """Collect the warnings of a logger for a block."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
