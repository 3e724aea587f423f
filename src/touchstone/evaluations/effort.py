"""What attacks cost, in passes through the network: times vary from machine to machine, these do not."""

from __future__ import annotations

from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics.intervals import Interval
from touchstone.statistics.rows import of_images, row, with_means
from touchstone.statistics.threats import threat


def effort(examples: list[Cell]) -> list[MetricRow]:
    """Return forward_passes and gradient_passes per image, per attack and victim, and their means over seeds.

    examples: attacked sets, whose notes hold what the step attack counted; clean and translated ones are passed over.
    A gradient pass is a forward pass after which a gradient in the image was taken, and is among the forward passes.
    entry: the victim. ValueError where no set was attacked.
    """
    attacked = [cell for cell in examples if cell.attack and not cell.translator]
    if not attacked:
        raise ValueError("no set here was attacked, so there is no effort to tell")
    rows = [
        row(
            metric,
            Interval(float(cell.noun.notes[metric]), None, None),
            cell=of_images(cell),
            entry=cell.victim,
            threat_model=threat(cell),
            n=len(cell.noun),
            unit="passes",
            files=[cell],
        )
        for cell in attacked
        for metric in ("forward_passes", "gradient_passes")
    ]
    return with_means(rows)
