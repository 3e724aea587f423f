"""Which row holds the number that a claim judges: its mean, its ends, its names, and what is told if it is missing."""

import math
from dataclasses import replace

import pytest
from hand_made_claims import ASKED, ROWS, SETS, asks, book, mean, networks, one, role, row, verdicts

from touchstone.claims.judging import StudyClaims, judge


def of_set(name, *ends):
    """Three networks on a set, and their mean."""
    return networks(*ends, examples=name)


def over_sets(*ends, seeds=(0, 1, 2), **more):
    return networks(*ends, examples="mean_of_sets", seeds=seeds, **more)


MEAN_OF_SETS = asks(at_least=0.6) | role(examples="mean examples")


def test_a_number_is_the_row_of_the_mean_over_seeds_with_the_interval_of_that_row():
    rows = [row(value, value - 0.1, value + 0.1, seed=seed) for seed, value in enumerate((0.8, 0.9, 0.85))]
    rows.append(mean(0.85, 0.79, 0.91, method="t", n=499))

    (part,) = one(rows, asks(at_least=0.75)).parts

    assert (part.quantity.value, part.quantity.low, part.quantity.high) == (0.85, 0.79, 0.91)
    assert (part.seeds, part.method, part.quantity.n) == ((0, 1, 2), "t", 499)
    assert part.quantity.row == rows[3] and part.quantity.each == tuple(rows[:3])


def test_the_number_of_a_single_network_is_its_own_row():
    (part,) = one([row(0.8, 0.7, 0.84, seed=4)], asks()).parts

    assert (part.quantity.value, part.quantity.low, part.quantity.high, part.seeds) == (0.8, 0.7, 0.84, (4,))


def test_several_networks_without_the_row_of_their_mean_are_no_number():
    rows = [row(0.9, seed=seed) for seed in range(3)]

    verdict = one(rows, asks(at_least=0.75))

    assert verdict.word == "not run"
    assert verdict.notes == ("missing: the mean over seeds of clean_accuracy of cnn on test",)


def test_where_each_seed_has_to_pass_the_weakest_decides_whatever_their_mean():
    rows = [row(0.9, 0.85, 0.95, seed=0), row(0.7, 0.6, 0.74, seed=1), row(0.76, 0.7, 0.8, seed=2)]

    verdict = one([*rows, mean(0.9, 0.89, 0.91)], asks(at_least=0.75) | {"seeds": "each"})

    assert verdict.word == "fails"
    assert (verdict.parts[0].quantity.value, verdict.parts[0].seeds) == (0.7, (0, 1, 2))
    assert verdict.parts[0].name == "accuracy: seed 1, the worst of 3"
    assert verdict.parts[0].quantity.each == (rows[1],) and verdict.notes == ()


def of_seeds(*seeds, metric="other"):
    """Return rows of another number, which has these networks."""
    return [row(0.5, metric=metric, seed=seed) for seed in seeds]


def test_where_each_seed_has_to_pass_none_may_lack_the_number():
    verdict = one([*networks(0.9), *of_seeds(0, 7)], asks(at_least=0.75) | {"seeds": "each"})

    assert verdict.word == "not run"
    assert verdict.notes == ("missing: clean_accuracy of cnn on test for seed 7",)


def test_a_mean_says_which_networks_of_its_evaluation_it_leaves_out():
    elsewhere = [row(0.5, entry="mlp", seed=8), row(0.5, evaluation="more", seed=9)]

    verdict = one([*networks(0.9), *of_seeds(0, 6, 7), *elsewhere], asks(at_least=0.75))

    assert (verdict.word, verdict.parts[0].quantity.without) == ("holds", (6, 7))
    assert verdict.notes == ("accuracy leaves out seeds 6 and 7: no such number was measured",)
    assert one([*networks(0.9), *of_seeds(0, 1, 2)], asks(at_least=0.75)).notes == ()


def test_so_do_the_number_that_breaks_a_claim_and_its_precondition():
    own = {"breaks": {"name": "left", "metric": "left", "below": 0.2, "optional": True}}
    own |= {"needs": [{"name": "enough", "metric": "enough", "at_least": 0.5}]}
    rows = [line for metric in ("clean_accuracy", "left", "enough") for line in networks(0.9, metric=metric)]

    verdict = one([*rows, *of_seeds(3, metric="clean_accuracy")], asks(at_least=0.75) | own)

    assert verdict.notes == tuple(
        f"{name} leaves out seed 3: no such number was measured" for name in ("enough", "left")
    )


