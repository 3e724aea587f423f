"""The design that settles a number: simulated with the very interval that verdicts use, and by its properties."""

import math

import numpy as np
import pytest
from scipy import special

from touchstone.evaluations.statistics import power, seed_intervals
from touchstone.evaluations.statistics.power import Design, Question, chance, grown, smallest
from touchstone.evaluations.statistics.seed_intervals import PLAIN, SCORE, SIGNED, Spread

PARTS = [(4e-4, 1e-4, 1e-4), (1e-4, 4e-4, 1e-4), (0.0, 2e-4, 6e-4), (9e-4, 1e-5, 0.0)]  # of seeds, images, residual
NOISE = 0.03  # three standard errors of a simulated chance near .8


def question(distance=0.03, comparison="at_least", bound=0.8, method=PLAIN):
    return Question(method, comparison, bound, distance)


def settled(low, high, asked, above):
    return low >= asked.bound if above else high < asked.bound


def simulated(spread, asked, above=True, repetitions=1600):
    """How often the interval of a normal two-way model is on the truth's side of the bound."""
    generator, hits = np.random.default_rng(5), 0
    truth = asked.bound + (asked.distance if above else -asked.distance)
    for _ in range(repetitions):
        shared = generator.normal(0, math.sqrt(spread.image_variance))
        own = generator.normal(0, math.sqrt(spread.seed_variance + spread.residual_variance), spread.seeds)
        values = truth + shared + own
        between = max(float(np.var(values, ddof=1)) - spread.residual_variance, 0.0)
        seen = spread._replace(seed_variance=between)
        ends = seed_intervals.ends(float(values.mean()), seen.variance, seen.df, spread.images, asked.method)
        hits += settled(*ends, asked, above)
    return hits / repetitions


@pytest.mark.parametrize("parts", PARTS)
def test_the_design_has_its_chance_and_one_seed_fewer_has_not(parts):
    start, asked = Spread(3, 400, *parts), question()

    design = smallest(start, asked, 4000)

    assert simulated(grown(start, design.seeds, design.images), asked) >= power.POWER - NOISE
    if design.seeds > 3:  # whatever the images
        fewer = grown(start, design.seeds - 1, 4000)
        assert chance(fewer, asked) < power.POWER
        assert simulated(fewer, asked) == pytest.approx(chance(fewer, asked), abs=NOISE)


@pytest.mark.parametrize("parts", PARTS)
def test_a_chance_is_that_of_the_simulated_interval_on_either_side(parts):
    spread, asked = Spread(4, 900, *parts), question(0.04)

    for above in (True, False):
        assert simulated(spread, asked, above) == pytest.approx(chance(spread, asked), abs=NOISE)


def test_a_paired_difference_is_no_narrower_than_its_images_allow():
    start, asked = Spread(5, 360, 0.0, 1e-8, 1e-8), question(0.01, bound=-0.01, method=SIGNED)

    design = smallest(start, asked, 10_000)

    z = 1.959964
    assert design.images == pytest.approx(z**2 / 0.01 - z**2, rel=0.02)
    assert design.seeds == 5
    assert simulated(grown(start, 5, design.images), asked) > 0.75
    assert simulated(grown(start, 5, design.images - 20), asked) == 0


def hits_of_networks(generator, seeds, images, share):
    """Which images each network gets right: a threshold on image, network and their own part, (S, N) bool."""
    image, network, own = 0.8, 0.2, math.sqrt(1 - 0.8**2)
    level = math.sqrt(1 + network**2) * float(special.ndtri(share))
    score = image * generator.normal(size=images) + own * generator.normal(size=(seeds, images))
    return score + network * generator.normal(size=(seeds, 1)) + level > 0


def spread_of(hits, generator, resamples=150):
    times = generator.multinomial(hits.shape[1], np.full(hits.shape[1], 1 / hits.shape[1]), size=resamples)
    return seed_intervals.spread(hits.mean(axis=1), hits @ times.T / hits.shape[1], hits.shape[1])


@pytest.mark.parametrize("above", [True, False])
def test_the_design_of_a_share_holds_for_real_hits_and_misses(above):
    generator, asked = np.random.default_rng(1), question(0.06, bound=0.9, method=SCORE)
    at_bound = [spread_of(hits_of_networks(generator, 3, 300, 0.9), generator) for _ in range(60)]
    start = Spread(3, 300, *np.mean([each[2:] for each in at_bound], axis=0))

    design = smallest(start, asked, 300)
    found = 0
    for _ in range(400):
        hits = hits_of_networks(generator, design.seeds, design.images, 0.9 + (0.06 if above else -0.06))
        seen = spread_of(hits, generator)
        found += settled(
            *seed_intervals.ends(float(hits.mean()), seen.variance, seen.df, seen.images, SCORE), asked, above
        )

    assert design.seeds > 3
    assert found / 400 >= power.POWER - 0.06


