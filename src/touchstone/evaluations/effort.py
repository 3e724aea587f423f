"""What attacks cost, in passes through the network; unlike times, passes do not vary from machine to machine."""

from __future__ import annotations

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import of_images, row, with_means
from touchstone.evaluations.statistics.threats import threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("forward_passes", "gradient_passes")


def effort(examples: list[Cell]) -> list[MetricRow]:
    """Count the passes through the network that each attack needs per image.

    Args:
        examples: attacked sets, whose notes hold what the step attack counted; clean and translated sets are skipped.

    Returns:
        Rows forward_passes and gradient_passes per attack and victim (the row's entry), then means over seeds. A
        gradient pass is a forward pass followed by a gradient with respect to the image; it also counts as a forward
        pass.

    Raises:
        ValueError: no set was attacked.
    """
    attacked = [cell for cell in examples if cell.attack and not cell.translator]
    if not attacked:
        raise ValueError("no set here was attacked, so there is no effort to count")
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
        for metric in METRICS
    ]
    return with_means(rows)
