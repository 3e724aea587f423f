from dataclasses import replace

import numpy as np
import pytest

from touchstone.records.nouns import Cell, ExampleSet
from touchstone.report import drawing
from touchstone.report.figures.gallery import gallery

LABELS = np.array([1, 1, 0, 2])
IDS = np.array([10, 11, 12, 13])


def cell(levels, attack="", translator="", seed=0, order=slice(None), channels=1, **more):
    images = np.array(levels, dtype=np.float32)[order, None, None, None] * np.ones((channels, 4, 4), np.float32)
    noun = ExampleSet(images, LABELS[order], IDS[order], "made up")
    place = {"attack": attack, "victim": f"cnn.{seed}", "settings": {"use": attack, "eps": 0.1}} if attack else {}
    return Cell(noun, "file", examples="digits", translator=translator, **place, **more)


CLEAN = cell([0.1, 0.2, 0.3, 0.4])
ATTACKED = cell([0.2, 0.1, 0.4, 0.5], "pgd", order=[3, 2, 1, 0])
TRANSLATED = cell([0.1, 0.2, 0.3, 0.4], "pgd", "unet.0")


def levels(figure, row, columns=3):
    """The grey level in the middle of each image of a row."""
    strip = figure.axes[row].images[0].get_array()
    width = strip.shape[1] // columns
    return [round(float(strip[2, column * width + 2, 0]), 3) for column in range(columns)]


def labels(figure):
    return [axes.texts[0].get_text() for axes in figure.axes]


def test_rows_are_clean_attacked_change_and_translated():
    figure = gallery([TRANSLATED, ATTACKED, CLEAN], columns=3)

    assert labels(figure) == ["clean", "pgd on cnn\neps 0.1", "change × 5\n(grey: no change)", "pgd\nthrough unet"]


def test_columns_are_the_first_of_each_class_and_the_same_inputs_in_every_row():
    figure = gallery([CLEAN, ATTACKED], columns=3, amplify=2)

    assert levels(figure, 0) == [0.3, 0.1, 0.4]  # classes 0, 1, 2
    assert levels(figure, 1) == [0.4, 0.2, 0.5]
    assert levels(figure, 2) == [0.7, 0.7, 0.7]  # mid-grey plus twice the change


def test_fewer_images_than_columns_leave_blanks():
    figure = gallery([CLEAN], columns=6)

    assert levels(figure, 0, columns=6)[4:] == [1, 1]


def test_other_seeds_are_not_shown():
    figure = gallery([CLEAN, cell([0.2] * 4, "pgd", seed=1)])

    assert labels(figure) == ["clean"]
    assert len(gallery([CLEAN, cell([0.2] * 4, "pgd", seed=1)], seed=1).axes) == 3


def test_other_classifiers_are_not_shown_where_one_is_named():
    cells = [CLEAN, cell([0.2] * 4, "pgd", entry="cnn"), cell([0.2] * 4, "pgd", entry="mlp")]

    assert len(gallery(cells, classifier="mlp").axes) == 3
    assert len(gallery(cells).axes) == 5


def test_colour_images_keep_their_colours():
    figure = gallery([cell([0.1, 0.2, 0.3, 0.4], channels=3)], columns=3)

    assert figure.axes[0].images[0].get_array().shape[2] == 3


def test_an_attack_that_changes_nothing_is_drawn_grey():
    figure = gallery([CLEAN, cell([0.1, 0.2, 0.3, 0.4], "pgd")], columns=3)

    assert levels(figure, 2) == [0.5, 0.5, 0.5]


def test_attacked_images_without_their_clean_set_are_refused():
    with pytest.raises(ValueError, match="no clean example set"):
        gallery([ATTACKED])


def test_six_rows_are_the_most_and_the_title_says_how_far_they_are_from_the_clean_images():
    more = [cell([0.1, 0.2, 0.3, 0.4], "", f"unet_{place}.0") for place in range(5)]

    figure = gallery([CLEAN, ATTACKED, TRANSLATED, *more], columns=4)

    assert len(figure.axes) == 6
    assert labels(figure)[:4] == ["clean", "pgd on cnn\neps 0.1", "change × 5\n(grey: no change)", "pgd\nthrough unet"]
    title = drawing.takeaway(figure)
    assert title.startswith(
        "pgd on cnn changes a pixel by 0.10 of 1 on average; translated images are 0.00 from their clean ones"
    )


def test_the_figure_says_whose_images_it_shows_and_under_which_licence():
    noted = replace(CLEAN, noun=replace(CLEAN.noun, notes={"origin": "UCI, Digits", "licence": "CC BY 4.0"}))

    figure = gallery([noted])

    assert [text.get_text() for text in figure.texts[:1]] == ["Images: UCI, Digits. Licence: CC BY 4.0."]
    assert drawing.description(figure).endswith("Images: UCI, Digits. Licence: CC BY 4.0.")
    assert "Licence" not in drawing.description(gallery([CLEAN]))