def test_a_complement_turns_the_value_and_its_ends():
    rows = networks(0.9, 0.8, 0.95)

    error = one(rows, asks(metric="1 - clean_accuracy")).parts[0].quantity

    assert (error.value, error.low, error.high) == pytest.approx((0.1, 0.05, 0.2))
    assert error.complement and error.row == rows[-1]


@pytest.mark.parametrize(("lost", "metric", "open_end"), [("low", "", "low"), ("low", "1 - ", "high")])
def test_an_end_that_is_not_known_is_taken_for_infinite(lost, metric, open_end):
    rows = [replace(each, **{lost: None}) for each in networks(0.9)]

    verdict = one(rows, asks(metric=f"{metric}clean_accuracy", **{"at_least" if not metric else "at_most": 0.5}))

    assert math.isinf(getattr(verdict.parts[0].quantity, open_end))
    assert verdict.word == "inconclusive"


def test_a_mean_over_sets_is_the_row_that_the_evaluation_made_of_exactly_these_sets():
    rows = [*of_set("a", 0.9, 0.8, 1.0), *of_set("b", 0.5, 0.4, 0.6), *over_sets(0.7, 0.65, 0.75, n=900)]

    verdict = one(rows, MEAN_OF_SETS, claims=SETS)

    (part,) = verdict.parts
    assert (part.quantity.value, part.quantity.low, part.quantity.high) == (0.7, 0.65, 0.75)
    assert (part.quantity.n, part.quantity.about, verdict.word) == (900, "cnn on mean_of_sets", "holds")


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        ([], "missing: clean_accuracy of cnn on mean_of_sets"),
        (over_sets(0.69, 0.65, 0.75), "missing: clean_accuracy of cnn as a mean over exactly a, b"),
    ],
)
def test_a_mean_over_other_sets_or_none_is_missing(whole, told):
    rows = [*of_set("a", 0.9, 0.8, 1.0), *of_set("b", 0.5, 0.4, 0.6), *whole]

    verdict = one(rows, MEAN_OF_SETS, claims=SETS)

    assert verdict.word == "not run" and verdict.notes == (told,)


def test_each_seed_of_a_mean_over_sets_has_to_be_the_mean_of_its_own_rows():
    rows = [*of_set("a", 0.9), *of_set("b", 0.5), *over_sets(0.7)]
    swapped = [replace(each, value=0.8) if each.examples == "a" and each.seed == 1 else each for each in rows]

    assert one(swapped, MEAN_OF_SETS, claims=SETS).word == "not run"
    assert one(rows, MEAN_OF_SETS, claims=SETS).word == "holds"


def test_a_mean_over_a_single_set_is_the_row_of_that_set():
    claims = {"S9-1": {"net": "cnn", "examples": ["a"]}}

    (part,) = one(of_set("a", 0.9, 0.8, 1.0), MEAN_OF_SETS, claims=claims).parts

    assert part.quantity.about == "cnn on a"


def test_of_several_things_the_weakest_decides_and_each_is_named():
    rows = [*networks(0.9), *networks(0.5, entry="mlp")]

    verdict = one(
        rows, asks(at_least=0.8) | role(net="each classifiers"), claims={"S9-1": ASKED | {"net": ["cnn", "mlp"]}}
    )

    assert verdict.word == "fails"
    assert [part.name for part in verdict.parts] == ["accuracy: mlp", "accuracy: cnn"]


def test_roles_that_go_together_are_paired_the_first_with_the_first():
    block = {
        "roles": {"pgd": "each attacks", "fgsm": "each attacks"}, "together": ["pgd", "fgsm"],
        "rows": ROWS | {"entry": "cnn", "examples": "{pgd}", "metric": "error_minus_{fgsm}"},
        "tests": [{"name": "difference"}],
    }  # fmt: skip
    pairs = (("pgd_1", "fgsm_1", 0.1), ("pgd_2", "fgsm_2", 0.2))
    rows = [row for pgd, fgsm, gap in pairs for row in networks(gap, examples=pgd, metric=f"error_minus_{fgsm}")]

    right, wrong = (
        one(rows, block, claims={"S9-1": {"pgd": ["pgd_1", "pgd_2"], "fgsm": fgsm}})
        for fgsm in (["fgsm_1", "fgsm_2"], ["fgsm_2", "fgsm_1"])
    )

    assert [(part.name, part.quantity.value) for part in right.parts] == [
        ("difference: fgsm 1, pgd 1", 0.1),
        ("difference: fgsm 2, pgd 2", 0.2),
    ]
    assert wrong.notes == ("missing: error_minus_fgsm_2 of cnn on pgd_1",)


def test_a_name_may_hold_who_plays_a_role():
    assert one([row(0.9)], asks("accuracy of {net}")).parts[0].name == "accuracy of cnn"
    with pytest.raises(ValueError, match="detector is not among"):
        one([row(0.9)], asks("accuracy of {detector}"))


