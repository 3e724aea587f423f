"""Simulation: does the interval of a mean over seeds contain the truth, and does it narrow with seeds?

    python benchmarks/interval_coverage.py [--replications 150] [--experiments share tau]

Each replication has new networks and new images. All networks see the same images, and the truth is a formula. The
interval is the one that a verdict uses: numbers of each network by the functions that evaluations call, their mean by
`rows.with_means`. Two mutants judge the same numbers: the hull of the seeds' intervals, and a bootstrap that forgets the
seeds. Replications are those of a cell, times its WEIGHTS. Writes
interval_coverage.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import racing
from racing import Goal, Results
from touchstone.evaluations.statistics import intervals, rank_intervals, rows
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threshold_intervals import Threshold, of_detector, share_at
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.records.nouns import Cell, Detector, Scores

Array = NDArray[Any]
SEED_DEVIATIONS, IMAGES, SEEDS = (0.0, 0.02, 0.05, 0.10), (200, 1000), (3, 5, 10)
OPPOSED = -0.8  # the correlation of an attacked image's score with that of the clean image
SHARED = 0.5  # the correlation of an image's latent values between networks
FARTHEST = 1.9  # deviations at most, on both sides, so that no share leaves [0, 1] and the mean stays what it is
RATE = 0.05  # of false positives, for the threshold of SR
LEVEL = float(stats.norm.ppf(1 - RATE))  # that threshold, of all clean images
WRONG = 0.8  # of the attacked images, whatever their score
SAMPLING = intervals.Sampling(resamples=200, seed=0)
LEAST, GREATEST = 0.91, 0.98
MISSED, SKEW = (
    0.05,
    20,
)  # of "skewed": the share that a network of no shift misses, and by how much a shift multiplies it

# The mean of all networks on all images. That of "sr" is a little lower, see `truth`.
CENTRES = {"share": 0.8, "difference": 0.05, "auroc": 0.75, "fpr95": 0.5, "tau": 0.5, "sr": 0.4, "opposed": 0.75}
WORDS = {
    "share": "a share", "difference": "a paired difference of shares", "auroc": "AUROC", "fpr95": "FPR95",
    "tau": "Kendall's tau", "sr": "SR@5%FPR, threshold estimated from calibration images",
    "opposed": "AUROC of attacked versions of the same images, ranked the other way round",
    "skewed": "a share near 1, of networks of which few are far worse than the others",
}  # fmt: skip
REAL, HULL, FORGETFUL = "interval", "hull of the seeds' intervals", "bootstrap that forgets seeds"
Ends = tuple[float, float]


class Population(NamedTuple):
    """The sizes of a simulated experiment, and its random numbers."""

    generator: np.random.Generator
    images: int  # of a test set
    shifts: Array  # of each network's true number from that of all networks, (S,)

    def latent(self, *, count: int | None = None) -> Array:
        """Return values (S, N) that are standard normal, and correlated between networks, since they share images."""
        shape = (len(self.shifts), self.images if count is None else count)
        common, own = self.generator.normal(size=shape[1]), self.generator.normal(size=shape)
        return np.asarray(np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * own)


def shifts(normal: Array, deviation: float) -> Array:
    """Return the shifts of networks from normal values: cut off on both sides alike, with that standard deviation."""
    beyond = stats.norm.sf(FARTHEST)
    spread = np.sqrt(1 - 2 * beyond - 2 * FARTHEST * stats.norm.pdf(FARTHEST) + 2 * FARTHEST**2 * beyond)
    return np.asarray(deviation / spread * np.clip(normal, -FARTHEST, FARTHEST))


def truth(kind: str, deviation: float, images: int) -> float:
    """Return the mean of all networks on all images; of "sr" also over all thresholds that could have been drawn.

    That of "skewed" is the mean of networks whose shifts are as likely up as down, and move the share further down than up.
    For "sr" the threshold is the k-th of the calibration scores, so the share of all clean images below it has a beta
    distribution, whose mean is not 95 %.
    """
    if kind in CENTRES and kind != "sr":
        return CENTRES[kind]
    quantiles = (np.arange(2000) + 0.5) / 2000
    if kind == "skewed":
        return float(1 - missed(shifts(stats.norm.ppf(quantiles), deviation)).mean())
    count = images // 2
    rank = 1 + int(threshold_at(np.arange(count), RATE))
    levels = stats.norm.ppf(stats.beta.ppf(quantiles, rank, count - rank + 1))
    means = evading_means(shifts(stats.norm.ppf(quantiles), deviation))
    return float(WRONG * stats.norm.cdf(levels - means[:, None]).mean())


# --- the numbers of each network ----------------------------------------------------------------------------------


def share(population: Population) -> dict[str, list[Interval]]:
    """Return a share such as an accuracy, of each network."""
    levels = stats.norm.ppf(CENTRES["share"] + population.shifts)
    return {"share": [intervals.share(hits) for hits in population.latent() < levels[:, None]]}


def skewed(population: Population) -> dict[str, list[Interval]]:
    """Return a share near 1 of each network: most are alike, and few are far worse."""
    levels = stats.norm.ppf(1 - missed(population.shifts))
    return {"skewed": [intervals.share(hits) for hits in population.latent() < levels[:, None]]}


def missed(of_networks: Array) -> Array:
    """Return the share that each network misses, from its shift."""
    return np.minimum(MISSED * np.exp(SKEW * of_networks), 1)


def difference(population: Population) -> dict[str, list[Interval]]:
    """Return the difference of the shares of two methods on the same images, of each network."""
    base, method = population.latent(), population.latent()
    method = np.sqrt(0.6) * base + np.sqrt(0.4) * method
    levels = stats.norm.ppf(0.65 + CENTRES["difference"] + population.shifts)
    values = (method < levels[:, None]).astype(float) - (base < stats.norm.ppf(0.65))
    return {"difference": [intervals.mean(one, **SAMPLING, method=SIGNED) for one in values]}


def detection(population: Population) -> dict[str, list[Interval]]:
    """Return AUROC and FPR95 of each network's detector: one rises by its shift where the other falls by it."""
    centre, scale = binormal(CENTRES["auroc"] + population.shifts, CENTRES["fpr95"] - population.shifts)
    id_scores, ood_scores = population.latent(), centre[:, None] + scale[:, None] * population.latent()
    found = [rank_intervals.detection(*scores, **SAMPLING) for scores in zip(id_scores, ood_scores, strict=True)]
    return {"auroc": [one["auroc"] for one in found], "fpr95": [one["fpr95_id"] for one in found]}


