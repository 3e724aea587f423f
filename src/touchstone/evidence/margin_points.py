"""The points behind margins: searched once more by the author, checked by anybody with forward passes.

A margin is an upper bound, and a point that crosses the boundary at that distance proves it. A study stores only the
distance, so the author's machine repeats the search and keeps the points.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.adversary.losses import margin_loss
from touchstone.adversary.perturbations import shrink
from touchstone.numerics import tensors
from touchstone.pipeline.jobs.job import Job, bound
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.steps.measure import measure
from touchstone.records.nouns import Array, ExampleSet, Margins
from touchstone.statistics.margin_cells import CERTIFIED

FOLDER = "margin_points"  # in an evidence file; the rest of the name is that of the margins
EQUAL = 1e-5  # of a margin, by which the distance of its point may differ: float32 stores both
NEARER = 0.99  # this part of a point's change must not cross the boundary, because every search bisects its last step
MOST_NEARER = 0.01  # the share of points that may fail this: along a line, a prediction may change more than once


@dataclass(frozen=True)
class Tally:
    """What the points of one file of margins prove.

    Attributes:
        proved: Margins whose point is at their distance and has another prediction.
        ties: Those of them that are so close to the boundary that rounding decides.
        without: Margins that have no point.
        infinite: Images for which no margin is stated, because the search found no boundary.
    """

    proved: int = 0
    ties: int = 0
    without: int = 0
    infinite: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(add, astuple(self), astuple(other)))


def name_of(margins: str) -> str:
    """Return the name, in an evidence file, of the points of a file of margins."""
    return f"{FOLDER}/{margins.replace('#', '/')}.safetensors"


def upper(task: Task) -> bool:
    """Return whether a task's margins are upper bounds; lower bounds need no point, they can be computed again."""
    return task.step == "measure" and not str(task.settings["component"]["use"]).split("/")[1].startswith(CERTIFIED)


def search(job: Job) -> ExampleSet:
    """Repeat the search behind a file of margins, and return its points.

    Args:
        job: Of the task that measured them. It reads the margins at the task's output.

    Returns:
        One point per image: the point at its margin, or the image itself if the search found no such point again.
    """
    examples: ExampleSet = job.noun("examples", "ExampleSet")
    model = job.as_attacked(job.model())
    stated: Margins = job.reader.noun(job.task.output, "Margins")
    block, last = job.settings["component"], list[Tensor]()
    method, points = bound(block), list[Tensor]()

    def watched(*arguments: Any) -> tuple[Tensor, Tensor]:
        values, hits = method(*arguments)
        points.append(last.pop())  # every method ends by checking that its points cross
        return values, hits

    hook = model.register_forward_hook(
        lambda module, given, returned: last.__setitem__(slice(None), [given[0].detach()])
    )
    try:
        settings = {key: job.settings[key] for key in ("seed", "batch_size", "device")}
        measure(examples, model, method=watched, name=stated.method, norm=stated.norm, **settings)
    finally:
        hook.remove()
    images = torch.cat(points).cpu().numpy()
    here = _distances(images, examples.images, stated.norm)
    kept = stated.found & _equal(here, stated.margins) & (images.min((1, 2, 3)) >= 0) & (images.max((1, 2, 3)) <= 1)
    return replace(examples, images=np.where(kept[:, None, None, None], images, examples.images), unquantised=None)


def check(stated: Margins, points: ExampleSet, examples: ExampleSet, model: nn.Module, tolerance: float,
          batch_size: int) -> Tally:  # fmt: skip
    """Check that the points of upper margins are at the margins' distance, and have another prediction.

    Args:
        stated: The margins.
        points: One point per margin; an image itself means that there is none.
        examples: The images.
        model: The network, from pixels to logits.
        tolerance: Of logits, relative to the largest.
        batch_size: Rows per forward pass.

    Returns:
        How many margins are proved.

    Raises:
        ValueError: Says which points do not prove their margin.
    """
    images, changed = torch.from_numpy(examples.images), torch.from_numpy(points.images)
    predictions = torch.from_numpy(stated.predictions)
    lead, scale = _leads(model, images, predictions, batch_size)
    allowed = 2 * tolerance * scale
    _refuse("predictions are other classes than the network gives", lead > allowed)
    distances = _distances(points.images, examples.images, stated.norm)
    there = stated.found & (distances > 0)
    _refuse("margins are not the distances of their points", there & ~_equal(distances, stated.margins))
    here = torch.from_numpy(there)
    images, changed, predictions = images[here], changed[here], predictions[here]
    rows = np.flatnonzero(there)
    lead, scale = _leads(model, changed, predictions, batch_size)
    allowed = 2 * tolerance * scale
    _refuse("points keep their prediction", lead < -allowed, rows)
    nearest = NEARER * tensors.row_norms(changed - images, stated.norm)
    nearer = (images + shrink(changed - images, nearest, "linf" if stated.norm == "linf" else "l2")).clamp(0, 1)
    crossing = _leads(model, nearer, predictions, batch_size)[0] > allowed
    if int(crossing.sum()) > max(1, MOST_NEARER * len(rows)):
        _refuse(
            f"points could be nearer: {NEARER:.0%} of the change is enough, and no search stops there", crossing, rows
        )
    stated_rows = int(np.count_nonzero(stated.found))
    return Tally(len(rows), int((lead <= 0).sum()), stated_rows - len(rows), len(stated.found) - stated_rows)


def _refuse(what: str, wrong: Array | Tensor, rows: Array | None = None) -> None:
    """Raise ValueError if something is wrong with any row.

    Args:
        what: What is wrong, for the message.
        wrong: Which rows are wrong, (N,) bool.
        rows: The numbers of these N rows; None if they are all rows.
    """
    places = np.flatnonzero(np.asarray(wrong))
    if len(places):
        row = places[0] if rows is None else rows[places[0]]
        raise ValueError(f"{len(places)} of its {what}; the first is that of row {row}")


def _leads(model: nn.Module, images: Tensor, predictions: Tensor, batch_size: int) -> tuple[Tensor, float]:
    """Return by how much the best other class leads the prediction, (N,), and the largest logit."""
    device = next(model.parameters()).device
    with torch.no_grad():
        logits = [model(batch.to(device)).float().cpu() for (batch,) in tensors.batches(batch_size, images)]
    every = torch.cat(logits) if logits else torch.zeros(0, 2)
    return margin_loss(every, predictions), float(every.abs().max()) if len(every) else 0.0


def _distances(points: Array, images: Array, norm: str) -> Array:
    return tensors.row_norms(torch.from_numpy(points).double() - torch.from_numpy(images).double(), norm).numpy()


def _equal(distances: Array, margins: Array) -> Array:
    return np.asarray(np.abs(distances - margins) <= EQUAL * np.maximum(margins, 1e-3))
