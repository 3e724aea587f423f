"""The interval of a mean over seeds and images: its variance and its ends against closed forms, and its coverage."""

import numpy as np
import pytest
import threadpoolctl
from scipy import stats

import interval_coverage
from interval_coverage import FORGETFUL, HULL, LEAST, REAL, SEEDS
from touchstone.evaluations.statistics import seed_intervals, wording
from touchstone.evaluations.statistics.seed_intervals import (
    PLAIN,
    SCORE,
    SIGNED,
    SIGNED_DIFFERENCE,
    Spread,
    ends,
    spread,
)

Z = stats.norm.ppf(0.975)


def two_way(seeds, images, *, seed_effect=0.3, image_effect=0.5, residual=1.0, random_seed=0):
    """A balanced layout (S, N): an effect of the seed, one of the image, and what remains."""
    generator = np.random.default_rng(random_seed)
    effects = generator.normal(size=(seeds, 1)), generator.normal(size=images), generator.normal(size=(seeds, images))
    return seed_effect * effects[0] + image_effect * effects[1] + residual * effects[2]


def resampled(layout):
    """Columns (S, N) that vary as the means of resampled images do: exactly, without random numbers."""
    means = layout.mean(axis=1, keepdims=True)
    return means + (layout - means) / np.sqrt(layout.shape[1])


def mean_squares(layout):
    """The mean squares of seeds, of images and of the residual, from the sums of squares of the analysis of variance."""
    seeds, images = layout.shape
    of_seeds, of_images, whole = layout.mean(axis=1), layout.mean(axis=0), layout.mean()
    left = layout - of_seeds[:, None] - of_images + whole
    return (
        images * np.sum((of_seeds - whole) ** 2) / (seeds - 1),
        seeds * np.sum((of_images - whole) ** 2) / (images - 1),
        np.sum(left**2) / ((seeds - 1) * (images - 1)),
    )


def found(layout, **more):
    return spread(layout.mean(axis=1), resampled(layout), layout.shape[1], **more)


# --- the variance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seeds", "images"), [(2, 80), (3, 200), (5, 40), (10, 1000)])
def test_the_variance_is_that_of_the_two_way_layout(seeds, images):
    layout = two_way(seeds, images, seed_effect=1)
    of_seeds, of_images, residual = mean_squares(layout)
    assert of_seeds > residual and of_images > residual  # else a part is cut off at 0, which other tests are about

    one = found(layout)

    assert one.variance == pytest.approx((of_seeds + of_images - residual) / (seeds * images))
    assert one.seed_variance == pytest.approx((of_seeds - residual) / images)
    assert one.image_variance == pytest.approx((of_images - residual) / (seeds * images))
    assert one.residual_variance == pytest.approx(residual / images)


@pytest.mark.parametrize(("seeds", "images"), [(2, 80), (3, 200), (10, 1000)])
def test_the_degrees_of_freedom_are_satterthwaites(seeds, images):
    layout = two_way(seeds, images, seed_effect=1)
    squares = mean_squares(layout)
    each = seeds - 1, images - 1, (seeds - 1) * (images - 1)

    one = found(layout)

    parts = np.array(squares) / (seeds * images)
    expected = (parts[0] + parts[1] - parts[2]) ** 2 / np.sum(parts**2 / each)
    assert one.df == pytest.approx(max(expected, seeds - 1))


@pytest.mark.parametrize("random_seed", range(20))
@pytest.mark.parametrize("seed_effect", [0, 0.1, 3])
def test_there_are_never_fewer_degrees_of_freedom_than_those_of_the_seeds(seed_effect, random_seed):
    layout = two_way(3, 30, seed_effect=seed_effect, image_effect=0.1, random_seed=random_seed)

    assert found(layout).df >= 2


def test_seeds_that_alone_vary_have_their_own_degrees_of_freedom():
    one = found(np.array([[0.0], [1.0], [5.0], [6.0]]) * np.ones(30))

    assert (one.image_variance, one.residual_variance) == (0, 0)
    assert one.variance == pytest.approx(np.var([0, 1, 5, 6], ddof=1) / 4)
    assert one.df == pytest.approx(3)


def test_nothing_that_varies_has_the_degrees_of_freedom_of_the_images():
    assert found(np.ones((4, 30)))[2:] == (0, 0, 0)
    assert found(np.ones((4, 30))).df == 29


