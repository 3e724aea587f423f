"""Check every artefact behind the claims against its inputs: by comparing, or by running its step again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from touchstone.audit import budget_checks, closeness
from touchstone.audit.artefact_comparison import (
    TRIALS,
    check_left_out,
    compare_with_recomputation,
    compare_with_training,
)
from touchstone.audit.metric_comparison import PROBED
from touchstone.audit.problems import BUDGET, PLAN, RECOMPUTATION, Result, counted
from touchstone.audit.recomputation import BY_ROW, KINDS, MARGINS, Recomputation
from touchstone.audit.study_evidence import NETWORKS
from touchstone.digests import canonical
from touchstone.numerics import cpu_paths, precision
from touchstone.pipeline.jobs.adapters import attacked_model
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import sidecar_files
from touchstone.records.nouns import LeftOutError
from touchstone.records.selection import select_rows

MOST_PROBLEMS = 10  # a pack with so many findings is not honest, and more trials would only take time


@dataclass
class Counts:
    """What was checked, in numbers.

    Attributes:
        files: Artefacts per step; "bounded" and "free" attacked sets, those with and without a declared budget; "noted"
            ones, whose notes about a detector's score were computed again.
        rows: Images per step; "unsearched" ones, whose margins nobody asked to search again.
        exact: Recomputed artefacts that are equal to the last bit.
        close: Recomputed artefacts that are equal within their tolerance.
        ties: Predictions that rounding decides.
        unordered: Files in which rounding decides the order of more rows than a forger needs.
        loose: Detectors and probes that are close only by the bound for those of another processor.
        unfitted: Detectors and probes that were not drawn to be trained here.
        sampled: Recomputed artefacts of which only a sample of the rows was computed.
        absent: Networks that are not in the pack.
        waiting: Artefacts that need these networks.
        lost: Artefacts that read another file that is missing or damaged.
    """

    files: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    close: int = 0
    ties: int = 0
    unordered: int = 0
    loose: int = 0
    unfitted: int = 0
    sampled: int = 0
    absent: set[str] = field(default_factory=set)
    waiting: int = 0
    lost: int = 0

    def compared(self, closeness_: closeness.Closeness) -> None:
        """Count an artefact that equals its recomputation."""
        self.exact += closeness_.exact
        self.close += not closeness_.exact
        self.ties += closeness_.ties
        self.unordered += not closeness_.ordered
        self.loose += closeness_.loose


def check_artefacts(reader: Recomputation, result: Result) -> Counts:
    """Check every artefact behind the claims against its inputs, and say what was proved.

    Args:
        reader: Of the pack.
        result: Receives the problems.

    Raises:
        ValueError: The study was computed in TF32.
    """
    counts, tasks = Counts(), reader.selection.tasks
    if any(task.settings.get("precision") == precision.TF32 for task in tasks.values()):
        raise ValueError(
            "the study was computed in TF32, whose numbers differ between GPUs by more than a forger needs. No machine can"
            " verify it; ask for a run with compute: {precision: float32}"
        )
    missing = {file for file in reader.selection.files if not sidecar_files.exists(reader.folder / file)}
    counts.absent = {file for file in missing if tasks[file].step in NETWORKS}
    for file in reader.selection.files:
        task = tasks[file]
        if file in missing:
            if file not in counts.absent:
                result.add(PLAN, file, "is missing from the pack")
        elif not (missing - counts.absent).isdisjoint(task.input_files):
            counts.lost += 1
        elif task.step != "attack" and not counts.absent.isdisjoint(task.input_files):
            counts.waiting += 1
        else:
            _check(reader, task, counts, result)
    _say_what_is_unchecked(counts, result)
    _say_what_was_proved(counts, result)
    return counts


def _check(reader: Recomputation, task: Task, counts: Counts, result: Result) -> None:
    check, words = RECOMPUTATION, "recomputed, it differs"
    if task.step == "attack":
        check, words = BUDGET, "is not what it has to be"
    kind = KINDS[task.step]
    with result.reading(check, task.output, words):
        try:
            stated = reader.noun(task.output, kind)
        except LeftOutError:
            check_left_out(reader, task)
            return
        if task.step == "attack":
            clean = reader.noun(str(task.inputs["examples"]), "ExampleSet")
            bounded = budget_checks.compare(stated, clean, task.settings["component"])
            counts.files["bounded" if bounded else "free"] += 1
            _check_notes(reader, stated, clean, task, counts)
        elif task.step == "fit" or task.output in reader.fitted:
            if not _check_fitted(reader, stated, task, counts):
                return
        elif reader.computable(task):
            # What a network draws for an image depends on the images before it.
            by_row = task.step in BY_ROW and "draws" not in task.settings
            rows = reader.draw(len(stated.example_ids), few=task.step == "measure") if by_row else None
            if rows is not None:
                _check_every_row(reader, stated, task)
                counts.sampled += reader.share is not None
                counts.rows["unsearched"] += (len(stated.example_ids) - len(rows)) * (reader.share is None)
                stated = select_rows(stated, rows)
            trials = TRIALS if len(result.problems) < MOST_PROBLEMS else 0
            counts.compared(compare_with_recomputation(reader, stated, task, rows, trials))
            counts.files["prepared"] += task.step == "prepare"
        counts.rows[task.step] += len(getattr(stated, "example_ids", ()))
        counts.files[task.step] += 1


def _check_notes(reader: Recomputation, stated: Any, clean: Any, task: Task, counts: Counts) -> None:
    """Check what an attack on a detector notes about the detector's score."""
    if "detector" not in task.inputs:
        return
    if not counts.absent.isdisjoint(task.input_files):
        counts.waiting += 1
        return
    job = reader.job(task)
    _, defence = attacked_model(job)
    flat = partial(
        budget_checks.flat_rows, defence=defence, batch_size=job.settings["batch_size"], device=job.settings["device"]
    )
    others = {name: value for name, value in task.settings.items() if name not in ("component", "seed")}
    same = canonical([task.inputs, others])  # of all attacks on one detector from one clean set
    if same not in reader.flat_rows:
        reader.flat_rows[same] = flat(clean.images)
    budget_checks.check_flat_share("no_score_gradient_clean", stated, reader.flat_rows[same])
    budget_checks.check_flat_share("no_score_gradient", stated, flat(stated.unquantised))
    counts.files["noted"] += 1


