import numpy as np
import pytest

from touchstone.evaluations.robustness import robustness
from touchstone.records.nouns import Cell, Outputs

FGSM = {"use": "fgsm", "eps": 0.1}
PGD = {"use": "pgd", "eps": 0.1, "steps": 40}


def outputs(predictions, labels=(0, 1, 2, 0), ids=None, sure=4.0, unquantised=None):
    """Logits of `sure` for the predicted class of three and 0 for the others."""
    logits = sure * np.eye(3, dtype=np.float32)[list(predictions)]
    floats = None if unquantised is None else np.eye(3, dtype=np.float32)[list(unquantised)]
    return Outputs(
        logits, np.array(labels, dtype=np.int64), np.arange(len(labels)) if ids is None else np.array(ids),
        unquantised_logits=floats,
    )  # fmt: skip


def clean(predictions, seed=0, **more):
    return Cell(outputs(predictions, **more), f"clean.{seed}", entry="cnn", seed=seed, examples="digits")


def attacked(predictions, attack="pgd", settings=PGD, seed=0, victim=None, translator="", **more):
    return Cell(
        outputs(predictions, **more), f"{attack}.{seed}{translator}", entry="cnn", seed=seed, examples="digits",
        attack=attack, victim=victim or f"cnn.{seed}", settings=settings, translator=translator,
    )  # fmt: skip


def by_metric(rows, examples):
    return {row.metric: row for row in rows if row.examples == examples}


def test_four_rows_worked_by_hand():
    # Right when clean: the first three. Attacked: only the first is left, the float images lose it too.
    labels = (0, 1, 2, 1)
    cells = [clean([0, 1, 2, 0], labels=labels), attacked([0, 0, 0, 0], labels=labels, unquantised=[1, 0, 0, 0])]

    found = by_metric(robustness(cells), "digits/pgd")

    assert found["robust_accuracy"].value == 0.25
    assert found["robust_accuracy_unquantised"].value == 0
    assert (found["success_rate"].value, found["success_rate"].n) == (pytest.approx(2 / 3), 3)
    assert " ".join(found["success_rate"].files) == "pgd.0 clean.0"
    assert str(found["robust_accuracy"].threat) == "white-box linf eps=0.1 steps=40 (pgd)"


def test_clean_accuracy_has_the_exact_binomial_interval():
    found = by_metric(robustness([clean([0, 1, 2, 0])]), "digits")

    row = found["clean_accuracy"]
    assert (row.value, row.high) == (1, 1)
    assert row.low == pytest.approx(0.025 ** (1 / 4))  # all of n right: closed form
    assert "mean_confidence_on_errors" not in found


def test_confidence_on_errors_is_the_mean_softmax_maximum_of_the_wrong_rows():
    found = by_metric(robustness([clean([1, 1, 1, 1], sure=2.0)]), "digits")

    row = found["mean_confidence_on_errors"]
    assert row.value == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert row.n == 3


def test_the_union_counts_what_no_attack_of_the_budget_beats():
    cells = [
        clean([0, 1, 2, 0]),
        attacked([0, 1, 0, 0]),
        attacked([1, 1, 2, 0], "fgsm", FGSM),
        attacked([0, 0, 0, 0], "pgd_20", {**PGD, "eps": 0.2}),
        attacked([1, 0, 0, 1], "fgsm_mlp", FGSM, victim="mlp.0"),
    ]

    found = by_metric(robustness(cells), "digits/union_linf@0.1")

    row = found["robust_accuracy_union"]
    assert row.value == 0.5
    assert str(row.threat) == "white-box, the worst of fgsm, pgd, linf eps=0.1"
    assert " ".join(row.files) == "fgsm.0 pgd.0"


CW, INVERTED = {"use": "attacks/carlini_wagner", "steps": 9}, {"use": "attacks/colour_inversion"}
FREE_PARTS = {"use": "attacks/worst_of", "attacks": [PGD, CW]}
TWO_NORMS = {"use": "attacks/worst_of", "attacks": [PGD, PGD | {"norm": "l2", "eps": 0.5}]}