@pytest.mark.parametrize("method", [PLAIN, SIGNED, SCORE])
@pytest.mark.parametrize("parts", PARTS)
def test_more_seeds_images_and_distance_help_and_more_variance_does_not(parts, method):
    spread = Spread(5, 400, *parts)
    here = chance(spread, question(method=method))

    assert chance(grown(spread, 8, 400), question(method=method)) >= here - 1e-9
    # Where seeds vary most, fewer degrees of freedom take back what more images give.
    assert chance(grown(spread, 5, 900), question(method=method)) >= here - 0.01
    assert chance(spread, question(0.05, method=method)) > here
    for part in ("seed_variance", "image_variance", "residual_variance"):
        wider = spread._replace(**{part: getattr(spread, part) + 3e-4})
        assert chance(wider, question(method=method)) < here


@pytest.mark.parametrize("parts", PARTS)
def test_a_smaller_distance_never_needs_less(parts):
    sizes = [smallest(Spread(3, 400, *parts), question(distance), 100_000) for distance in (0.04, 0.03, 0.025)]
    designs = [size for size in sizes if isinstance(size, Design)]

    assert len(designs) >= 2
    assert [each.seeds for each in designs] == sorted(each.seeds for each in designs)


def test_a_bound_from_below_needs_what_its_mirror_image_needs():
    spread = Spread(3, 400, *PARTS[0])

    assert chance(spread, question(bound=0.9, method=SCORE)) == pytest.approx(
        chance(spread, question(bound=0.1, comparison="at_most", method=SCORE))
    )
    assert smallest(spread, question(comparison="below"), 400) == smallest(spread, question(), 400)


def test_without_a_cost_seeds_are_few_and_with_one_the_design_is_cheap():
    spread, asked = Spread(3, 400, 2e-4, 3e-4, 1e-4), question(0.04)

    few = smallest(spread, asked, 4000)
    cheap = smallest(spread, asked, 4000, lambda seeds, images: images)
    fast = smallest(spread, asked, 4000, lambda seeds, images: seeds * images)

    assert few.seeds < cheap.seeds
    assert cheap.images < fast.images or cheap.seeds * cheap.images >= fast.seeds * fast.images
    assert min(few.chance, cheap.chance, fast.chance) >= power.POWER


def test_between_bounds_both_ends_have_to_be_clear():
    spread = Spread(5, 400, *PARTS[0])
    wide, narrow = (question(0.04, comparison="between", bound=(-reach, reach)) for reach in (0.2, 0.04))

    assert chance(spread, narrow) < chance(spread, wide)
    assert chance(spread, wide) == pytest.approx(chance(spread, question(0.04)))


def test_a_share_of_which_nothing_varied_is_sized_by_its_images():
    design = smallest(Spread(5, 300, 0.0, 0.0, 0.0), question(0.02, bound=0.97, method=SCORE), 10_000)

    normal = (1.96 * math.sqrt(0.97 * 0.03) + 0.8416 * math.sqrt(0.95 * 0.05)) / 0.02
    assert design.seeds == 5
    assert design.images == pytest.approx(normal**2, rel=0.05)


def test_a_share_above_zero_needs_one_success():
    asked = question(0.05, comparison="above", bound=0.0, method=SCORE)

    assert smallest(Spread(3, 10, 0.0, 0.0, 0.0), asked, 500).images < 60


@pytest.mark.parametrize(
    ("spread", "asked", "reason"),
    [
        (Spread(5, 400, *PARTS[0]), question(comparison="equals"), "equality is no estimate"),
        (Spread(5, 400, *PARTS[0]), question(comparison=""), "nothing to decide"),
        (Spread(5, 400, *PARTS[0]), question(0.0), "no distance: the paper's folder fixes none"),
        (Spread(5, 400, *PARTS[0]), question(0.06, "between", (0.0, 0.1)), "closer than twice the distance"),
        (Spread(1, 400, 0.0, 1e-4, 0.0), question(), "too few seeds: 1 cannot show how much networks differ; run 3"),
        (Spread(2, 400, *PARTS[0]), question(), "too few seeds: 2"),
        (Spread(5, 400, *PARTS[1]), question(0.01), "images: with all 1,000 of them the images' part alone"),
        (Spread(5, 400, 9e-3, 0.0, 0.0), question(0.03), "seeds: more than 60 are needed, even with all 1,000 images"),
        (Spread(5, 400, 1e-8, 1e-8, 0.0), question(), "enough already: 5 seeds and 400 images decide it"),
        (Spread(5, 400, *PARTS[0]), question(1.5, method=SCORE), "no truth: a share cannot be 1.5 beyond"),
    ],
)
def test_where_nothing_settles_a_number_the_reason_is_in_words(spread, asked, reason):
    assert reason in smallest(spread, asked, 1000)
