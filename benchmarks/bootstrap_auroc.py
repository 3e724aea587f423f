"""Race: bootstrap of an AUROC, by our intervals and by a loop over scikit-learn, on the same resamples.

    python benchmarks/bootstrap_auroc.py [--scores 10000] [--resamples 1000] [--looped 200] [--rounds 5]

Half of the scores are in-distribution, half anomalous. The loop receives the rows that ours drew. It does
`looped` resamples, and its time is scaled up to all, because every resample costs the same. Before any time is measured,
both must give the same AUROCs to 1e-12, with ties and without. Writes bootstrap_auroc.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import racing
from racing import Goal, Results
from touchstone.evaluations.statistics import estimators, rank_intervals

Array = NDArray[Any]
SEED = 0
TOLERANCE = 1e-12


def scores(count: int, *, ties: bool) -> tuple[Array, Array]:
    """Return ID and anomalous scores, half of `count` each, which overlap; with ties rounded to 101 values."""
    generator = np.random.default_rng(SEED)
    both = generator.normal(size=count // 2), generator.normal(1, size=count // 2)
    return tuple(np.round(part, 1) if ties else part for part in both)  # type: ignore[return-value]


def ours(id_scores: Array, ood_scores: Array, resamples: int) -> Array:
    """Return our AUROCs, (resamples,)."""
    results = rank_intervals.detection_samples(
        id_scores, ood_scores, resamples=resamples, seed=SEED, statistics=("auroc",)
    )
    return results["auroc"]


def draws(count: int, looped: int) -> list[tuple[Array, Array]]:
    """Return the rows of the first resamples as ours draws them: ID from stream [seed, 0], anomalous from [seed, 1]."""
    drawn = [np.random.default_rng([SEED, part]).integers(0, count, size=(looped, count)) for part in (0, 1)]
    return list(zip(*drawn, strict=True))


def in_a_loop(id_scores: Array, ood_scores: Array, rows: list[tuple[Array, Array]]) -> Array:
    """Return scikit-learn's AUROC of each resample."""
    labels = np.repeat([0, 1], [len(id_scores), len(ood_scores)])
    return np.array(
        [roc_auc_score(labels, np.concatenate([id_scores[inside], ood_scores[outside]])) for inside, outside in rows]
    )


def measured(count: int, resamples: int, looped: int, rounds: int) -> Results:
    """Return times and the greatest difference; NotEqual where the AUROCs differ."""
    rows = draws(count // 2, looped)
    lines, goals = [], []
    for ties in (False, True):
        both = scores(count, ties=ties)
        kind = "with ties" if ties else "without ties"
        different = float(np.abs(ours(*both, resamples)[:looped] - in_a_loop(*both, rows)).max())
        racing.require(different <= TOLERANCE, f"{kind}: AUROCs differ by {different:.1e}")
        point = abs(estimators.point("auroc", *both) - in_a_loop(*both, [(np.arange(count // 2),) * 2])[0])
        racing.require(point <= TOLERANCE, f"{kind}: the AUROC itself differs by {point:.1e}")
        taken = racing.interleaved(
            {
                "touchstone": partial(ours, *both, resamples),
                "scikit-learn": partial(in_a_loop, *both, rows),
            },
            rounds,
        )
        scale = resamples / looped
        for name, line in taken.items():
            factor = scale if name == "scikit-learn" else 1
            scaled = {key: line[key] * factor for key in ("seconds", "least", "greatest")}
            lines.append({"contestant": f"{name}, {kind}", "difference": different, **line, **scaled})
        ratio = scale * taken["scikit-learn"]["seconds"] / taken["touchstone"]["seconds"]
        goals.append(Goal(f"{kind}: time of scikit-learn, in units of ours", ratio, 50, "at least"))
    return {
        "command": racing.command(),
        "machine": racing.machine("scikit-learn", "scipy"),
        "scores": count,
        "resamples": resamples,
        "looped": looped,
        "lines": lines,
        "goals": [goal.as_json() for goal in goals],
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [(line["contestant"], racing.shown(line), f"{line['difference']:.0e}") for line in results["lines"]]
    what = (
        f"{results['resamples']} bootstrap AUROCs of {results['scores']} scores. scikit-learn's times are those of"
        f" {results['looped']} resamples, scaled to all, its rows drawn beforehand; ours draws them."
    )
    columns = ("contestant", "seconds: median (least to greatest)", "greatest difference")
    return racing.page("Bootstrap of an AUROC: ours and scikit-learn's", what, results, racing.table(columns, rows))


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=5)
    parser.add_argument("--scores", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--looped", type=int, default=200, help="resamples that scikit-learn does; the rest is scaled")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.scores, options.resamples, min(options.looped, options.resamples), options.rounds)
    racing.write(options.out, "bootstrap_auroc", results, page(results))


if __name__ == "__main__":
    main()
