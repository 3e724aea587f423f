"""How far inputs lie from the decision boundary, and whether the logit margin tells which of them are close."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from touchstone import intervals
from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluation import Array, correct, logit_margins
from touchstone.metric_rows import Row, clean_outputs, row, rows_of, with_means
from touchstone.records import Cell
from touchstone.threats import Threat

RAREST = 0.05  # share of the rarer class below which no detection statistic is given (papers.md S2-5)
BRITTLE = {"auroc": "brittle_auroc", "aupr_ood": "brittle_aupr", "fpr95_ood": "brittle_fpr95"}


def margins(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: list[PositiveFloat],
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[Row]:
    """Return margin rows per classifier seed, set and method, and their means over seeds.

    margins: smallest perturbations found, in pixels. outputs: of the same classifiers on the same unattacked sets.
    Metrics: median_margin (no row where fewer than half were found), share_not_found, kendall_tau of input and logit
    margin (not found: ranked last); for each eps robust_accuracy_at_EPS, right and margin > eps, and how well minus
    the logit margin finds the brittle inputs (margin <= eps): brittle_auroc, brittle_aupr and brittle_fpr95_at_EPS
    (share of the others flagged where 95 % of the brittle are caught), where both classes hold 5 % of the inputs.
    Margins found are upper bounds, so these robust accuracies are too. ValueError where margins and outputs disagree
    on a prediction. Ngnawe et al. 2024; papers.md 3.b, 3.g.
    """
    rows: list[Row] = []
    for cell in margins:
        clean = clean_outputs(outputs, cell)
        inputs, logits, right = _joined(cell, clean)
        new = partial(
            row,
            cell=cell,
            n=len(inputs),
            files=[cell, clean],
            examples=f"{cell.examples}/{cell.margin}",
            threat_model=str(Threat("white-box, least change found,", cell.noun.norm, "", cell.noun.method)),
        )
        sampling = {"resamples": resamples, "seed": bootstrap_seed}
        rows += _overall(new, inputs, logits, sampling)
        for radius in eps:
            robust = intervals.binomial(int((right & (inputs > radius)).sum()), len(inputs))
            rows.append(new(f"robust_accuracy_at_{radius:g}", robust))
            rows += _brittle(new, inputs, logits, radius, sampling)
    return with_means(rows)


def _joined(cell: Cell, clean: Cell) -> tuple[Array, Array, Array]:
    """Return input margins, logit margins and whether the prediction is right, in the order of the ids."""
    order = np.argsort(cell.noun.example_ids)
    same = rows_of(clean.noun.example_ids, cell.noun.example_ids[order], clean.file)
    predictions = clean.noun.predictions[same]
    if not np.array_equal(predictions, cell.noun.predictions[order]):
        raise ValueError(f"{cell.file} and {clean.file} predict differently: they are not of one network")
    right = correct(predictions, clean.noun.labels[same])
    return cell.noun.margins[order].astype(np.float64), logit_margins(clean.noun.logits[same]), right


def _overall(new: Callable[..., Row], inputs: Array, logits: Array, sampling: dict[str, int]) -> list[Row]:
    middle = intervals.median(inputs, **sampling)
    missing = intervals.binomial(int(np.isinf(inputs).sum()), len(inputs))
    rows = [new("median_margin", middle, unit="pixels")] if np.isfinite(middle.value) else []
    rows.append(new("share_not_found", missing))
    if np.ptp(logits) > 0 and len(np.unique(inputs)) > 1:
        tau = intervals.kendall(inputs, logits, **sampling)
        rows.append(new("kendall_tau", tau, unit="rank correlation"))
    return rows


def _brittle(
    new: Callable[..., Row], inputs: Array, logits: Array, radius: float, sampling: dict[str, int]
) -> list[Row]:
    brittle = inputs <= radius
    share = float(brittle.mean())
    if min(share, 1 - share) < RAREST:
        return []
    found = intervals.detection(-logits[~brittle], -logits[brittle], **sampling)
    return [
        new(f"{name}_at_{radius:g}", found[metric], base_rate=share, unit="fraction" if "fpr" in name else "")
        for metric, name in BRITTLE.items()
    ]
