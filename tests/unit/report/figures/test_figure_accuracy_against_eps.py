from dataclasses import replace

import pytest

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.records.nouns import Cell
from touchstone.report.figures.accuracy_against_eps import accuracy_against_eps


def clean(value, seed=0, entry="cnn"):
    cell = Cell(None, "file", entry=entry, seed=seed, examples="digits")
    return row("clean_accuracy", Interval(value, value - 0.1, 1.0), cell=cell, n=9, files=[cell])


def attacked(value, eps, seed=0, use="pgd", entry="cnn", **settings):
    cell = Cell(
        None, "file", entry=entry, seed=seed, examples="digits", attack=f"{use}_{eps}{settings.get('steps', '')}",
        victim=f"{entry}.{seed}", settings={"use": use, "eps": eps, **settings},
    )  # fmt: skip
    return row("robust_accuracy", Interval(value, value - 0.1, value + 0.1), cell=cell, n=9, files=[cell])


def curve(figure, panel=0):
    (line,) = figure.axes[panel].lines
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_the_curve_starts_at_clean_and_goes_up_in_eps():
    figure = accuracy_against_eps([attacked(0.2, 0.2), attacked(0.5, 0.1), clean(0.9)])

    assert curve(figure) == [(0, 0.9), (0.1, 0.5), (0.2, 0.2)]
    assert figure.axes[0].get_title() == "PGD"


def test_several_seeds_are_drawn_as_their_mean_in_the_band_of_its_own_interval():
    rows = with_means([clean(0.9), clean(0.7, 1), attacked(0.5, 0.1), attacked(0.3, 0.1, 1)])
    rows = [replace(one, low=one.value - 0.15, high=one.value + 0.15) if one.is_mean else one for one in rows]

    figure = accuracy_against_eps(rows)

    assert curve(figure) == [(0, pytest.approx(0.8)), (0.1, pytest.approx(0.4))]
    heights = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (pytest.approx(0.25), pytest.approx(0.95))


def test_of_two_attacks_with_one_eps_the_stronger_counts():
    figure = accuracy_against_eps([clean(0.9), attacked(0.5, 0.1, steps=10), attacked(0.4, 0.1, steps=40)])

    assert curve(figure) == [(0, 0.9), (0.1, 0.4)]


def test_attacks_with_one_eps_stand_back_where_another_has_several():
    rows = [clean(0.9), attacked(0.5, 0.1), attacked(0.2, 0.2), attacked(0.6, 0.1, use="fgsm")]

    assert len(accuracy_against_eps(rows).axes) == 1
    assert len(accuracy_against_eps([rows[0], rows[1], rows[3]]).axes) == 2


def test_the_words_say_from_where_to_where_accuracy_falls():
    figure = accuracy_against_eps([clean(0.9), attacked(0.2, 0.2)])

    assert figure.get_label() == ("Accuracy against eps. cnn goes from 90% at eps 0 to 20% at eps 0.2 (PGD).")


def test_the_title_compares_the_classifiers_that_it_is_about():
    rows = [attacked(value, 0.1, entry=entry) for entry, value in (("cnn", 0.1), ("trades", 0.6), ("pgd", 0.5))]

    everyone, two = accuracy_against_eps(rows), accuracy_against_eps(rows, about=["trades", "pgd"])

    assert everyone.get_suptitle() == "PGD, at eps 0.1: trades is right on 60%, cnn on 10%"
    assert two.get_suptitle() == "PGD, at eps 0.1: trades is right on 60%, pgd on 50%; their intervals overlap"
    with pytest.raises(ValueError, match="no classifier of"):
        accuracy_against_eps(rows, about=["mlp"])


def test_the_title_is_about_attacked_images_although_clean_ones_differ_more():
    rows = [clean(0.9), attacked(0.5, 0.1), clean(0.3, entry="robust"), attacked(0.4, 0.1, entry="robust")]

    figure = accuracy_against_eps(rows)

    assert figure.get_suptitle() == "PGD, at eps 0.1: cnn is right on 50%, robust on 40%; their intervals overlap"


def test_the_title_compares_at_the_eps_of_training_if_there_was_an_attack_with_it():
    rows = [attacked(value, eps, steps=40) for value, eps in ((0.9, 0.1), (0.2, 0.2))]
    rows += [attacked(value, eps, steps=40, entry="mlp") for value, eps in ((0.5, 0.1), (0.8, 0.2))]

    trained, other = (accuracy_against_eps(rows, training_eps=eps) for eps in (0.1, 0.15))

    assert trained.get_suptitle() == "PGD, 40 steps, at the training eps 0.1: cnn is right on 90%, mlp on 50%"
    assert other.get_suptitle() == "PGD, 40 steps, at eps 0.2: mlp is right on 80%, cnn on 20%"


def test_of_two_attacks_the_title_has_the_classifier_that_loses_most_from_one_to_the_other():
    kept = {"fgsm": {"cnn": 0.2, "one_step": 0.9}, "pgd": {"cnn": 0.1, "one_step": 0.3}}
    rows = [attacked(value, 0.1, use=use, entry=entry) for use, own in kept.items() for entry, value in own.items()]

    title = accuracy_against_eps(rows).get_suptitle()

    assert title == "At eps 0.1, one step is right on 90% under one step (FGSM), on 30% under PGD"
    assert "cnn is right on 20%" in accuracy_against_eps(rows, about=["cnn"]).get_suptitle()


def test_panels_of_several_sets_name_the_set():
    rows = [attacked(0.5, 0.1), replace(attacked(0.4, 0.1), examples="darker/pgd")]

    titles = [axes.get_title() for axes in accuracy_against_eps(rows).axes]

    assert titles == ["digits: PGD", "darker: PGD"]


def test_rows_without_eps_are_refused():
    with pytest.raises(ValueError, match="no robust_accuracy row with an eps"):
        accuracy_against_eps([clean(0.9)])