def test_seeds_that_agree_by_chance_leave_the_variance_of_images_and_residual():
    layout = two_way(3, 50)
    layout -= layout.mean(axis=1, keepdims=True)  # equal means, although the residual moves each
    _, of_images, residual = mean_squares(layout)

    one = found(layout)

    assert one.seed_variance == 0
    assert one.variance == pytest.approx(of_images / (3 * 50))
    assert one.variance == pytest.approx(one.image_variance + residual / (3 * 50))


def test_bootstrap_samples_give_the_same_parts():
    layout = two_way(4, 300, seed_effect=0.2)
    drawn = np.random.default_rng(1).integers(0, 300, size=(4000, 300))

    one = spread(layout.mean(axis=1), layout[:, drawn].mean(axis=2), 300)

    exact = found(layout)
    assert one.variance == pytest.approx(exact.variance, rel=0.05)
    assert (one.image_variance, one.residual_variance) == pytest.approx(exact[3:], rel=0.1)


def test_one_seed_has_the_variance_of_its_images_only():
    layout = two_way(1, 80)

    one = found(layout)

    variance = pytest.approx(layout.var(ddof=1) / 80)
    assert one == (1, 80, 0, variance, 0)
    assert (one.variance, one.df) == (variance, 79)


def test_images_that_differ_between_seeds_count_as_if_all_seeds_shared_them():
    layout = two_way(3, 200, seed_effect=0)

    apart, shared = found(layout, aligned=False), found(layout)

    per_image = layout.var(axis=1, ddof=1).mean()
    assert (apart.image_variance, apart.residual_variance) == (pytest.approx(per_image / 200), 0)
    assert apart.variance > shared.variance


def test_images_that_every_seed_sees_do_not_average_out_and_seeds_do():
    of_images, of_seeds = (Spread(seeds, 100, *parts) for seeds, parts in ((10, (0, 0.04, 0)), (10, (0.04, 0, 0))))

    assert of_images.variance == pytest.approx(0.04)
    assert of_seeds.variance == pytest.approx(0.004)


# --- the ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "images"), [(0, 20), (1, 20), (10, 20), (37, 359), (359, 359)])
def test_without_seeds_a_share_has_the_interval_of_wilson(count, images):
    share = count / images
    variance = share * (1 - share) / images

    low, high = ends(share, variance, np.inf, images, SCORE)

    expected = stats.binomtest(count, images).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("df", [2, 4, 358, np.inf])
def test_a_count_of_zero_is_bounded_by_the_images_and_the_quantile(df):
    t = stats.t.ppf(0.975, df)

    assert ends(0, 0, df, 359, SCORE) == pytest.approx((0, t**2 / (359 + t**2)))
    assert ends(1, 0, df, 359, SCORE) == pytest.approx((359 / (359 + t**2), 1))


@pytest.mark.parametrize("images", [10, 359])
def test_a_share_that_nears_0_or_1_has_the_ends_that_it_has_there(images):
    """One misranked pair of 359 x 359 must not show forty times as much as none."""
    df = images - 1
    low, _ = ends(1, 0, df, images, SCORE)
    for distance in (1e-2, 1e-4, 1e-6):
        value, variance = 1 - distance, (distance / 10) ** 2  # far more precise than a share of so many images
        near = ends(value, variance, df, images, SCORE)

        assert near[0] <= low + 1e-12 and near[0] == pytest.approx(low, abs=2 * distance)
        assert ends(distance, variance, df, images, SCORE) == pytest.approx((1 - near[1], 1 - near[0]), abs=1e-12)


def test_no_share_has_a_higher_lower_end_than_a_share_of_all_images():
    low, _ = ends(1, 0, 199, 200, SCORE)

    for value in np.linspace(0.5, 1, 101):
        for effective in (3, 50, 200, 10**4, 10**9):
            for df in (2, 10, 199):
                below, above = ends(value, value * (1 - value) / effective, df, 200, SCORE)
                assert below <= min(low, value) + 1e-12 and above >= value


def test_no_discordant_pair_of_359_still_allows_one_point():
    low, high = ends(0, 0, 358, 359, SIGNED)

    assert (low, high) == pytest.approx((-(Z**2) / (359 + Z**2), Z**2 / (359 + Z**2)))
    assert high == pytest.approx(0.0106, abs=5e-5)


@pytest.mark.parametrize("method", [SIGNED, SIGNED_DIFFERENCE, PLAIN])
def test_a_difference_has_students_interval(method):
    variance, df = 0.01**2, 3.5

    low, high = ends(0.1, variance, df, 1000, method)

    assert (low, high) == pytest.approx(stats.t.interval(0.95, df, loc=0.1, scale=0.01))


