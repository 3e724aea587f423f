from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.paired_errors import paired_errors
from touchstone.records.nouns import Cell, Outputs

FGSM = {"use": "fgsm", "eps": 0.1}
PGD = {"use": "pgd", "eps": 0.1, "steps": 40}


def cell(wrong, entry="mlp", seed=0, attack="", settings=None, victim=None, ids=None):
    """Outputs that are wrong on the rows named; all true classes are 0."""
    count = 8 if ids is None else len(ids)
    logits = np.eye(2, dtype=np.float32)[[int(row in wrong) for row in range(count)]]
    noun = Outputs(logits, np.zeros(count, np.int64), np.arange(count) if ids is None else np.array(ids))
    victim = (victim or f"{entry}.{seed}") if attack else ""
    return Cell(
        noun, f"{entry}.{seed}/{victim}/{attack}", entry, seed, "digits", attack, victim, settings=settings or {}
    )


def found(rows, metric, entry="mlp", seed=0):
    return [(row.examples, row.value) for row in rows if (row.metric, row.entry, row.seed) == (metric, entry, seed)]


def test_attacks_of_one_budget_are_compared_and_no_others():
    cells = [cell([0]), cell([0, 1], attack="fgsm", settings=FGSM), cell([0, 1, 2, 3], attack="pgd", settings=PGD),
             cell(range(8), attack="pgd_20", settings={**PGD, "eps": 0.2})]  # fmt: skip

    rows = paired_errors(cells, against=["fgsm"])

    assert [(row.examples, row.metric, row.value) for row in rows] == [("digits/pgd", "error_minus_fgsm", 0.25)]
    assert str(rows[0].threat) == "white-box linf eps=0.1 steps=40 (pgd)"
    assert rows[0].unit == "difference of fractions"


def test_attacks_without_a_budget_have_none_in_common():
    unlimited = {name: {"use": name} for name in ("carlini_wagner", "colour_inversion")}
    cells = [cell([row], attack=name, settings=settings) for row, (name, settings) in enumerate(unlimited.items())]
    cells += [cell([0], "cnn", attack="elsewhere", settings={"use": "deepfool"})]

    assert paired_errors(cells, against=["carlini_wagner", "cnn"]) == []


def test_the_interval_is_that_of_paired_inputs():
    # Wrong on the very same half under both: what eight inputs without a difference can still hide is all there is.
    same = [cell([0, 1, 2, 3], attack="fgsm", settings=FGSM), cell([0, 1, 2, 3], attack="pgd", settings=PGD)]
    other = [cell([0, 1, 2, 3], attack="fgsm", settings=FGSM), cell([4, 5, 6, 7], attack="pgd", settings=PGD)]

    (equal,), (apart,) = (paired_errors(cells, against=["fgsm"]) for cells in (same, other))

    unseen = 1.96**2 / (8 + 1.96**2)
    assert (equal.value, equal.low, equal.high) == pytest.approx((0, -unseen, unseen), abs=1e-4)
    assert apart.value == 0 and apart.low < -0.5 and apart.high > 0.5


def test_two_directions_of_transfer_are_compared_on_the_same_inputs():
    there = cell([0, 1, 2], attack="fgsm", settings=FGSM, victim="robust.0")
    back = cell([0], "robust", attack="fgsm", settings=FGSM, victim="mlp.0")
    of_another_seed = cell([0], "robust", seed=1, attack="fgsm", settings=FGSM, victim="mlp.1")

    rows = paired_errors([there, back, of_another_seed])

    assert found(rows, "error_minus_back") == [("digits/robust/fgsm", 0.25)]
    assert found(rows, "error_minus_back", "robust") == [("digits/mlp/fgsm", -0.25)]
    assert found(rows, "error_minus_back", "robust", 1) == []


def test_a_defence_under_an_attack_on_its_network_is_compared_with_a_network_under_the_same_attack_on_itself():
    around = cell([0, 1, 2], "routed", attack="fgsm", settings=FGSM, victim="mlp.0")
    itself = cell([0], "robust", attack="fgsm", settings=FGSM)
    from_mlp = cell(range(8), "robust", attack="fgsm", settings=FGSM, victim="mlp.0")
    another = cell(range(8), "robust", attack="pgd", settings=PGD)

    rows = paired_errors([around, itself, from_mlp, another], against=["robust"])

    assert found(rows, "error_minus_robust_on_itself", "routed") == [("digits/mlp/fgsm", 0.25)]
    assert found(rows, "error_minus_robust_on_itself", "robust") == []


KNOWING = {"use": "adaptive/routed_pgd", "eps": 0.1, "protects": "mlp.0"}
AROUND = {**PGD, "protects": "mlp.0"}


def worst_cells():
    """A defence around mlp, wrong on four images in all; a robust network, wrong on two."""
    return [
        cell([0], "routed", attack="whole", settings=KNOWING),
        cell([1, 2], "routed", attack="pgd", settings=AROUND, victim="mlp.0"),
        cell([2, 3], "routed", attack="pgd", settings=AROUND, victim="robust.0"),
        cell([0], "robust", attack="suite", settings={"use": "attack_suite", "eps": 0.1}),
        cell([1], "robust", attack="pgd", settings=PGD, victim="mlp.0"),
        cell(range(8), "robust", attack="pgd_20", settings={**PGD, "eps": 0.2}),
    ]


