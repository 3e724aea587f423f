"""Verify the evidence of one call of `evaluate`, with the model and the images from elsewhere."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from touchstone.api.attacked_rows import LARGE_EPS
from touchstone.api.evaluation_evidence import KIND, LONGEST, SETS, Record, too_many_copies
from touchstone.attacks.adversary.budgets import check_budget
from touchstone.audit import (
    attacked_again,
    evaluation_challenge,
    evaluation_images,
    evaluation_rows,
    own_models,
)
from touchstone.audit.budget_checks import check_rows
from touchstone.audit.evaluation_challenge import Claim, Sample
from touchstone.audit.problems import BUDGET, BYTES, CHALLENGE, DATA, RECOMPUTATION, SETTINGS, Result, counted
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.wording import bracketed, plain, written
from touchstone.provenance import archive
from touchstone.records import encoding
from touchstone.records.nouns import Array, ExampleSet, Outputs

__all__ = ["KIND", "verify"]
FRACTION = "fraction"
ACCURACIES = ("clean_accuracy", "robust_accuracy")
ABOUT = {"eps", "norm", "attack", "failed_checks", *ACCURACIES}


def verify(
    path: Path,
    models: list[str],
    device: str,
    *,
    trust_code: bool = False,
    challenge: int | None = None,
    seed: int | None = None,
    data: str | None = None,
) -> Result:
    """Return what holds of an evaluation's evidence and what does not.

    Args:
        path: The evidence file.
        models: The verifier's copy of the model, a file; none, if there is no copy.
        device: What to compute on.
        trust_code: Whether the model's file may run its code.
        challenge: How many images to attack again, 0 for none; by default some.
        seed: Of the choice of these images; by default the system's, so that no author can know it.
        data: The images with labels that the evidence has to be about: what `touchstone assay --data` takes.

    Raises:
        ValueError: The file is no whole evidence file, or the model or the images cannot be opened.
    """
    if len(models) > 1:
        raise ValueError("--model: an evaluation has one model; name one file")
    started = time.monotonic()
    own = evaluation_images.read(data) if data else None
    sample = Sample(
        attacked_again.DEFAULT if challenge is None else challenge,
        attacked_again.fresh_seed() if seed is None else seed,
    )
    with tempfile.TemporaryDirectory(prefix="touchstone-verify-") as name:
        folder = Path(name)
        evidence, damaged = archive.unpack(path, folder)
        result = Result(evidence.digest)
        for file, problem in damaged:
            result.add(BYTES, file, problem)
        nouns = _nouns(folder, result)
        if nouns is not None:
            network = _network(models, nouns[0]["clean"], folder, device, trust_code)
            _check(evidence.about, *nouns, models, network, own, sample, device, folder, result)
    result.seconds = time.monotonic() - started
    return result


def _nouns(folder: Path, result: Result) -> tuple[dict[str, ExampleSet], dict[str, Outputs]] | None:
    examples: dict[str, ExampleSet] = {}
    outputs: dict[str, Outputs] = {}
    for name in SETS:
        for suffix, kind in (("", ExampleSet), ("_logits", Outputs)):
            file = f"{name}{suffix}.safetensors"
            with result.reading(BYTES, file, "cannot be read"):
                noun = encoding.decode((folder / file).read_bytes(), kind)
                if suffix:
                    outputs[name] = noun
                else:
                    examples[name] = noun
    return (examples, outputs) if len(examples) == len(outputs) == len(SETS) else None


def _network(models: list[str], clean: ExampleSet, folder: Path, device: str, trust_code: bool) -> nn.Module | None:
    if not models:
        return None
    shape = clean.images.shape[1:]
    plain = [0.0] * shape[0], [1.0] * shape[0]
    return own_models.network(models[0], shape, *plain, folder, device, trust_code=trust_code)


def _check(
    about: dict[str, Any],
    examples: dict[str, ExampleSet],
    outputs: dict[str, Outputs],
    models: list[str],
    network: nn.Module | None,
    own: evaluation_images.OwnSet | None,
    sample: Sample,
    device: str,
    folder: Path,
    result: Result,
) -> None:
    clean, attacked = (examples[name] for name in SETS)
    if about.keys() != ABOUT:
        differing = ", ".join(sorted(about.keys() ^ ABOUT))[:200]
        result.add(SETTINGS, archive.MANIFEST, f"says less or more than evaluate writes: {differing}")
    eps = _check_budget(about, clean, attacked, result)
    if problem := too_many_copies(clean.images):
        result.add(DATA, "clean.safetensors", problem)
    if network is not None:
        for name in SETS:
            with result.reading(RECOMPUTATION, f"{name}_logits.safetensors", f"is not what {models[0]} gives"):
                own_models.compare(network, examples[name], outputs[name], device)
                result.proved.append(f"{counted(len(clean), 'prediction')} of {name} images are what {models[0]} gives")
    right = _right(examples, outputs, result)
    if right is not None:
        hits = (right["clean"], right["clean"] & right["attacked"])
        for name, rows in zip(ACCURACIES, hits, strict=True):
            _check_accuracy(name, about, rows, result)
    masks, record = evaluation_rows.read(folder, len(clean), result), _record(about, result)
    failed: tuple[str, ...] = ()
    if masks is not None and record is not None:
        if right is not None and clean.images.shape == attacked.images.shape:
            evaluation_rows.check(masks, right, (clean, attacked), record.further, result)
        failed = evaluation_rows.check_checks(about, masks, result)
    own = None if own is None else evaluation_images.renumbered(clean, own, result)
    rest = None if own is None else evaluation_images.left_out(clean, own, result)
    if network is not None and sample.images and eps is not None and masks is not None and record is not None:
        claim = Claim(clean, masks, record, eps, _low(about))
        result.challenged.append(
            f"the images below are those of --seed {sample.seed}, with --challenge {sample.images}"
        )
        with result.reading(CHALLENGE, "clean.safetensors", "cannot be attacked again"):
            evaluation_challenge.repeat(claim, network, sample, failed, device, result)
            evaluation_challenge.suite(claim, network, sample, device, result)
            if own is not None and rest is not None and len(rest):
                evaluation_challenge.others(claim, network, own, rest, sample, device, result)
    _say_what_is_unchecked(network is not None, own, rest, sample, result)
    weak = ", so the attack was too weak" if masks is not None and masks["robust"].any() else ""  # 0 cannot be lowered
    result.trusted += [f"its own check failed{weak}: {check}" for check in failed]


def _say_what_is_unchecked(
    has_model: bool, own: evaluation_images.OwnSet | None, rest: Array | None, sample: Sample, result: Result
) -> None:
    if not has_model:
        result.unchecked.append("the logits, and whether its attacks were weak: bring the model with --model FILE")
    elif not sample.images:
        result.unchecked.append("whether its attacks were weak: attack some images again with --challenge 64")
    if own is None:
        result.unchecked.append(
            "which images and labels these are, and whether some were left out: an author can keep the easy ones, or call"
            " each image what the model says. Bring the set that they should be from, with --data PATH"
        )
    elif rest is not None and len(rest) and not (has_model and sample.images):
        result.unchecked.append(f"whether the {len(rest):,} images of {own.name} that it leaves out are harder")
    result.unchecked.append("whether the model learned from these images: the file lacks what it learned from")
    result.trusted.append("that no stronger attack exists: the robust accuracy is an upper bound")


def _check_budget(about: dict[str, Any], clean: ExampleSet, attacked: ExampleSet, result: Result) -> float | None:
    """Check the attacked images against the clean ones; return the radius, None if it is none."""
    radius = None
    with result.reading(BUDGET, "attacked.safetensors", "is not what it has to be"):
        eps = float(about["eps"])
        if not 0 < eps < LARGE_EPS or about["norm"] != "linf":
            raise ValueError(f"its budget is {about['norm']} {eps:g}, expected linf, above 0 and below {LARGE_EPS}")
        radius = eps
        for what in ("labels", "example_ids"):
            check_rows(what, getattr(attacked, what), getattr(clean, what))
        check_rows("example_ids", clean.example_ids, np.arange(len(clean)))
        check_budget("the attack", torch.from_numpy(clean.images), torch.from_numpy(attacked.images), eps)
        result.proved.append(
            f"{len(attacked):,} attacked images have their clean image's label, and are within {eps:g} of it"
        )
    return radius


def _record(about: dict[str, Any], result: Result) -> Record | None:
    with result.reading(SETTINGS, archive.MANIFEST, "does not say how evaluate attacked"):
        stated = Record(**about["attack"])
        for name, value, most in zip(Record._fields, stated, LONGEST, strict=True):
            if type(value) is not type(most) or not 0 <= value <= most:
                raise ValueError(f"its {name} is {str(value)[:40]!r}, expected at most {most:,}")
        return stated
    return None


def _low(about: dict[str, Any]) -> float:
    """Return the lower end of the stated interval; 0, which nothing contradicts, if there is none."""
    try:
        low = float(about["robust_accuracy"]["low"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return low if math.isfinite(low) else 0.0


def _right(examples: dict[str, ExampleSet], outputs: dict[str, Outputs], result: Result) -> dict[str, Array] | None:
    """Return which predictions are right, of each set; None if the logits are of other rows."""
    right = {}
    for name in SETS:
        with result.reading(RECOMPUTATION, f"{name}_logits.safetensors", "belongs to other rows"):
            for what in ("labels", "example_ids"):
                check_rows(what, getattr(outputs[name], what), getattr(examples[name], what))
            right[name] = outputs[name].predictions == examples[name].labels
    return right if len(right) == len(SETS) and len({len(rows) for rows in right.values()}) == 1 else None


def _check_accuracy(name: str, about: dict[str, Any], right: Array, result: Result) -> None:
    """Check an accuracy and the ends of its interval against the predictions."""
    with result.reading(RECOMPUTATION, name, "cannot be compared"):
        computed = intervals.binomial(int(np.count_nonzero(right)), len(right))
        for end in ("value", "low", "high"):
            stated, expected = float(about[name][end]), getattr(computed, end)
            if not math.isclose(stated, expected, rel_tol=1e-9, abs_tol=1e-9):
                result.add(RECOMPUTATION, name, f"its {end} is {stated:.6g}; the predictions give {expected:.6g}")
                return
        shown = plain(f"{written(computed.value, FRACTION)} {bracketed(computed.low, computed.high, FRACTION)}")
        result.proved.append(f"{name.replace('_', ' ')} is {shown}, from the predictions")