def test_a_metric_may_hold_who_plays_a_role():
    rows = networks(0.02, metric="accuracy_minus_cnn", entry="pipeline")
    block = asks(metric="accuracy_minus_{net}", entry="pipeline")

    assert one(rows, block).parts[0].quantity.value == 0.02


def test_only_rows_under_the_threat_that_is_asked_count():
    block = asks(threat={"eps": 8 / 255})

    right = one([row(0.5, threat=f"white-box linf eps={8 / 255:g} steps=40 (pgd)")], block)
    wrong = one([row(0.5, threat="white-box linf eps=0.1 steps=40 (pgd)")], block)

    assert (right.word, wrong.word) == ("", "not run")
    assert wrong.notes == ("missing: clean_accuracy of cnn on test, eps 0.0313725",)


@pytest.mark.parametrize("rows", [[], [row(0.9, entry="mlp")], [row(0.9, examples="other")]])
def test_rows_that_are_missing_are_named(rows):
    verdict = one(rows, asks(at_least=0.8))

    assert verdict.word == "not run"
    assert verdict.notes == ("missing: clean_accuracy of cnn on test",)


def test_an_evaluation_that_the_study_has_not_is_named():
    assert one([row(0.9)], asks(evaluation="routing")).notes == ("missing: an evaluation that uses routing",)


def of_two_evaluations(first, second, block):
    """Return the verdict if the evaluations `main` and `more` have these rows."""
    rows = [*first, *(replace(each, evaluation="more") for each in second)]
    study = StudyClaims({"main": "robustness", "more": "robustness"}, {"S9-1": ASKED})
    (verdict,) = judge(book(S9_1=block), study, rows)
    return verdict


def test_of_two_evaluations_that_measure_the_same_number_the_first_counts():
    assert of_two_evaluations([row(0.9)], [row(0.5)], asks()).parts[0].quantity.value == 0.9


def test_of_two_evaluations_the_one_with_more_seeds_counts_alone():
    """Its mean is of its own networks, and none of the other's is mixed in."""
    few, many = networks(0.5, seeds=(7, 8)), networks(0.9, seeds=(0, 1, 2))

    for first, second in ((few, many), (many, few), ([row(0.5, seed=7)], many)):
        (part,) = of_two_evaluations(first, second, asks(at_least=0.75)).parts
        assert (part.quantity.value, part.seeds) == (0.9, (0, 1, 2))
        assert [each.seed for each in part.quantity.each] == [0, 1, 2]
        each_seed = of_two_evaluations(first, second, asks(at_least=0.75) | {"seeds": "each"})
        assert (each_seed.word, each_seed.parts[0].seeds) == ("holds", (0, 1, 2))


def test_numbers_of_another_evaluation_than_the_studys_own_are_not_seen():
    assert verdicts([row(0.9, evaluation="elsewhere")], S9_1=asks())["S9-1"].word == "not run"


def test_of_two_evaluations_the_number_under_the_worst_of_most_attacks_counts():
    """Both measure what is left under every attack that they have; an evaluation that has fewer overstates it."""
    few = row(0.8, 0.7, 0.9, seed=0, threat="white-box, the worst of fgsm, pgd")
    all_of_them = row(0.6, 0.5, 0.7, seed=0, threat="white-box, the worst of fgsm, pgd, suite")

    for first, second in (([few], [all_of_them]), ([all_of_them], [few])):
        (part,) = of_two_evaluations(first, second, asks(at_least=0.75)).parts
        assert part.quantity.value == 0.6


def test_of_two_evaluations_the_one_that_has_the_claims_other_numbers_counts_before_one_with_more_seeds():
    few = [*networks(0.5, seeds=(0, 1)), *networks(0.1, seeds=(0, 1), metric="gain")]
    block = {"tests": [{"name": "gain", "metric": "gain", "above": 0}, {"name": "accuracy"}]}

    for first, second in ((few, networks(0.9)), (networks(0.9), few)):
        gain, accuracy = of_two_evaluations(first, second, block).parts
        assert (gain.quantity.value, accuracy.quantity.value) == (0.1, 0.5)


def test_of_two_attacks_that_are_equally_many_none_is_chosen_in_silence():
    rows = [row(value, threat=f"transfer from mlp.{victim} linf eps=0.1") for victim, value in enumerate((0.9, 0.1))]

    verdict = one(rows, asks(at_least=0.5))

    assert verdict.word == "not run"
    assert "one number of clean_accuracy of cnn on test and seed 0: there are" in verdict.notes[0]
