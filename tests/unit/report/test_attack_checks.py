import re
from types import SimpleNamespace

import synthetic_study
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.report.attack_checks import FEW, grid
from touchstone.report.page import _environment

row = synthetic_study.metric_row
PGD = "white-box linf eps=0.1 steps=40 (pgd)"


FGSM = "white-box linf eps=0.1 (fgsm)"


def check(name, value, passed, examples="test/pgd", n=200, threat=PGD):
    of = {"examples": examples, "threat": threat, "n": n}
    return [row(name, value, unit="difference of fractions", **of), row(f"{name}_passed", passed, unit="passed", **of)]


def test_attacks_that_failed_a_check_come_first_and_those_of_other_kinds_are_named():
    rows = [
        *check("worse_than_noise", 0.0, 1, "test/weak"),
        *check("worse_than_noise", 0.02, 0, n=100),
        row("robust_accuracy", 0.5, entry="mlp", examples="test/square", threat="white-box linf eps=0.1 (square)"),
        row("robust_accuracy", 0.5, examples="test/pgd", threat=PGD),
        row(
            "evasion_rate_at_0.05",
            0.5,
            entry="cnn+msp",
            examples="test/cnn+msp@0.05/adaptive",
            threat="white-box adaptive to msp@0.05 linf eps=0.1 (evasion_suite)",
        ),
        row("evasion_rate_at_0.05", 0.2, entry="cnn+msp", examples="test/pgd", threat="oblivious linf eps=0.1 (pgd)"),
    ]

    checks = grid(rows, Doubts(rows))

    assert [(line.classifier, line.attack, line.failures) for line in checks.lines] == [
        ("cnn", "pgd", 1),
        ("cnn", "weak", 0),
    ]
    assert (checks.made, checks.failed, checks.images) == (2, 1, (100, 200))
    assert checks.checks == [("leaves more than random noise does, by", "≤ 0.5 points")]
    assert checks.unchecked == {"mlp": ["square"], "cnn+msp": ["adaptive"]}


def test_a_study_without_checks_has_no_grid():
    assert grid([row("robust_accuracy", 0.5)], Doubts(())) is None


def many(failed_if_weak=1, failed=1):
    rows = [row for place in range(FEW) for row in check("worse_than_noise", 0.0, 1, f"test/good_{place}")]
    if failed:
        rows += check("worse_than_noise", 0.02, 0)
    if failed_if_weak:
        rows += check("worse_than_black_box", 0.02, 0, "test/one_step", threat=FGSM)
    return grid(rows, Doubts(rows))


def shown(checks, doubted=()):
    template = _environment().get_template("checks.html")
    return re.sub(r"\s+", " ", template.render(checks=checks, claims=[None] * 9, doubted=list(doubted)))


def test_failures_of_attacks_that_take_one_step_are_folded_and_counted():
    checks = many()

    assert [line.attack for line in checks.shown] == ["pgd"]
    assert [line.attack for line in checks.weak] == ["one_step"]
    assert len(checks.passed) == FEW
    assert (checks.failed, checks.failed_if_weak) == (2, 1)
    assert "2 of 14 checks failed, 1 of them of attacks that take one step or were made on another network." in shown(
        checks
    )
    assert "Failed checks of attacks that take one step or were made on another network" in shown(checks)


def test_failures_of_attacks_that_were_made_on_another_network_are_folded_too():
    rows = [row for place in range(FEW) for row in check("worse_than_noise", 0.0, 1, f"test/good_{place}")]
    rows += check("worse_than_noise", 0.02, 0, "test/mlp/pgd", threat="transfer from mlp linf eps=0.1 steps=40 (pgd)")

    checks = grid(rows, Doubts(rows))

    assert (checks.shown, [line.attack for line in checks.weak]) == ([], ["mlp/pgd"])


def test_a_study_with_few_attacks_folds_none():
    rows = check("worse_than_black_box", 0.02, 0, "test/one_step", threat=FGSM)

    checks = grid(rows, Doubts(rows))

    assert (checks.shown, checks.weak, checks.passed) == (checks.lines, [], [])


def test_the_page_says_which_verdicts_use_a_number_of_an_attack_that_failed():
    def claim(name, *doubts):
        numbers = [SimpleNamespace(number=SimpleNamespace(doubt=doubt)) for doubt in doubts]
        return SimpleNamespace(claim=name, numbers=numbers, word="" if name == "S3-11" else "holds")

    html = shown(many(), [claim("S3-4", "weak"), claim("S3-2", "", "weak"), claim("S3-11", "weak")])

    assert "3 of 9 claims and numbers use a number of an attack that failed a check" in html
    assert "In 1 of them it is the number that decides (S3-4)." in html
    assert "No verdict uses a number of an attack that failed a check." in shown(many())
    assert "verdict" not in shown(many(0, 0))