def opposed(population: Population) -> dict[str, list[Interval]]:
    """Return the AUROC of each network's detector on images and their attacked versions.

    The higher the score of a clean image, the lower that of its attacked version: their correlation is OPPOSED. Such
    are scores of confidence, if an attack moves doubtful images furthest.
    """
    centre = np.sqrt(2) * stats.norm.ppf(CENTRES["opposed"] + population.shifts)
    clean, own = population.latent(), population.latent()
    attacked = centre[:, None] + OPPOSED * clean + np.sqrt(1 - OPPOSED**2) * own
    pairs = zip(clean, attacked, strict=True)
    return {"opposed": [rank_intervals.detection(*scores, **SAMPLING, paired=True)["auroc"] for scores in pairs]}


def binormal(auroc: Array, fpr95: Array) -> tuple[Array, Array]:
    """Return mean and s.d. of normal anomalous scores that give AUROC and FPR95 if ID scores are standard normal.

    From AUROC = Phi(mean / sqrt(1 + sd^2)) and FPR95 = Phi((z95 - mean) / sd).
    """
    a, f, z = stats.norm.ppf(auroc), stats.norm.ppf(fpr95), stats.norm.ppf(0.95)
    # (z - f sd)^2 = a^2 (1 + sd^2), and the root at which z - f sd is positive.
    scale = (-f * z + a * np.sqrt(z * z + f * f - a * a)) / (a * a - f * f)
    return z - f * scale, scale


def tau(population: Population) -> dict[str, list[Interval]]:
    """Return Kendall's tau of two normal columns, of each network."""
    correlation = np.sin(np.pi / 2 * (CENTRES["tau"] + population.shifts))[:, None]
    first, second = population.latent(), population.latent()
    second = correlation * first + np.sqrt(1 - correlation**2) * second
    return {"tau": [rank_intervals.kendall(*columns, **SAMPLING) for columns in zip(first, second, strict=True)]}


