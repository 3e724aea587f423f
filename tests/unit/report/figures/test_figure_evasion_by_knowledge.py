from dataclasses import replace

import pytest

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row
from touchstone.records.nouns import Cell
from touchstone.report.figures.evasion_by_knowledge import ATTACKERS, KNOWS, NO_DETECTOR, evasion_by_knowledge


def measured(value, eps, metric="evasion_rate_at_0.05", victim="cnn.0", attack="pgd", use="attacks/pgd"):
    settings = {"use": use, "eps": eps}
    cell = Cell(
        None,
        "file",
        entry="cnn",
        seed=0,
        examples="digits",
        detector="msp",
        attack=attack,
        victim=victim,
        settings=settings,
    )
    return row(metric, Interval(value, value, value), cell=cell, n=9, files=[cell], entry="cnn+msp")


def adaptive(value, eps):
    return measured(value, eps, victim="cnn.0+msp@0.05", attack="adaptive", use="adaptive/evasion_suite")


def dots(rows):
    """The shares that the figure draws, by the attack, from the bottom."""
    (axes,) = evasion_by_knowledge(rows).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    marked = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    return {names[int(line.get_ydata()[0])]: float(line.get_xdata()[0]) for line in marked}


def test_each_attack_that_does_not_know_the_detector_is_a_row_and_of_those_that_know_it_the_best():
    rows = [measured(0.3, 0.1), fgsm(0.2, 0.1), adaptive(0.6, 0.1), adaptive(0.5, 0.1)]

    shown = dots(rows)

    assert shown == {"one step (FGSM)": 0.2, "PGD": 0.3, KNOWS: 0.6}
    assert list(shown) == [KNOWS, "PGD", "one step (FGSM)"]


def fgsm(value, eps):
    return measured(value, eps, attack="fgsm", use="attacks/fgsm")


def test_without_a_detector_it_is_the_mean_over_seeds():
    rows = [replace(measured(value, 0.1, "wrong_rate"), seed=seed) for seed, value in ((0, 1.0), (1, 0.9))]
    mean = replace(rows[0], metric="wrong_rate_mean", seed=None, value=0.95)

    assert dots([measured(0.2, 0.1), adaptive(0.4, 0.1), *rows, mean])[NO_DETECTOR] == 0.95


def test_the_legend_says_what_each_attacker_knows():
    figure = evasion_by_knowledge([measured(0.2, 0.1), adaptive(0.4, 0.1)])

    assert [text.get_text() for text in figure.legends[0].texts] == list(ATTACKERS.values())[
        1:
    ]  # none without detector


def test_attackers_of_other_budgets_are_not_compared():
    rows = [measured(0.2, 0.02), measured(0.9, 0.1, attack="reliable"), adaptive(0.4, 0.02)]
    rows += [measured(0.5, 0.02, "wrong_rate"), measured(1.0, 0.1, "wrong_rate", attack="reliable")]

    assert dots(rows) == {NO_DETECTOR: 0.5, "PGD": 0.2, KNOWS: 0.4}
    with pytest.raises(
        ValueError, match="no detector with an attack that knows it and one of its budget that does not"
    ):
        evasion_by_knowledge(rows[1:2] + rows[2:3])


def test_the_title_compares_both_attackers_of_the_detector_that_lets_least_through():
    title = evasion_by_knowledge([measured(0.2, 0.1), adaptive(0.6, 0.1)]).get_suptitle().replace("\n", " ")

    assert title == "An attacker who knows the detector, msp, gets past it on 60%, one who does not on 20%"
