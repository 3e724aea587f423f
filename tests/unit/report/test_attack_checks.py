import runpy
from pathlib import Path

from touchstone.report.attack_checks import grid
from touchstone.statistics.sanity_checks import Doubts

row = runpy.run_path(str(Path(__file__).parents[2] / "synthetic_study.py"))["metric_row"]
PGD = "white-box linf eps=0.1 steps=40 (pgd)"


def check(name, value, passed, examples="test/pgd", n=200):
    of = {"examples": examples, "threat": PGD, "n": n}
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
