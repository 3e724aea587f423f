"""Attack images of `evaluate`'s evidence again: as its author says that they were attacked, and with the whole suite."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import special
from torch import nn

from touchstone.api.attacked_rows import STREAM, Effort, attack_rows
from touchstone.api.evaluation_checks import failed
from touchstone.api.evaluation_evidence import ROWS, Record
from touchstone.audit import attacked_again
from touchstone.audit.evaluation_images import OwnSet
from touchstone.audit.problems import CHALLENGE, Result, counted
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.sanity_checks import CHECKS
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import Array, ExampleSet

ROUNDING = 0.02  # of the images: an attack repeated on another processor may end otherwise at so many
SIGNIFICANT = 0.005  # probability with which an honest file may be found wrong, per check of its attacks


class Sample(NamedTuple):
    """How many images a verifier attacks again, and the seed of their choice."""

    images: int
    seed: int


@dataclass(frozen=True)
class Claim:
    """What an evidence file says of its robust accuracy.

    Attributes:
        clean: The images before the attack.
        rows: The masks of `evaluate`.
        record: How it attacked.
        eps: The radius.
        low: The lower end of the interval of the robust accuracy.
    """

    clean: ExampleSet
    rows: dict[str, Array]
    record: Record
    eps: float
    low: float


def repeat(
    claim: Claim, network: nn.Module, sample: Sample, stated: tuple[str, ...], device: str, result: Result
) -> None:
    """Attack some of all images in the way that the author states, and compare what is left of each.

    Args:
        claim: What the evidence says.
        network: The verifier's copy of the model.
        sample: How many images, and which.
        stated: The checks that failed, in words, as the evidence's masks give them.
        device: Where the network is.
        result: Receives what was done, and the problems.
    """
    started, record, count = time.monotonic(), claim.record, len(claim.clean)
    if record.stand_in:
        result.unchecked.append("whether its attacks were those of its record: they followed another model, `backward`")
        return
    rows = attacked_again.draw(np.arange(count), sample.images, sample.seed)
    again = _attacked(network, claim.clean.images[rows], claim.clean.labels[rows], rows, claim, device)
    robust = claim.rows["robust"][rows]  # attacks of the author's own may have fooled more, and the predictions show it
    again |= {"loss_rises": again["loss_rises"] | ~robust, "large_eps": again["large_eps"] & robust}
    del again["robust"]
    others = np.zeros(len(rows), bool)
    for name, mask in again.items():
        differing = mask != claim.rows[name][rows]
        others |= differing
        if differing.sum() > 1 and intervals.exact(int(differing.sum()), len(rows))[0] > ROUNDING:
            first = int(np.argmax(differing))
            result.add(
                CHALLENGE,
                f"{ROWS}, {name}",
                f"{int(differing.sum())} of {counted(len(rows), 'image')}, attacked again as its author says, end otherwise:"
                f" image {rows[first]} is stated as {int(not mask[first])}, and is {int(mask[first])}",
            )
    found = failed({name: float(mask.mean()) for name, mask in (again | {"robust": again["black_box"]}).items()}, 0.0)
    for name in _clearly_failed(again):
        words = next((each for each in found if each.startswith(CHECKS[name].words)), "")
        if words and not any(each.startswith(CHECKS[name].words) for each in stated):
            result.add(
                CHALLENGE,
                "failed_checks",
                f"on {counted(len(rows), 'image')}, a check fails that it does not list: {words}",
            )
    effort = f"{record.steps} steps, {record.restarts} restarts, {record.queries} queries"
    result.challenged.append(
        f"{len(rows):,} of {counted(count, 'image')}, drawn at random, were attacked as its author says ({effort}):"
        f" {int(others.sum())} end otherwise under one of the attacks ({time.monotonic() - started:.0f} s)"
    )


def _attacked(
    network: nn.Module, images: Array, labels: Array, ids: Array, claim: Claim, device: str
) -> dict[str, Array]:
    """Return the masks that the attack of an evidence file's record gives on images."""
    effort = Effort(claim.record.steps, claim.record.restarts, claim.record.queries)
    parts = []
    for part in np.array_split(np.arange(len(images)), -(-len(images) // attacked_again.BATCH)):
        streams = RandomStreams(claim.record.seed, STREAM, torch.from_numpy(ids[part]).to(device))
        pixels, classes = (torch.from_numpy(array[part]).to(device) for array in (images, labels))
        with torch.no_grad():
            masks, _ = attack_rows(network, pixels, classes, streams, eps=claim.eps, effort=effort)
        parts.append(masks)
    return {name: torch.cat([masks[name] for masks in parts]).cpu().numpy() for name in parts[0]}


def _clearly_failed(masks: dict[str, Array]) -> list[str]:
    """Return the checks that images drawn at random fail so clearly that all images of the evidence do."""
    count = len(masks["clean"])
    shares = {
        "left_at_large_eps": int(masks["large_eps"].sum()),
        "worse_than_black_box": int((masks["white_box"] & ~masks["black_box"]).sum()),
        "loss_rises": int((~masks["loss_rises"]).sum()),
    }
    bounds = {name: 1 - check.bound if check.least else check.bound for name, check in CHECKS.items()}
    # P(at least so many | the bound)
    return [
        name for name, hits in shares.items() if hits and special.bdtrc(hits - 1, count, bounds[name]) < SIGNIFICANT
    ]


def suite(claim: Claim, network: nn.Module, sample: Sample, device: str, result: Result) -> None:
    """Attack some of the images that are said to be robust with the whole suite.

    Args:
        claim: What the evidence says.
        network: The verifier's copy of the model.
        sample: How many images, and which.
        device: Where the network is.
        result: Receives what was done, and the contradiction.
    """
    if not claim.rows["robust"].any():
        return
    images, labels = (torch.from_numpy(array).to(device) for array in (claim.clean.images, claim.clean.labels))
    found = attacked_again.challenge(
        network, images, labels, claim.rows["robust"], eps=claim.eps, count=sample.images, seed=sample.seed
    )
    result.challenged.append(str(found))
    if problem := attacked_again.contradiction(found, claim.clean.example_ids, claim.low):
        result.add(CHALLENGE, "robust_accuracy", problem)


def others(
    claim: Claim, network: nn.Module, own: OwnSet, left_out: Array, sample: Sample, device: str, result: Result
) -> None:
    """Attack some of the verifier's images that the evidence leaves out: are the ones that it kept easier?

    Args:
        claim: What the evidence says.
        network: The verifier's copy of the model.
        own: The verifier's set.
        left_out: Its rows that the evidence lacks.
        sample: How many images, and which.
        device: Where the network is.
        result: Receives what was done, and the contradiction.
    """
    started = time.monotonic()
    rows = attacked_again.draw(left_out, sample.images, sample.seed)
    masks = _attacked(network, own.images[rows], own.labels[rows], rows, claim, device)
    hits = int(masks["robust"].sum())
    _, high = intervals.exact(hits, len(rows))
    result.challenged.append(
        f"{len(rows):,} of the {counted(len(left_out), 'image')} of {own.name} that it leaves out were attacked in the same"
        f" way: {hits} are robust ({time.monotonic() - started:.0f} s)"
    )
    if high < claim.low:
        result.add(
            CHALLENGE,
            "robust_accuracy",
            f"its images are no fair choice from {own.name}: of {counted(len(rows), 'image')} that it leaves out, at most"
            f" {100 * high:.1f} % are robust; row {rows[np.argmin(masks['robust'])]} is not. The interval begins at"
            f" {100 * claim.low:.1f} %",
        )