def _check_every_row(reader: Recomputation, stated: Any, task: Task) -> None:
    """Check that no row is left out, which a sample of the stated rows would not show."""
    for role, kind in (("examples", "ExampleSet"), ("outputs", "Outputs")):
        if role in task.inputs:
            given = reader.noun(str(task.inputs[role]), kind)
            budget_checks.check_rows("example_ids", stated.example_ids, given.example_ids)


def _check_fitted(reader: Recomputation, stated: Any, task: Task, counts: Counts) -> bool:
    """Check what was trained: a detector's thresholds by its stated tensors, and everything by training it again.

    Return whether anything was checked.
    """
    if task.step == "fit":
        calibrated = closeness.compare(stated, reader.calibration(task.output))
        if task.output not in reader.fitted:
            counts.compared(calibrated)
            return True
    if task.output not in reader.refitted:
        counts.unfitted += 1
        return task.step == "fit"
    counts.compared(compare_with_training(reader, stated, task))
    return True


def _say_what_is_unchecked(counts: Counts, result: Result) -> None:
    if counts.absent:
        names = ", ".join(Path(file).stem for file in sorted(counts.absent))
        lacking = f"the pack has no weights of {names}; bring them with --model NETWORK=FILE"
        result.unchecked.append(f"{counted(counts.waiting, 'artefact')} that networks give: {lacking}")
    if counts.lost:
        result.unchecked.append(f"{counted(counts.lost, 'artefact')} that read what is missing or damaged")
    if counts.sampled:
        result.unchecked.append(
            f"the other rows of {counted(counts.sampled, 'file')}: only a sample of each was computed, with --share"
        )
    if counts.unordered:
        result.unchecked.append(
            f"the order of the scores in {counted(counts.unordered, 'file')}: many lie within a few steps of float32 of each"
            " other, and another processor rounds them otherwise"
        )
    if counts.unfitted:
        result.unchecked.append(f"the training of {counts.unfitted:,} detectors and probes that --share did not draw")


def _say_what_was_proved(counts: Counts, result: Result) -> None:
    files, rows = counts.files, counts.rows
    if rows["unsearched"]:
        result.trusted.append(
            f"the other {rows['unsearched']:,} margins: {MARGINS} of a file, drawn at random, were searched again; --all"
            " searches all"
        )
    if counts.loose:
        trained = f"{counts.loose:,} of the detectors and probes"
        result.trusted.append(
            f"that {trained} were trained on another processor or by other code, as their records say: only so may they"
            f" differ from those trained here, scores by {closeness.FITTED:g} of their spread"
            f" ({closeness.TRAINED:g} if trained on anomalies) and rows by {PROBED:g}"
        )
    tied = f"; {counts.ties:,} of them are so close to a tie that rounding decides" if counts.ties else ""
    steps = {
        "attack": f"the rows and labels of {counted(files['attack'], 'attacked set')} ({rows['attack']:,} images) are those"
        f" of the clean ones; {files['bounded']:,} of these sets have a declared budget, and keep it"
        + f"; of {files['noted']:,}, the shares of images without a score gradient were computed again"
        * bool(files["noted"]),
        "prepare": f"{files['prepared']:,} of {counted(files['prepare'], 'clean set')} are what their raw files or originals"
        " give; the others have the form of a set",
        "translate": f"the images of {counted(files['translate'], 'translated set')} are what the translators give",
        "infer": f"{rows['infer']:,} predictions in {counted(files['infer'], 'file')} are what the networks give{tied}",
        "fit": f"the thresholds of {counted(files['fit'], 'detector')} are the calibration images' quantiles",
        "score": f"{rows['score']:,} scores in {counted(files['score'], 'file')} are what the detectors give",
        "measure": f"{rows['measure']:,} margins in {counted(files['measure'], 'file')} are what the same search gives",
        "evaluate": f"the rows of {counted(files['evaluate'], 'evaluation')} follow from the files that they read",
    }
    result.proved += [sentence for step, sentence in steps.items() if files[step]]
    if counts.exact + counts.close:
        others = ", the others within what another processor changes" if counts.close else ""
        recomputed = counted(counts.exact + counts.close, "recomputed file")
        paths = cpu_paths.record(torch=True)
        result.proved.append(f"{counts.exact:,} of {recomputed} are equal to the last bit{others} (here: {paths})")