@pytest.mark.parametrize("settings", [CW, INVERTED, FREE_PARTS, TWO_NORMS])
def test_an_attack_without_one_budget_enters_no_robust_accuracy(settings):
    cells = [
        clean([0, 1, 2, 0]),
        attacked([1, 0, 2, 0], "free", settings, unquantised=[1, 0, 0, 0]),
        attacked([0, 1, 0, 0]),
        attacked([1, 1, 2, 0], "fgsm", FGSM),
        attacked([1, 0, 0, 1], "also_free", settings),
    ]

    rows = robustness(cells)

    found = by_metric(rows, "digits/free")
    assert (found["attacked_accuracy"].value, found["attacked_accuracy"].threat.eps) == (0.5, None)
    assert found["attacked_accuracy_unquantised"].value == 0.25
    assert found["success_rate"].value == 0.5
    assert {row.examples for row in rows if row.metric.startswith("robust")} == {
        "digits/pgd", "digits/fgsm", "digits/union_linf@0.1",
    }  # fmt: skip
    (union,) = [row for row in rows if row.metric == "robust_accuracy_union"]
    assert (union.value, union.threat.worst_of) == (0.5, ("fgsm", "pgd"))


@pytest.mark.parametrize("of", [lambda fgsm: fgsm, lambda fgsm: {"use": "attacks/worst_of", "attacks": [PGD, fgsm]}])
def test_float_images_outside_the_pixel_range_enter_no_robust_accuracy_and_8_bit_images_do(of):
    unclipped, clipped = (of(FGSM | {"clip": clip}) for clip in (False, True))
    cells = [
        clean([0, 1, 2, 0]),
        attacked([1, 1, 2, 0], "unclipped", unclipped, unquantised=[1, 0, 2, 0]),
        attacked([1, 1, 2, 0], "clipped", clipped, unquantised=[1, 0, 2, 0]),
    ]

    rows = robustness(cells)

    outside, inside = (by_metric(rows, f"digits/{name}") for name in ("unclipped", "clipped"))
    assert outside["attacked_accuracy_unquantised"].value == inside["robust_accuracy_unquantised"].value == 0.5
    assert outside["robust_accuracy"].value == inside["robust_accuracy"].value == 0.75
    assert "robust_accuracy_unquantised" not in outside and "attacked_accuracy_unquantised" not in inside
    assert by_metric(rows, "digits/union_linf@0.1")["robust_accuracy_union"].value == 0.75


def test_one_attack_of_a_budget_has_no_union():
    rows = robustness([clean([0, 1, 2, 0]), attacked([0, 1, 0, 0]), attacked([0] * 4, "pgd_20", {**PGD, "eps": 0.2})])

    assert not [row for row in rows if "union" in row.metric]


def test_attacks_on_some_of_the_rows_are_compared_with_those_rows():
    cells = [clean([0, 1, 2, 1]), attacked([0, 1], labels=(2, 0), ids=[2, 0])]

    found = by_metric(robustness(cells), "digits/pgd")

    assert (found["success_rate"].value, found["success_rate"].n) == (1, 2)


def test_translated_sets_are_oblivious_and_named_after_the_translator():
    rows = robustness([clean([0, 1, 2, 0]), attacked([0, 1, 2, 0], translator="unet.0")])

    found = by_metric(rows, "digits/pgd/unet")["robust_accuracy"]
    assert str(found.threat) == "oblivious linf eps=0.1 steps=40 (pgd)"


def test_means_over_seeds_stand_beside_each_seed():
    rows = robustness([clean([0, 1, 2, 0], 0), clean([1, 1, 2, 0], 1)])

    assert [(row.value, row.seed) for row in rows if row.metric == "clean_accuracy"] == [(1, 0), (0.75, 1)]
    mean = by_metric(rows, "digits")["clean_accuracy_mean"]
    assert (mean.value, mean.method, mean.seeds, mean.images) == (0.875, "score", (0, 1), 4)
    assert 0 < mean.low < 0.75 and mean.high > 0.95  # of four images and two networks: nearly anything


def test_an_attack_without_its_clean_set_is_refused():
    with pytest.raises(ValueError, match="one file with clean digits: none is given"):
        robustness([attacked([0, 1, 2, 0])])


def test_rows_without_a_class_are_refused():
    with pytest.raises(ValueError, match="1 of 4 rows have no class"):
        robustness([clean([0, 1, 2, 0], labels=(0, 1, 2, -1))])


def test_a_network_with_own_probabilities_is_as_sure_as_they_are():
    logits = np.log(np.array([[0.02, 0.01, 0.01]] * 4, dtype=np.float32))
    cell = Cell(Outputs(logits, np.zeros(4, np.int64), np.arange(4)), "clean", entry="rbf", seed=0, examples="digits")

    plain, own = (by_metric(robustness([cell], own_probabilities=names), "digits") for names in ([], ["rbf"]))

    assert plain["mean_confidence"].value == pytest.approx(0.5)
    assert own["mean_confidence"].value == pytest.approx(0.02)
