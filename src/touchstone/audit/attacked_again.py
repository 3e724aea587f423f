"""Attack some images again with the attack suite: which of those that are said to be robust are not, and what follows."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from touchstone.attacks.adversary.budgets import check_budget
from touchstone.attacks.adversary.perturbations import Norm
from touchstone.attacks.attack_suite import attack_suite
from touchstone.audit.problems import counted
from touchstone.contracts import Model
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE
from touchstone.numerics.tensors import RandomStreams, batches
from touchstone.records.nouns import Array

DEFAULT = 64  # images: if 4.6 % of those that are said to be robust can be fooled, it meets one with probability .95
POWER = 0.95
BATCH = 64
STREAM = "challenge"


@dataclass(frozen=True)
class Challenge:
    """What the suite did to a sample of the images that are said to be robust.

    Attributes:
        rows: (n,), which images were attacked, in rising order.
        fallen: (n,), which of them the suite fooled.
        among: how many are said to be robust.
        seconds: how long it took.
    """

    rows: Array
    fallen: Array
    among: int
    seconds: float

    @property
    def count(self) -> int:
        """How many images the suite fooled."""
        return int(np.count_nonzero(self.fallen))

    def __str__(self) -> str:
        first = f", first image {self.rows[np.argmax(self.fallen)]}" if self.count else ""
        return (
            f"{len(self.rows):,} of the {counted(self.among, 'image')} that are said to be robust, drawn at random, were"
            f" attacked again with the attack suite: it fooled {self.count}{first}. {noticed(len(self.rows), self.among)}"
            f" ({self.seconds:.0f} s)"
        )


def fresh_seed() -> int:
    """Return a seed that nobody could know before: the system draws it."""
    return secrets.randbits(32)


def noticed(drawn: int, among: int) -> str:
    """Return in words which share of images a sample notices: all of them, or one that it misses with probability .05.

    Args:
        drawn: How many images were attacked.
        among: Of how many.
    """
    if drawn == among:
        return "These are all"
    share = 1 - (1 - POWER) ** (1 / drawn)
    return f"If {100 * share:.1f} % of all can be fooled, it meets one with probability {POWER}"


def draw(rows: Array, count: int, seed: int) -> Array:
    """Return some rows at random, in rising order; all of them if there are no more.

    Args:
        rows: To draw from.
        count: How many.
        seed: Of the draw. No author may know it: see `fresh_seed`.
    """
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def challenge(
    model: Model,
    images: Tensor,
    labels: Tensor,
    robust: Array,
    *,
    eps: float,
    norm: Norm = "linf",
    seed: int,
    count: int = DEFAULT,
) -> Challenge:
    """Attack some of the images that are said to be robust with the attack suite at its defaults.

    Args:
        model: Images in [0, 1] to logits (N, K), in eval mode.
        images: (N, C, H, W) before any attack, where the model is.
        labels: (N,).
        robust: (N,) mask of those that are said to be robust.
        eps: The radius in which they are said to be.
        norm: Of the change.
        seed: Of the sample and of the attacks.
        count: How many to attack; at least 1.

    Raises:
        ValueError: The suite left its budget.
    """
    started = time.monotonic()
    among = np.flatnonzero(robust)
    rows = draw(among, count, seed)
    fallen = []
    for (part,) in batches(BATCH, torch.from_numpy(rows).to(images.device)):
        before, expected = images[part], labels[part]
        after = attack_suite(model, before, expected, RandomStreams(seed, STREAM, part), eps=eps, norm=norm)
        check_budget("the challenge", before, after, eps, norm)
        with torch.no_grad():
            fallen.append(model(after).argmax(1) != expected)
    return Challenge(rows, torch.cat(fallen).cpu().numpy(), len(among), time.monotonic() - started)


def contradiction(found: Challenge, ids: Array, low: float, tests: int = 1) -> str:
    """Return in words how a challenge contradicts a stated share of robust images; "" if it does not.

    The stated share is contradicted if the largest one that the fooled images allow is below its interval. An honest file
    is contradicted with probability .025 at most, over all its tests.

    Args:
        found: What the suite fooled.
        ids: The id of each image that the share is of, (N,).
        low: The lower end of its interval.
        tests: How many shares of the file are tested.
    """
    if not found.count:
        return ""
    count, drawn = found.count, len(found.rows)
    confidence = 1 - (1 - CONFIDENCE) / tests
    least = count / drawn if drawn == found.among else intervals.exact(count, drawn, confidence)[0]
    most = found.among / len(ids) * (1 - least)
    if most >= low:
        return ""
    first = found.rows[np.argmax(found.fallen)]
    return (
        f"image {ids[first]} is said to be robust, and the attack suite fools it: {found.count} of {drawn} such images fell,"
        f" so at most {100 * most:.1f} % of all are robust; its interval begins at {100 * low:.1f} %"
    )
