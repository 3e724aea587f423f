"""Properties of the images of each set: how many, how bright, how sparse, and whether they are 8-bit images."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.intervals import Interval, Sampling
from touchstone.evaluations.statistics.rows import of_images, row, with_means
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Array, Cell, ExampleSet

METRICS = ("n", "classes", "mean_intensity", "sparsity", "on_grid")
CHUNK = 100  # images at a time: they fit into the processor's cache
GRID_TOLERANCE = 1e-3  # of one grey level: float32 keeps k/255 to about 2e-5 of one


def data_sheet(
    examples: list[Cell], *, resamples: PositiveInt = 1000, bootstrap_seed: NonNegativeInt = 0
) -> list[MetricRow]:
    """Describe the images of each set, because a detector can win on any of these properties only.

    Returns:
        One row per set and property, then means over seeds. Metrics:

        - n: the number of images.
        - classes: the number of labels that occur.
        - mean_intensity, in pixels, and sparsity, the share of pixels that are exactly 0: means over images, with
          bootstrap intervals.
        - on_grid: the share of pixels on the 1/255 grid, 1 for 8-bit images. It gives a set away if the other set
          differs.

    References:
        docs/papers/shared.md, "Data and leakage".
    """
    sampling: Sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for cell in examples:
        noun: ExampleSet = cell.noun
        order, parts = np.argsort(noun.example_ids), range(0, len(noun), CHUNK)
        measured = [_of_each_image(noun.images[order[start : start + CHUNK]]) for start in parts]
        intensity, sparsity, on_grid = np.concatenate(measured, axis=1)
        count, classes = len(noun), len(np.unique(noun.labels[noun.labels >= 0]))
        properties = {
            "n": (Interval(count, None, None), "images"),
            "classes": (Interval(classes, None, None), "classes"),
            "mean_intensity": (intervals.mean(intensity, **sampling), "pixels"),
            "sparsity": (intervals.mean(sparsity, **sampling), "fraction"),
            "on_grid": (intervals.mean(on_grid, **sampling), "fraction"),
        }
        rows += [
            row(metric, interval, cell=of_images(cell), entry=noun.source, n=count, unit=unit, files=[cell])
            for metric, (interval, unit) in properties.items()
        ]
    return with_means(rows)


def _of_each_image(images: Array) -> Array:
    """Return the mean intensity, the sparsity and the share of pixels on the grid of each image, (3, N)."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    levels = pixels * 255
    on_grid = np.abs(levels - np.rint(levels)) < GRID_TOLERANCE
    return np.stack([pixels.mean(axis=1), (pixels == 0).mean(axis=1), on_grid.mean(axis=1)])
