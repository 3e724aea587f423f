"""The paired differences that claims are judged by: four evaluations, one bootstrap over the same images."""

import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.paired_errors import paired_errors
from touchstone.evaluations.routing import routing
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.translation import translation
from touchstone.records.nouns import Cell, Outputs

RESAMPLES, SEED = 200, 5
SAMPLING = {"resamples": RESAMPLES, "bootstrap_seed": SEED}
PGD = {"use": "pgd", "eps": 0.1, "steps": 40}
WHOLE = {"use": "adaptive/routed_pgd", "eps": 0.1}
PROTECTS = {"protects": "cnn.0"}


def logits(right):
    return np.eye(2, dtype=np.float32)[np.where(right, 0, 1)]


def network(right, entry="cnn", attack="", settings=None, translator=""):
    """Outputs that are right on these rows, under an attack on the network itself; rows are not in the order of ids."""
    count = len(right)
    order = np.random.default_rng(len(entry + translator)).permutation(count)
    noun = Outputs(logits(right)[order], np.zeros(count, np.int64), np.arange(count)[order])
    file, victim = f"{entry}/{attack}/{translator}", f"{entry}.0" if attack else ""
    return Cell(noun, file, entry, 0, "digits", attack, victim, translator=translator, settings=settings or {})


def defence(right, untranslated=None, attack="", victim="", settings=None):
    """Outputs of a defence of cnn that translates every image."""
    bare = right if untranslated is None else untranslated
    features = {"untranslated": logits(bare), "translated": logits(right), "routed": np.ones(len(right), np.float32)}
    noun = Outputs(logits(right), np.zeros(len(right), np.int64), np.arange(len(right)), features)
    own = PROTECTS | (settings or {})
    return Cell(noun, f"translated/{victim}/{attack}", "translated", 0, "digits", attack, victim, settings=own)


def of_the_bare_network(first, second):
    """The pipeline less the network that it protects."""
    return routing([defence(first, second)], [], [], **SAMPLING), "accuracy_minus_cnn"


def of_knowledge(first, second):
    """The pipeline under an attack on the bare network, less under one on the whole of it."""
    cells = [
        defence(np.ones(len(first), bool)),
        defence(first, attack="pgd", victim="cnn.0", settings=PGD),
        defence(second, attack="both_paths", victim="translated.0", settings=WHOLE),
    ]
    return routing(cells, [], [], **SAMPLING), "fall_from_pgd_on_cnn"


def of_translators(first, second):
    """A network behind one translator, less behind another."""
    cells = [
        network(np.zeros(len(first), bool), attack="pgd", settings=PGD),
        network(first, attack="pgd", settings=PGD, translator="unet.0"),
        network(second, attack="pgd", settings=PGD, translator="denoiser.0"),
    ]
    return translation(cells, [], against=["denoiser"], **SAMPLING), "accuracy_minus_denoiser"


def of_known_defences(first, second):
    """A network less a defence, each under the attack that knows it."""
    cells = [
        network(first, "cnn_pgd", "reliable", PGD),
        defence(second, attack="both_paths", victim="translated.0", settings=WHOLE),
    ]
    return paired_errors(cells, against=["cnn_pgd"], **SAMPLING), "error_minus_cnn_pgd_under_reliable"


DIFFERENCES = [of_the_bare_network, of_knowledge, of_translators, of_known_defences]
every_difference = pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda function: function.__name__)


def the(found):
    rows, metric = found
    (row,) = (row for row in rows if row.metric == metric and not row.examples.endswith("/worst"))
    return row


def correlated(count=80):
    """Right on most images, and a second time on nearly the same ones."""
    generator = np.random.default_rng(1)
    first = generator.random(count) < 0.8
    return first, first & (generator.random(count) < 0.85)


def half_width(first, second):
    """Student's quantile times the standard error of the resampled difference."""
    draws = np.random.default_rng([SEED]).integers(0, len(first), size=(RESAMPLES, len(first)))
    apart = [first[draw].mean() - second[draw].mean() for draw in draws]
    return stats.t.ppf(0.975, len(first) - 1) * np.std(apart, ddof=1)


@every_difference
def test_the_interval_is_that_of_the_same_draws_worked_by_hand(difference):
    first, second = correlated()

    row = the(difference(first, second))

    value, half = first.mean() - second.mean(), half_width(first, second)
    assert half > 1.96**2 / (80 + 1.96**2)  # what 80 images without a difference could hide
    assert (row.low, row.value, row.high) == pytest.approx((value - half, value, value + half))
    assert (row.n, row.unit) == (80, "difference of fractions")


