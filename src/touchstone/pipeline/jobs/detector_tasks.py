"""The tasks of detectors: fit one, and score a set; what cannot be fitted or scored is left out."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from touchstone import registry
from touchstone.messages import first_line
from touchstone.pipeline.jobs.independent_rows import check_independent_rows
from touchstone.pipeline.jobs.job import Job, bound
from touchstone.provenance.job_folders import name_of


def scored_rows(job: Job) -> tuple[Any, Any]:
    """Return the Outputs and the ExampleSet that a detector's task scores; a task has one of them, or both."""
    return job.noun("outputs", "Outputs"), job.noun("examples", "ExampleSet")


def scorer(job: Job) -> Callable[..., Any]:
    """Return the function that scores Outputs and an ExampleSet, either of which may be None, with a Detector."""
    from touchstone.pipeline.steps.score import score

    block = job.settings["component"]
    call = registry.used(block["use"]).call
    return functools.partial(
        score,
        scorer=bound(block, tuple(call.settings)),
        data=call.data,
        label=block.get("label"),
        model=job.model(),
        batch_size=job.settings["batch_size"],
        device=job.settings["device"],
    )


def _left_out(job: Job, reason: str) -> Exception:
    """Return the error that leaves out what a detector's task would write, after a line on stderr."""
    from touchstone.records.nouns import LeftOutError

    print(f"touchstone: {job.task.output}: left out: {reason}", file=sys.stderr)
    return LeftOutError(reason)


def run_fit(job: Job) -> None:
    """Fit a detector, or leave it out if it cannot be fitted."""
    import torch

    from touchstone.pipeline.steps.fit import fit

    block = job.settings["component"]
    fitted = registry.used(block["use"]).fit
    outputs, sets = job.nouns("anomalous_outputs", "Outputs"), job.nouns("anomalous_examples", "ExampleSet")
    count, score = max(len(outputs), len(sets)), scorer(job)
    arguments = {
        "fitter": None if fitted is None else bound(block, tuple(fitted.settings), registry.load_fit(block["use"])),
        "data": () if fitted is None else fitted.data,
        "fit_on": (job.noun("fit_outputs", "Outputs"), job.noun("fit_examples", "ExampleSet")),
        "anomalous": list(zip(outputs or [None] * count, sets or [None] * count, strict=True)),
        "label": block.get("label"),
        "model": job.model(),
        "seed": job.settings["seed"],
        "false_positive_rates": job.settings["false_positive_rates"],
        "settings": block,
        "device": job.settings["device"],
    }
    try:
        detector = fit(lambda detector: score(*scored_rows(job), detector), **arguments)  # reads its rows after the fit
    except (ValueError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
        raise _left_out(job, f"{_named(job.task.output)} cannot be fitted: {first_line(error)}") from error
    job.write(detector)


def _named(detector: str) -> str:
    """Return the words for a detector: the entry, and its network."""
    _, network, entry = name_of(detector).split("/")
    return f"detector {entry} of {network}"


def run_score(job: Job) -> None:
    """Score a set with a fitted detector, or leave out its scores if they are not finite."""
    from touchstone.pipeline.steps.score import APART, columns_of
    from touchstone.records.nouns import ContractError

    score, rows = functools.partial(scorer(job), detector=job.noun("detector", "Detector")), scored_rows(job)
    try:
        scores = score(*rows)
    except ContractError as error:
        examples = name_of(job.task.output).split("/", 3)[3]
        detector = _named(str(job.task.inputs["detector"]))
        raise _left_out(job, f"{detector} has no scores of {examples}: {first_line(error)}") from error
    block = job.settings["component"]
    names = tuple(name for name in registry.used(block["use"]).call.data if name not in APART)
    read = columns_of(*rows, names, block.get("label"))
    check_independent_rows(block["use"], score, *rows, scores.scores, read)
    job.write(scores)
