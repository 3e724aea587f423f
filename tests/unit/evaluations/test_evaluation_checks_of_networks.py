from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.checks import checks
from touchstone.evaluations.statistics.sanity_checks import CHECKS, Doubts
from touchstone.records.metric_rows import parse_threat
from touchstone.records.nouns import Cell, Outputs

ROWS = 200


def cell(left, attack="", victim="cnn.0", surer=1.0, **settings):
    """Outputs of which a share `left` is right; the wrong rows are wrong by `surer`."""
    right = np.arange(ROWS) < round(left * ROWS)
    logits = np.stack([np.where(right, 2.0 - surer, -surer), np.zeros(ROWS)], axis=1).astype(np.float32)
    noun = Outputs(logits, np.zeros(ROWS, np.int64), np.arange(ROWS))
    if not attack:
        return Cell(noun, "clean", "cnn", 0, "digits")
    use = settings.pop("use", "attacks/pgd")
    return Cell(
        noun, f"{victim}/{attack}", "cnn", 0, "digits", attack, victim, settings={"use": use, "eps": 0.1} | settings
    )


def pgd(left, attack="pgd", **settings):
    return cell(left, attack, **({"steps": 40, "restarts": 1} | settings))


SOUND = [
    cell(1.0, surer=0.5), pgd(1.0, "zero", eps=0.0, surer=0.5), pgd(0.7, "small", eps=0.05), pgd(0.4), pgd(0.0, "large", eps=0.5),
    pgd(0.395, "doubled", steps=80), pgd(0.39, "restarted", restarts=3), cell(0.5, "fgsm", use="attacks/fgsm"),
    cell(0.8, "square", use="attacks/square"), cell(0.95, "noise", use="attacks/random_sign"),
    pgd(0.6, victim="mlp.0"),
]  # fmt: skip


def verdicts(cells, attack="digits/pgd"):
    rows = [row for row in checks(cells, [], []) if row.examples == attack]
    return {row.metric.removesuffix("_passed"): row.value for row in rows if row.metric.endswith("_passed")}


def test_a_sound_attack_passes_every_check():
    found = verdicts(SOUND)

    assert set(found.values()) == {1.0}
    others = {"planted_success_rate", "random_success_rate"}  # of evaluations/binarisation
    others |= {
        "worse_than_oblivious",
        "worse_than_another_attack",
        "evades_less_than_oblivious",
    }  # of other evaluations
    assert set(found) == set(CHECKS) - others


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("change_at_eps_0", pgd(0.95, "zero", eps=0.0, surer=0.5)),
        ("rise_with_eps", pgd(0.3, "small", eps=0.05)),
        ("rise_with_steps", pgd(0.5, "doubled", steps=80)),
        ("change_with_doubled_steps", pgd(0.35, "doubled", steps=80)),
        ("rise_with_restarts", pgd(0.5, "restarted", restarts=3)),
        ("left_at_large_eps", pgd(0.1, "large", eps=0.5)),
        ("worse_than_single_step", cell(0.3, "fgsm", use="attacks/fgsm")),
        ("worse_than_black_box", cell(0.3, "square", use="attacks/square")),
        ("worse_than_noise", cell(0.3, "noise", use="attacks/random_sign")),
        ("worse_than_transfer", pgd(0.3, victim="mlp.0")),
        ("loss_rises", pgd(0.4, surer=-4.0)),
    ],
)
def test_each_check_fails_where_it_should(check, broken):
    cells = [broken if (c.attack, c.victim) == (broken.attack, broken.victim) else c for c in SOUND]

    assert verdicts(cells)[check] == 0


def loss_rises(clean, attacked):
    (value,) = [row.value for row in checks([clean, attacked], [], []) if row.metric == "loss_rises" and row.seed == 0]
    return value


@pytest.mark.parametrize("wrong", [0.0, 0.3])
def test_an_image_that_an_attack_leaves_as_it_is_counts_only_if_it_is_wrong_without_an_attack(wrong):
    clean, idle = cell(1.0 - wrong), pgd(0.0)
    idle.noun.logits[:] = clean.noun.logits

    assert loss_rises(clean, idle) == wrong


def test_the_loss_of_a_very_sure_network_rises_although_its_floats_are_0():
    clean, attacked = cell(1.0, surer=-1000.0), pgd(1.0, surer=-900.0)

    assert loss_rises(clean, attacked) == 1


def test_an_image_that_an_attack_fools_counts_even_if_its_cross_entropy_falls():
    clean, attacked = cell(1.0), pgd(0.0)
    for one, logits in ((clean, [1.0, 0.9, 0.9]), (attacked, [5.0, 5.1, -9.0])):
        noun = replace(one.noun, logits=np.tile(np.float32(logits), (ROWS, 1)))
        clean, attacked = (replace(one, noun=noun), attacked) if one is clean else (clean, replace(one, noun=noun))

    assert loss_rises(clean, attacked) == 1


