"""Logits along x + t sign(gradient), joined from the outputs on unclipped FGSM sets of several eps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import clean_outputs, grouped, rows_of
from touchstone.evaluations.statistics.threats import network, white_box
from touchstone.records.nouns import Cell


@dataclass(frozen=True)
class LogitPath:
    """The logits of one classifier on one set, in the order of the example ids.

    Attributes:
        places: positions t on the line, (T,), ascending from 0.
        logits: (T, N, K).
        labels: (N,).
    """

    clean: Cell
    attacked: list[Cell]
    places: Array
    logits: Array
    labels: Array


def logit_paths(outputs: list[Cell]) -> list[LogitPath]:
    """Return one path per classifier seed and set that unclipped FGSM was made on.

    Raises:
        ValueError: the clean outputs are missing.
    """
    lines = [cell for cell in outputs if _on_the_line(cell)]
    groups = grouped(lines, lambda cell: (network(cell), cell.examples))
    return [_path(outputs, sorted(cells, key=_eps)) for cells in groups.values()]


def _on_the_line(cell: Cell) -> bool:
    settings = cell.settings
    if not white_box(cell) or not settings["use"].endswith("fgsm") or cell.noun.unquantised_logits is None:
        return False
    return settings.get("target", "none") == "none" and not settings.get("clip", True)


def _eps(cell: Cell) -> float:
    return float(cell.settings["eps"])


def _path(outputs: list[Cell], cells: list[Cell]) -> LogitPath:
    clean = clean_outputs(outputs, cells[0])
    ids = np.sort(clean.noun.example_ids)
    first = rows_of(clean.noun.example_ids, ids, clean.file)
    logits = [clean.noun.logits[first]]
    logits += [cell.noun.unquantised_logits[rows_of(cell.noun.example_ids, ids, cell.file)] for cell in cells]
    places = np.array([0.0, *map(_eps, cells)])
    return LogitPath(clean, cells, places, np.stack(logits).astype(np.float64), clean.noun.labels[first])
