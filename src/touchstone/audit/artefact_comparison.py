"""Compare an artefact with its recomputation, and what was trained with what is trained again."""

from __future__ import annotations

from typing import Any

from touchstone.audit import closeness, metric_comparison
from touchstone.audit.recomputation import BY_ROW, KINDS, Recomputation
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, ContractError, LeftOut, LeftOutError

TRIALS = 16  # recomputations with nudged weights before a difference becomes a finding


def compare_artefact(reader: Recomputation, task: Task) -> closeness.Closeness:
    """Check an artefact against its recomputation on another processor, and a detector against its calibration images.

    Args:
        reader: Of the folder with the artefact.
        task: What writes it.

    Raises:
        ValueError: Says what differs.
    """
    try:
        stated = reader.noun(task.output, KINDS[task.step])
    except LeftOutError:
        check_left_out(reader, task)
        return closeness.Closeness(exact=False)
    if task.step == "fit":
        calibrated = closeness.compare(stated, reader.calibration(task.output))
        return compare_with_training(reader, stated, task) if task.output in reader.fitted else calibrated
    if task.output in reader.fitted:
        return compare_with_training(reader, stated, task)
    return compare_with_recomputation(reader, stated, task)


def compare_with_recomputation(
    reader: Recomputation, stated: Any, task: Task, rows: Array | None = None, trials: int = TRIALS
) -> closeness.Closeness:
    """Check an artefact against its recomputation.

    A pixel at a tie of the 1/255 grid, or the gradient of a unit at the kink of its ReLU, jumps with the last bit of
    another processor. So a number is also accepted if a network with nudged weights gives it.

    Args:
        reader: Of the folder with the artefact.
        stated: The artefact, or some of its rows.
        task: What writes it.
        rows: The places of these rows; None for all.
        trials: Recomputations with nudged weights, at most.

    Raises:
        ValueError: Says what differs.
    """
    detectors, ordered = None, True
    if task.step == "score":
        file = str(task.inputs["detector"])
        detectors = reader.noun(file, "Detector"), reader.calibration(file)
        if file in reader.refits:
            refitted = reader.scores(task, reader.refits[file], rows)
            ordered = closeness.compare_fits("scores", stated.scores, refitted.scores, detectors[1])
    computed = reader.compute(task, rows)
    for _ in range(trials if task.step in BY_ROW else 0):
        try:
            close = closeness.compare(stated, computed, detectors)
            break
        except ValueError:
            computed = closeness.nearer(stated, computed, reader.compute(task, rows, nudged=True))
    else:
        close = closeness.compare(stated, computed, detectors)
    return close._replace(ordered=close.ordered and ordered)


def compare_with_training(reader: Recomputation, stated: Any, task: Task) -> closeness.Closeness:
    """Check a detector or the rows of a probe against those that are trained again.

    On a processor like the author's they have to be equal. On another one rounding decides the sign and the order of
    directions in which data does not vary, so only what detectors and probes say of images has to be close.

    Args:
        reader: Of the folder with the artefact. It keeps a detector that comes out otherwise, for the check of scores.
        stated: The detector, or the rows of the probe.
        task: What writes it.

    Raises:
        ValueError: Says what differs.
    """
    computed = reader.compute(task)
    if closeness.identical(stated, computed):
        return closeness.Closeness(exact=True)
    if task.step == "evaluate":
        try:
            metric_comparison.compare_metrics(stated, computed)
        except ValueError:
            if not reader.elsewhere(task):
                raise
            metric_comparison.compare_metrics(stated, computed, metric_comparison.PROBED)
            return closeness.Closeness(exact=False, loose=True)
        return closeness.Closeness(exact=False)
    if isinstance(computed, LeftOut):
        raise ValueError(f"it cannot be computed: {computed.reason}")
    if not reader.elsewhere(task):
        raise ValueError("fitted again on a processor like that of its record, it is another detector")
    first, second = (reader.scores(task, detector).scores for detector in (stated, computed))
    ordered = closeness.compare_fits("calibration scores", first, second, reader.calibration(task.output))
    reader.refits[task.output] = computed
    return closeness.Closeness(exact=False, ordered=ordered, loose=True)


def check_left_out(reader: Recomputation, task: Task) -> None:
    """Check that an artefact is rightly left out: so is an input, or it cannot be fitted or scored here either.

    Raises:
        ValueError: It can be computed.
    """
    try:
        for file in task.input_files:
            if file in reader.selection.tasks:
                reader.noun(file, KINDS[reader.selection.tasks[file].step])
        left_out = task.step == "fit" and isinstance(reader.compute(task), LeftOut)
        if task.step == "score":
            reader.compute(task)
    except (LeftOutError, ContractError):
        return
    if not left_out:
        raise ValueError("it was left out, but it can be computed")