def evasion(population: Population) -> dict[str, list[Interval]]:
    """Return the share of attacked images that are wrong and not flagged, of each network's detector.

    The threshold is estimated from half as many calibration images, as in the studies; all networks share those too.
    """
    wrong = population.latent() < stats.norm.ppf(WRONG)
    scores = evading_means(population.shifts)[:, None] + population.latent()
    calibration = population.latent(count=population.images // 2)
    reach = np.where(wrong, scores, np.inf)  # right ones never get past
    pairs = zip(map(fitted, calibration), reach, strict=True)
    return {"sr": [share_at(threshold, one, below=True, above=False) for threshold, one in pairs]}


def fitted(clean: Array) -> Threshold:
    """Return a detector's threshold as the step `fit` finds it, with its resamples."""
    rate, ids = f"{RATE:g}", np.arange(len(clean))
    detector = Detector({}, {}, {rate: threshold_at(np.sort(clean), RATE)}, spread=1.0, supervised=False)
    return of_detector(detector, Scores(clean, ids, labels=0 * ids), **SAMPLING)[rate]


def evading_means(of_networks: Array) -> Array:
    """Return the mean scores of attacked images that shift the share of "sr" at the threshold of all clean images."""
    return np.asarray(LEVEL - stats.norm.ppf((CENTRES["sr"] + of_networks) / WRONG))


EXPERIMENTS: dict[str, Callable[[Population], dict[str, list[Interval]]]] = {
    "share": share, "difference": difference, "sr": evasion, "detection": detection, "tau": tau,
    "opposed": opposed, "skewed": skewed,
}  # fmt: skip
# Replications of each, in units of those that are asked for: what costs less is done more often.
WEIGHTS = {"share": 2, "difference": 2, "sr": 2, "detection": 4, "tau": 4, "opposed": 4, "skewed": 1}


# --- the intervals of their mean ----------------------------------------------------------------------------------


def means(found: list[Interval], images: int) -> dict[str, Ends]:
    """Return the ends of the mean over networks: as a verdict gets them, and as the two mutants would have it."""
    cells = [Cell(None, f"net.{seed}", entry="net", seed=seed, examples="test") for seed in range(len(found))]
    table = [rows.row("it", one, cell=cell, n=images, files=[cell]) for one, cell in zip(found, cells, strict=True)]
    (mean,) = [row for row in rows.with_means(table) if row.is_mean]
    low, high = np.quantile(np.mean([one.resampled.samples for one in found], axis=0), [0.025, 0.975])
    hull = min(row.low for row in table), max(row.high for row in table)
    return {REAL: (mean.low, mean.high), HULL: hull, FORGETFUL: (float(low), float(high))}


def simulated(experiment: str, deviation: float, images: int, *, replications: int) -> list[Results]:
    """Return coverage and mean width of each interval, a line per kind of number and number of seeds."""
    place = (0, list(EXPERIMENTS).index(experiment), round(1000 * deviation), images)
    generator, most = np.random.default_rng(place), max(SEEDS)
    ends: dict[tuple[str, int], dict[str, list[Ends]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(replications):
        population = Population(generator, images, shifts(generator.normal(size=most), deviation))
        for kind, found in EXPERIMENTS[experiment](population).items():
            for count in SEEDS:
                # As many groups of that many networks as there are without overlap: they cost nothing more.
                for start in range(0, most - count + 1, count):
                    for name, both in means(found[start : start + count], images).items():
                        ends[kind, count][name].append(both)
    about = {"deviation": deviation, "images": images, "replications": replications}
    return [
        {"kind": kind, "seeds": count, **about, **summary(truth(kind, deviation, images), by_name)}
        for (kind, count), by_name in ends.items()
    ]


def summary(true: float, ends: dict[str, list[Ends]]) -> Results:
    """Return how many means there were, and the coverage and the mean width of each interval."""
    table = {name: np.array(both) for name, both in ends.items()}
    covered = {name: (both[:, 0] <= true) & (true <= both[:, 1]) for name, both in table.items()}
    return {
        "means": len(table[REAL]),
        "coverage": {name: float(np.mean(which)) for name, which in covered.items()},
        "width": {name: float(np.mean(both[:, 1] - both[:, 0])) for name, both in table.items()},
    }


# --- what is asked ------------------------------------------------------------------------------------------------


def widening(lines: Iterable[Results], name: str) -> int:
    """Return how often more seeds give an interval that is on average no narrower."""
    widths: dict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
    for line in lines:
        widths[line["kind"], line["deviation"], line["images"]][line["seeds"]] = line["width"][name]
    in_order = [[width for _, width in sorted(by_seeds.items())] for by_seeds in widths.values()]
    return sum(more >= fewer for one in in_order for fewer, more in itertools.pairwise(one))


def goals(lines: list[Results]) -> list[Goal]:
    """Return what is asked of the interval and of its mutants."""
    asked = []
    for kind in dict.fromkeys(line["kind"] for line in lines):
        own = [line for line in lines if line["kind"] == kind]
        wide = [line["coverage"][REAL] for line in own if line["seeds"] >= 5 and line["deviation"] >= 0.05]
        least = min(line["coverage"][REAL] for line in own)
        if kind == "skewed":  # nothing that few seeds show tells of the rare ones
            asked.append(Goal(f"{WORDS[kind]}: least coverage of its cells, which is too low", least, LEAST))
            continue
        asked.append(Goal(f"{WORDS[kind]}: least coverage of its cells", least, LEAST, "at least"))
        asked.append(Goal(f"{WORDS[kind]}: greatest, from 5 seeds and s.d. .05", max(wide), GREATEST))
    asked.append(Goal("cells in which more seeds do not narrow the interval", widening(lines, REAL), 0))
    forgetful = min(line["coverage"][FORGETFUL] for line in lines)
    asked.append(Goal(f"{FORGETFUL}: least coverage, which must be too low", forgetful, LEAST))
    asked.append(Goal(f"{HULL}: cells in which more seeds do not narrow it", widening(lines, HULL), 1, "at least"))
    return asked


def measured(experiments: Iterable[str], replications: int) -> Results:
    """Return the coverage of every cell of the grid."""
    start, lines = time.perf_counter(), []
    for experiment, deviation, images in itertools.product(experiments, SEED_DEVIATIONS, IMAGES):
        lines += simulated(experiment, deviation, images, replications=WEIGHTS[experiment] * replications)
    return {
        "command": racing.command(),
        "machine": racing.machine("scipy"),
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": (time.perf_counter() - start) / 60,
        "lines": lines,
        "goals": [goal.as_json() for goal in goals(lines)],
    }


def page(results: Results) -> str:
    """Return the simulation as Markdown, a table per kind of number."""
    by_kind: dict[str, dict[tuple[float, int], list[Results]]] = defaultdict(lambda: defaultdict(list))
    for line in results["lines"]:
        by_kind[line["kind"]][line["deviation"], line["images"]].append(line)
    columns = ("seed s.d., images", *(f"{count} seeds: coverage, width" for count in SEEDS), "hull", "forgets seeds")
    parts = []
    for kind, cells in by_kind.items():
        table = [
            (
                f"{deviation:.2f}, {images}",
                *(f"{shown(line['coverage'][REAL])} {line['width'][REAL]:.3f}" for line in lines),
                *(" ".join(shown(line["coverage"][name]) for line in lines) for name in (HULL, FORGETFUL)),
            )
            for (deviation, images), lines in cells.items()
        ]
        replications = next(iter(cells.values()))[0]["replications"]
        parts += [f"## {WORDS[kind]}, {replications} replications", racing.table(columns, table)]
    what = (
        "How often the 95 % interval of a mean over seeds contains the truth of all networks and images, and how wide it is"
        f" on average; of each mutant the coverage with {', '.join(map(str, SEEDS))} seeds. Images correlate by {SHARED}"
        f" between networks. Each replication has {max(SEEDS)} networks, cut into groups without overlap;"
        f" {SAMPLING['resamples']} resamples. {results['date']}, {results['minutes']:.0f} minutes."
    )
    return racing.page("Intervals of means over seeds: coverage and width", what, results, *parts)


def shown(coverage: float) -> str:
    """Return a coverage in per cent, one that is too low in bold."""
    return f"{100 * coverage:.1f}" if coverage >= LEAST else f"**{100 * coverage:.1f}**"


def main() -> None:
    """Run the simulation and write its table."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--replications", type=int, default=150, help="of each cell, times WEIGHTS")
    parser.add_argument("--experiments", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS))
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.experiments, options.replications)
    racing.write(options.out, "interval_coverage", results, page(results))


if __name__ == "__main__":
    main()
