"""Verify the evidence of one call of `evaluate`, with the model from elsewhere."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from touchstone.adversary.budgets import check_budget
from touchstone.api.evaluation_evidence import KIND, SETS
from touchstone.evidence import own_models
from touchstone.evidence.budget_checks import check_rows
from touchstone.evidence.problems import BUDGET, BYTES, RECOMPUTATION, Result, counted
from touchstone.evidence_files import archive
from touchstone.records import encoding
from touchstone.records.nouns import Array, ExampleSet, Outputs
from touchstone.statistics import intervals
from touchstone.statistics.wording import bracketed, plain, written

__all__ = ["KIND", "verify"]
FRACTION = "fraction"
ACCURACIES = ("clean_accuracy", "robust_accuracy")


def verify(path: Path, models: list[str], device: str, *, trust_code: bool = False) -> Result:
    """Return what holds of an evaluation's evidence and what does not.

    Args:
        path: The evidence file.
        models: The verifier's copy of the model, a file; none, if there is no copy.
        device: What to compute on.
        trust_code: Whether the model's file may run its code.

    Raises:
        ValueError: The file is no whole evidence file, or the model cannot be opened.
    """
    if len(models) > 1:
        raise ValueError("--model: an evaluation has one model; name one file")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="touchstone-verify-") as name:
        folder = Path(name)
        evidence, damaged = archive.unpack(path, folder)
        result = Result(evidence.digest)
        for file, problem in damaged:
            result.add(BYTES, file, problem)
        nouns = _nouns(folder, result)
        if nouns is not None:
            _check(evidence.about, *nouns, models[0] if models else None, device, folder, result, trust_code)
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


def _check(
    about: dict[str, Any],
    examples: dict[str, ExampleSet],
    outputs: dict[str, Outputs],
    model: str | None,
    device: str,
    folder: Path,
    result: Result,
    trust_code: bool,
) -> None:
    clean, attacked = (examples[name] for name in SETS)
    with result.reading(BUDGET, "attacked.safetensors", "is not what it has to be"):
        eps = float(about["eps"])
        if not 0 < eps < 1 or about["norm"] != "linf":
            raise ValueError(f"its budget is {about['norm']} {eps:g}, expected linf and a share of the pixel range")
        for what in ("labels", "example_ids"):
            check_rows(what, getattr(attacked, what), getattr(clean, what))
        check_budget("the attack", torch.from_numpy(clean.images), torch.from_numpy(attacked.images), eps)
        result.proved.append(
            f"{len(attacked):,} attacked images have their clean image's label, and are within {eps:g} of it"
        )
    if model is None:
        result.unchecked.append("the logits: bring the model with --model FILE")
    else:
        shape = clean.images.shape[1:]
        plain = [0.0] * shape[0], [1.0] * shape[0]
        network = own_models.network(model, shape, *plain, folder, device, trust_code=trust_code)
        for name in SETS:
            with result.reading(RECOMPUTATION, f"{name}_logits.safetensors", f"is not what {model} gives"):
                own_models.compare(network, examples[name], outputs[name], device)
                result.proved.append(f"{counted(len(clean), 'prediction')} of {name} images are what {model} gives")
    right = {}
    for name in SETS:
        with result.reading(RECOMPUTATION, f"{name}_logits.safetensors", "belongs to other rows"):
            for what in ("labels", "example_ids"):
                check_rows(what, getattr(outputs[name], what), getattr(examples[name], what))
            right[name] = outputs[name].predictions == examples[name].labels
    if len(right) == len(SETS):
        hits = (right["clean"], right["clean"] & right["attacked"])
        for name, rows in zip(ACCURACIES, hits, strict=True):
            _check_accuracy(name, about, rows, result)
    result.trusted.append("that no stronger attack exists: the robust accuracy is an upper bound")
    result.trusted.append("that the images are those that it claims to be about, and not trained on")
    failed = about.get("failed_checks")
    weak = ", so the attack was too weak" if len(right) == len(SETS) and hits[1].any() else ""  # 0 cannot be lowered
    for check in failed if isinstance(failed, list) else []:
        result.trusted.append(f"its own check failed{weak}: {check}")


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