def test_plain_numbers_that_do_not_vary_have_no_width():
    assert ends(0.3, 0, 10, 50, PLAIN) == (0.3, 0.3)


def test_a_share_whose_seeds_differ_stays_inside_0_and_1_and_around_its_value():
    low, high = ends(0.97, 0.05**2, 2, 1000, SCORE)

    assert 0 < low < 0.97 < high < 1
    assert 0.97 - low > high - 0.97


@pytest.mark.parametrize(("method", "largest"), [(SIGNED, 1), (SIGNED_DIFFERENCE, 2)])
def test_a_difference_ends_where_no_difference_can_be(method, largest):
    low, high = ends(0.9 * largest, 0.2**2, 2, 1000, method)

    assert high == largest and low == pytest.approx(0.9 * largest - 0.2 * stats.t.ppf(0.975, 2))
    assert ends(-0.9 * largest, 0.2**2, 2, 1000, method) == (-high, -low)


def test_every_method_of_an_interval_has_words():
    assert set(seed_intervals.METHODS) <= wording.METHODS.keys()


@pytest.mark.parametrize("method", [SCORE, SIGNED, SIGNED_DIFFERENCE, PLAIN])
@pytest.mark.parametrize("parts", [(0.05**2, 1e-4, 1e-4), (0, 1e-4, 1e-4), (0.05**2, 0, 0)])
def test_the_interval_narrows_with_seeds(parts, method):
    widths = []
    for seeds in (2, 3, 5, 10, 30):
        one = Spread(seeds, 200, *parts)
        widths.append(np.ptp(ends(0.8, one.variance, one.df, 200, method)))

    assert widths == sorted(widths, reverse=True) and widths[-1] < widths[0]


# --- decisions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [True, False])
def test_the_p_value_of_a_normal_number_is_its_tail(above):
    def normal(confidence):
        return ends(0.3, 0.1**2, np.inf, 100, PLAIN, confidence)

    found = seed_intervals.p_value(normal, 0.1, above=above)

    assert found == pytest.approx(stats.norm.sf(2) if above else 0.5, abs=1e-9)


def test_holms_decisions_stand_until_the_first_that_does_not():
    assert seed_intervals.holm({"b": 0.02, "a": 0.01, "d": 0.04, "c": 0.03}) == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
    }
    assert seed_intervals.holm({"a": 0.012, "b": 0.016, "c": 0.024, "d": 0.05}) == dict.fromkeys("abcd", True)


# --- coverage: a small part of benchmarks/interval_coverage.py, with the same random numbers each time -------------

CELLS = [("share", 0.05), ("difference", 0.0), ("difference", 0.05), ("difference", 0.1), ("sr", 0.0), ("opposed", 0.0)]
REPLICATIONS = 150
ENOUGH = LEAST - 2 * np.sqrt(LEAST * (1 - LEAST) / REPLICATIONS)  # two standard errors below, with so few


@pytest.fixture(scope="module")
def coverage():
    """The lines of each cell, by (kind, s.d. of the seeds) and number of seeds."""
    with threadpoolctl.threadpool_limits(1):  # products this small are slower with more
        lines = [
            line
            for kind, deviation in CELLS
            for line in interval_coverage.simulated(kind, deviation, 200, replications=REPLICATIONS)
        ]
    return {(line["kind"], line["deviation"], line["seeds"]): line for line in lines}


def widths(coverage, cell, name):
    return [coverage[*cell, seeds]["width"][name] for seeds in SEEDS]


@pytest.mark.parametrize("cell", CELLS)
def test_the_interval_of_a_mean_contains_the_truth_and_narrows_with_seeds(coverage, cell):
    assert min(coverage[*cell, seeds]["coverage"][REAL] for seeds in SEEDS) >= ENOUGH
    assert sorted(widths(coverage, cell, REAL), reverse=True) == widths(coverage, cell, REAL)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell[1] > 0])
def test_a_bootstrap_that_forgets_seeds_misses_the_truth(coverage, cell):
    assert max(coverage[*cell, seeds]["coverage"][FORGETFUL] for seeds in SEEDS) < ENOUGH


@pytest.mark.parametrize("cell", CELLS)
def test_the_hull_of_the_seeds_intervals_widens_with_seeds(coverage, cell):
    assert sorted(widths(coverage, cell, HULL)) == widths(coverage, cell, HULL)