@every_difference
def test_pairing_is_narrower_than_two_intervals_where_images_are_hard_for_both(difference):
    first, second = correlated()

    row = the(difference(first, second))

    one, other = (intervals.binomial(int(right.sum()), len(right)) for right in (first, second))
    combined = (one.high - other.low) - (one.low - other.high)
    assert 0 < row.high - row.low < combined / 2


@every_difference
def test_the_difference_turns_its_sign_when_both_change_places(difference):
    first, second = correlated()

    row, turned = the(difference(first, second)), the(difference(second, first))

    assert turned.value == -row.value < 0
    assert (turned.low, turned.high) == pytest.approx((-row.high, -row.low))


@every_difference
@pytest.mark.parametrize("apart", [0, 1])
def test_what_is_the_same_on_every_image_is_as_sure_as_so_few_allow(difference, apart):
    second = np.zeros(40, bool) if apart else np.arange(40) % 3 == 0
    first = np.ones(40, bool) if apart else second

    row = the(difference(first, second))

    unseen = 1.96**2 / (40 + 1.96**2)
    assert (row.low, row.value, row.high) == pytest.approx((apart - unseen, apart, min(1, apart + unseen)), abs=1e-4)


@every_difference
def test_both_files_are_named(difference):
    assert len(the(difference(*correlated())).files) == (1 if difference is of_the_bare_network else 2)


# --- what is paired with what --------------------------------------------------------------------------------------


def metrics(rows, start):
    return sorted((row.entry, row.examples, row.metric) for row in rows if row.metric.startswith(start))


def test_a_fall_is_from_attacks_of_the_same_budget_on_the_protected_network_alone():
    right = np.ones(8, bool)
    cells = [
        defence(right),
        defence(right, attack="pgd", victim="cnn.0", settings=PGD),
        defence(right, attack="pgd_20", victim="cnn.0", settings=PGD | {"eps": 0.2}),
        defence(right, attack="pgd_l2", victim="cnn.0", settings=PGD | {"norm": "l2"}),
        defence(right, attack="fgsm", victim="mlp.0", settings=PGD),
        defence(~right, attack="both_paths", victim="translated.0", settings=WHOLE),
    ]

    found = metrics(routing(cells, [], [], **SAMPLING), "fall_from")

    assert found == [
        ("translated", "digits/both_paths", "fall_from_pgd_on_cnn"),
        ("translated", "digits/worst", "fall_from_pgd_on_cnn"),
    ]


def test_a_fall_between_other_images_is_refused():
    cells = [
        defence(np.ones(8, bool)),
        defence(np.ones(8, bool), attack="pgd", victim="cnn.0", settings=PGD),
        defence(np.ones(6, bool), attack="both_paths", victim="translated.0", settings=WHOLE),
    ]

    with pytest.raises(
        ValueError, match=r"translated/cnn\.0/pgd and translated/translated\.0/both_paths are not of the"
    ):
        routing(cells, [], [], **SAMPLING)


def test_translators_are_compared_on_one_set_and_only_with_those_named():
    right = np.ones(8, bool)
    plain = [network(right, attack=attack, settings=PGD if attack else None) for attack in ("", "pgd")]
    given_back = [
        network(right, attack=attack, settings=PGD if attack else None, translator=f"{name}.0")
        for attack in ("", "pgd")
        for name in ("unet", "denoiser", "gan_unet")
    ]

    found = metrics(translation([*plain, *given_back], [], against=["denoiser"], **SAMPLING), "accuracy_minus")

    sets = ["digits/gan_unet", "digits/pgd/gan_unet", "digits/pgd/unet", "digits/unet"]
    assert found == [("cnn", name, "accuracy_minus_denoiser") for name in sets]


def test_a_translator_that_translated_nothing_is_refused():
    with pytest.raises(ValueError, match="no outputs of sets translated by denoisr"):
        translation([network(np.ones(8, bool))], [], against=["denoisr"])


def test_classifiers_under_other_attacks_are_compared_where_no_attack_was_made_on_both():
    right, other = np.ones(8, bool), PGD | {"eps": 0.2}
    cells = [
        network(right, "cnn_pgd", "reliable", PGD),
        network(right, "cnn_pgd", "reliable_20", other),
        network(right, "cnn", "pgd", PGD),
        network(right, "cnn_pgd", "pgd", PGD),
        defence(right, attack="both_paths", victim="translated.0", settings=WHOLE),
    ]

    found = metrics(paired_errors(cells, against=["cnn_pgd"], **SAMPLING), "error_minus")

    under = [("translated", "digits/both_paths", f"error_minus_cnn_pgd_under_{name}") for name in ("pgd", "reliable")]
    # cnn lacks `reliable`, but cnn_pgd has `pgd` too, and that is what they are compared under.
    assert found == [("cnn", "digits/pgd", "error_minus_cnn_pgd"), *under]