def test_a_check_whose_files_are_not_there_is_not_made():
    assert set(verdicts([SOUND[0], SOUND[3]])) == {"loss_rises"}


def test_the_loss_of_one_draw_of_a_random_network_is_not_checked():
    entry = SOUND[0].entry

    kept, left_out = ({row.metric for row in checks(SOUND, [], [], random=names)} for names in ([], [entry]))

    assert kept - left_out == {"loss_rises", "loss_rises_passed"}


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="no white-box attack with eps"):
        checks([SOUND[0]], [], [])


def test_a_failed_check_marks_the_robust_numbers_of_that_attack_and_no_others():
    broken = [pgd(0.1, "large", eps=0.5) if c.attack == "large" else c for c in SOUND]
    some = checks(broken, [], [])[0]
    doubts = Doubts(replace(row, evaluation="checks") for row in checks(broken, [], []))

    def about(entry="cnn", metric="robust_accuracy_mean", threat="white-box linf eps=0.2 steps=40 (pgd)"):
        return doubts.about(
            replace(some, entry=entry, metric=metric, threat=parse_threat(threat), examples="digits/pgd_20")
        )

    assert about().startswith("left at a large eps ")
    assert "(asked ≤ 0.5 %, n = " in about()
    assert doubts.evaluation == "checks"
    assert about(entry="mlp") == about(metric="clean_accuracy") == about(threat="white-box linf eps=0.2 (fgsm)") == ""
    union = {"metric": "robust_accuracy_union", "threat": "white-box, the worst of fgsm, pgd, linf eps=0.1"}
    assert about(**union) == "", "fgsm passed every check"


@pytest.mark.parametrize(
    "metric",
    [
        "unclipped_error",
        "unclipped_confidence_on_errors",
        "worst_error_minus_mlp",
        "share_wrong",
        "share_wrong_unflagged",
    ],
)
def test_a_failed_check_marks_every_number_that_rests_on_an_attack(metric):
    rows = checks([pgd(0.1, "large", eps=0.5) if c.attack == "large" else c for c in SOUND], [], [])
    (main,) = [row for row in rows if (row.metric, row.examples) == ("left_at_large_eps", "digits/pgd")]

    assert "large eps" in Doubts(rows).about(replace(main, metric=metric))


def test_of_several_attacks_with_a_large_eps_the_one_that_leaves_least_is_checked():
    rows = checks([*SOUND, pgd(0.1, "larger", eps=0.6)], [], [])
    (large,) = [row for row in rows if (row.metric, row.examples) == ("left_at_large_eps", "digits/pgd")]

    assert large.value == 0


def test_a_union_is_doubted_only_if_each_of_its_attacks_failed_a_check():
    weak = [pgd(0.1, "large", eps=0.5) if c.attack == "large" else c for c in SOUND]
    weak = [cell(0.97, "fgsm", use="attacks/fgsm") if c.attack == "fgsm" else c for c in weak]  # loses to noise
    rows = checks(weak, [], [])
    union = replace(rows[0], metric="robust_accuracy_union", examples="digits/union")

    def about(*names):
        threat = parse_threat(f"white-box, the worst of {', '.join(names)}, linf eps=0.1")
        return Doubts(rows).about(replace(union, threat=threat))

    assert "large eps" in about("pgd") and "noise" in about("fgsm")
    assert "large eps" in about("fgsm", "pgd") and "noise" in about("fgsm", "pgd")
    assert about("fgsm", "pgd", "square") == ""


def test_a_difference_is_doubted_if_the_attack_on_either_side_failed_a_check():
    weak = [cell(0.97, "fgsm", use="attacks/fgsm") if c.attack == "fgsm" else c for c in SOUND]  # loses to noise
    rows = checks(weak, [], [])
    (strong,) = [row for row in rows if (row.metric, row.examples) == ("worse_than_noise", "digits/square")]
    behind = [f"outputs/{strong.entry}.0/digits/{strong.entry}.0/{attack}" for attack in ("square", "fgsm")]
    difference = replace(strong, metric="error_minus_fgsm", files=tuple(behind))

    assert "noise" in Doubts(rows).about(difference)
    assert Doubts(rows).about(replace(difference, files=tuple(behind[:1]))) == ""
    assert Doubts(rows).about(replace(difference, metric="robust_accuracy")) == ""
    assert Doubts(rows).about(replace(difference, files=("outputs/own/digits/made/fgsm", "scores/cnn.0"))) == ""


@pytest.mark.parametrize("name", ["a_sphere", "sphere"])
def test_an_attack_of_another_norm_is_compared_with_none_and_hides_none(name):
    cells = [*SOUND, pgd(0.9, name, norm="l2")]

    assert verdicts(cells) == verdicts(SOUND)
    assert set(verdicts(cells, f"digits/{name}")) == {"loss_rises"}