def test_a_defence_is_compared_with_a_network_under_the_worst_of_all_attacks_on_each():
    rows = paired_errors(worst_cells(), against=["robust"])

    assert found(rows, "worst_error", "routed") == [("digits/worst", 0.5)]
    assert found(rows, "worst_error", "robust") == [("digits/worst", 0.25)]
    assert found(rows, "worst_error_minus_robust", "routed") == [("digits/worst", 0.25)]
    (difference,) = [one for one in rows if one.metric == "worst_error_minus_robust"]
    assert difference.threat.is_white_box and dict(difference.threat.budget) == {"eps": 0.1}
    assert difference.unit == "difference of fractions"


def test_a_translated_image_is_no_attack():
    translated = cell(range(8), "robust", attack="pgd", settings=PGD, victim="mlp.0")
    translated = replace(translated, translator="unet.0", file="robust.0/translated")

    rows = paired_errors([*worst_cells(), translated], against=["robust"])

    assert found(rows, "worst_error", "robust") == [("digits/worst", 0.25)]


def test_networks_are_not_compared_under_the_worst_of_all_attacks_with_each_other():
    cells = [cell([0], entry, attack=name, settings=settings) for entry in ("mlp", "robust")
             for name, settings in (("pgd", PGD), ("fgsm", FGSM))]  # fmt: skip

    assert not [one for one in paired_errors(cells, against=["robust"]) if "worst" in one.metric]


def test_rows_are_joined_by_id():
    cells = [cell([0, 1], attack="fgsm", settings=FGSM, ids=[5, 6, 7, 8]),
             cell([2, 3], attack="pgd", settings=PGD, ids=[8, 7, 6, 5])]  # fmt: skip

    rows = paired_errors(cells, against=["fgsm"])

    assert (rows[0].value, rows[0].image_variance) == (0, 0)


def test_networks_are_compared_seed_by_seed():
    """The network of seed 2 has no partner: to subtract that of seed 0 again would make the mean look surer than it is."""
    cells = [cell([0], seed=0), cell([0, 1], seed=1), cell([0, 1, 2], "robust", 1), cell([0, 1, 2, 3], "robust", 2)]

    rows = paired_errors(cells, against=["mlp"])

    assert found(rows, "error_minus_mlp", "robust", 1) == [("digits", 1 / 8)]
    assert found(rows, "error_minus_mlp", "robust", 2) == []


def test_networks_of_every_seed_are_compared_with_the_only_one_of_another_kind():
    cells = [cell([0], seed=0), cell([0, 1, 2], "robust", 1), cell([0, 1, 2, 3], "robust", 2)]

    rows = paired_errors(cells, against=["mlp"])

    assert [found(rows, "error_minus_mlp", "robust", seed) for seed in (1, 2)] == [
        [("digits", 2 / 8)],
        [("digits", 3 / 8)],
    ]


def test_transfer_is_compared_with_the_attack_on_the_network_itself_both_ways():
    cells = [cell([0, 1, 2, 3], attack="fgsm", settings=FGSM),
             cell([0], attack="fgsm", settings=FGSM, victim="robust.0")]  # fmt: skip

    rows = paired_errors(cells)

    assert found(rows, "error_minus_own") == [("digits/robust/fgsm", -3 / 8)]
    assert found(rows, "error_minus_from_robust") == [("digits/fgsm", 3 / 8)]


def test_a_name_without_outputs_is_refused():
    with pytest.raises(ValueError, match="no outputs of or under fgms"):
        paired_errors([cell([0])], against=["fgms"])


def test_other_inputs_are_refused():
    cells = [cell([0], attack="fgsm", settings=FGSM), cell([0], attack="pgd", settings=PGD, ids=[0, 1])]

    with pytest.raises(ValueError, match="holds 8 inputs, expected the same 2"):
        paired_errors(cells, against=["fgsm"])


def read_by(wrong, entry, seed):
    one = cell(wrong, entry, seed)
    return replace(one, file=f"outputs/{entry}.{seed}/digits")


@pytest.mark.parametrize(("seeds", "method"), [((0, 1, 2), "difference"), ((0,), "range"), ((7,), "range")])
def test_a_difference_to_a_single_network_has_no_interval_because_its_variance_is_unknown(seeds, method):
    """That of the difference's mean would lack it: simulated, 78 % of such intervals held the truth."""
    cells = [read_by(range(seed + 3), "cnn", seed) for seed in range(3)] + [read_by([0], "mlp", seed) for seed in seeds]

    (mean,) = (row for row in paired_errors(cells, against=["mlp"]) if row.is_mean)

    assert (mean.metric, mean.method, mean.value) == ("error_minus_mlp_mean", method, pytest.approx(3 / 8))
    if method == "range":
        assert (mean.low, mean.high, mean.seed_variance) == (pytest.approx(2 / 8), pytest.approx(4 / 8), None)
