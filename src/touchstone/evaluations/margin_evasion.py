"""How often an attacker turns a right decision into a wrong one that looks robust by its logit margin."""

from __future__ import annotations

from functools import partial

import numpy as np

from touchstone.contracts import PositiveFloat, UnitInterval
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, correct, logit_margins
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept
from touchstone.evaluations.statistics.rows import row, rows_of, with_means
from touchstone.evaluations.statistics.threats import budget, network, white_box
from touchstone.evaluations.statistics.threshold_intervals import Threshold, resampled_threshold, share_at
from touchstone.evaluations.statistics.thresholds import catching_threshold
from touchstone.records.metric_rows import WHITE_BOX, Threat, stated
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "threshold",
    "share_above_threshold",
    "share_right_above_threshold",
    "share_flagged",
    "share_wrong",
    "share_wrong_unflagged",
)


def margin_evasion(
    margins: list[Cell],
    outputs: list[Cell],
    fit_margins: list[Cell],
    fit_outputs: list[Cell],
    *,
    eps: PositiveFloat = 0.1,
    caught: UnitInterval = 0.95,
) -> list[MetricRow]:
    """Measure how many brittle inputs the logit margin misses, and how many wrong decisions an attacker hides from it.

    An input is brittle if its margin is at most `eps`. Inputs whose logit margin is at or below the threshold are
    flagged. The threshold is fitted on held-out images: it flags the share `caught` of their brittle inputs.

    Args:
        margins: of clean sets.
        outputs: of the same classifiers on clean and attacked sets.
        fit_margins, fit_outputs: of the held-out images.
        eps: in pixels, L-infinity.
        caught: share of the held-out brittle inputs that the threshold flags.

    Returns:
        Rows per classifier seed and set, then means over seeds; none of a network without brittle held-out inputs, which has
        no threshold. Intervals of numbers at the threshold also cover other held-out images; share_wrong has exact binomial
        ones. Metrics:

        - on clean sets: threshold, in logits; share_above_threshold of the brittle inputs, right or wrong, which the
          threshold misses; share_right_above_threshold, the same of those that are right; share_flagged of the others.
        - on white-box attacked sets, of the brittle inputs that are right without the attack: share_wrong;
          share_wrong_unflagged, wrong and with a logit margin above the threshold.
        - on SET/union, the same under the worst, for each input, of every white-box attack within `eps`.

    References:
        Ngnawe et al. 2024, review thread; docs/papers/margin_consistency.md, claim M4.
    """
    held_out = {(network(subject.outputs), subject.norm): subject for subject in kept(fit_margins, fit_outputs)}
    rows: list[MetricRow] = []
    for subject in kept(margins, outputs):
        reference = held_out.get((network(subject.outputs), subject.norm))
        if reference is None or subject.norm != "linf":  # the attacks here are L-inf
            continue
        brittle = reference.margins <= eps
        if not brittle.any():  # so there is no threshold
            continue
        proxies = logit_margins(reference.logits)
        find = partial(catching_threshold, share=caught)
        threshold = resampled_threshold(find(proxies, brittle), (proxies, brittle), find)
        rows += _clean(subject, reference, eps, threshold)
        place = (network(subject.outputs), subject.examples)
        attacked = [cell for cell in outputs if (network(cell), cell.examples) == place and white_box(cell)]
        for cell in attacked:
            rows += _attacked([cell], subject, reference, eps, threshold)
        within = [cell for cell in attacked if _within(cell, eps)]
        rows += _attacked(within, subject, reference, eps, threshold, f"{subject.examples}/union") if within else []
    return with_means(rows)


def _within(cell: Cell, eps: float) -> bool:
    norm, own = budget(cell)
    return norm == "linf" and own is not None and own <= eps * (1 + 1e-6)


def _files(subject: KeptMargins, reference: KeptMargins) -> list[Cell]:
    return [*subject.cells, subject.outputs, *reference.cells, reference.outputs]


def _clean(subject: KeptMargins, reference: KeptMargins, eps: float, threshold: Threshold) -> list[MetricRow]:
    brittle, leads = subject.margins <= eps, logit_margins(subject.logits)
    new = partial(row, cell=subject.outputs, files=_files(subject, reference))
    rows = [new("threshold", Interval(threshold.value, None, None), n=len(reference.margins), unit="logits")]
    for name, chosen, below, above in (
        ("share_above_threshold", brittle, False, True),
        ("share_right_above_threshold", brittle & subject.right, False, True),
        ("share_flagged", ~brittle, True, False),
    ):
        if chosen.any():
            share = share_at(threshold, leads, below=below, above=above, among=chosen)
            rows.append(new(name, share, n=int(chosen.sum())))
    return rows


def _attacked(
    cells: list[Cell],
    subject: KeptMargins,
    reference: KeptMargins,
    eps: float,
    threshold: Threshold,
    union: str | None = None,
) -> list[MetricRow]:
    """Return the rows of one attack, or of the worst of several on the set that `union` names."""
    turnable = subject.right & (subject.margins <= eps)
    if not turnable.any():
        return []
    leads = np.max([_wrong_leads(cell, subject) for cell in cells], axis=0)
    new = partial(
        row,
        cell=cells[0],
        n=int(turnable.sum()),
        files=[*cells, *_files(subject, reference)],
        examples=union,
        threat_model=_together(cells, eps) if union else None,
    )
    hidden = share_at(threshold, leads, below=False, above=True, among=turnable)
    return [
        new("share_wrong", intervals.share(np.isfinite(leads), turnable)),
        new("share_wrong_unflagged", hidden),
    ]


def _wrong_leads(cell: Cell, subject: KeptMargins) -> Array:
    """Return the logit margins of the subject's inputs where the prediction is wrong, -inf elsewhere."""
    same = rows_of(cell.noun.example_ids, subject.ids, cell.file)
    wrong = ~correct(cell.noun.predictions, cell.noun.labels)[same]
    return np.where(wrong, logit_margins(cell.noun.logits[same]), -np.inf)


def _together(cells: list[Cell], eps: float) -> Threat:
    names = tuple(sorted(cell.attack for cell in cells))
    return Threat(WHITE_BOX, worst_of=names, norm="linf", budget=(("eps", stated(eps)),))
