import pytest

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.records.nouns import Cell
from touchstone.report.figures.defended_accuracy import defended_accuracy
from touchstone.report.figures.translation_matrix import translation_matrix

PGD = {"use": "attacks/pgd", "eps": 0.1}
ASKED = {"attacks": ["pgd", "both_paths"], "examples": "digits", "entries": ["cnn", "routed"]}


def measured(value, entry="routed", metric="accuracy", victim="", seed=0, attack="pgd", translator="", **settings):
    more = {"attack": attack, "victim": victim, "settings": PGD | settings} if victim else {}
    cell = Cell(None, "file", entry=entry, seed=seed, examples="digits", translator=translator, **more)
    return row(metric, Interval(value, value - 0.1, value + 0.1), cell=cell, n=9, files=[cell])


ROWS = [
    measured(0.9),
    measured(0.7, victim="cnn.0", protects="cnn.0"),
    measured(0.8, victim="mlp.0"),
    measured(0.1, victim="routed.0", attack="both_paths", use="adaptive/routed_pgd"),
    measured(0.6, "cnn", "robust_accuracy", victim="cnn.0"),
    measured(0.95, metric="oracle_accuracy"),
]


def drawn(axes):
    return {text.get_text() for text in axes.texts}


def test_each_number_stands_under_what_the_attacker_knew():
    figure = defended_accuracy(ROWS, **ASKED)

    titles = [axes.get_title().split(":")[0] for axes in figure.axes]
    assert titles == ["clean", "oblivious", "transfer", "white-box"]
    assert [drawn(axes) for axes in figure.axes] == [{"90%"}, {"70%", "60%"}, {"80%"}, {"10%", "60%"}]


def test_of_several_attacks_that_leaving_least_is_drawn_and_no_other_than_those_asked_for():
    more = [measured(0.5, victim="cnn.0", attack="fgsm", protects="cnn.0")]

    weakest = defended_accuracy([*ROWS, *more], **ASKED | {"attacks": ["pgd", "both_paths", "fgsm"]})

    assert drawn(defended_accuracy([*ROWS, *more], **ASKED).axes[1]) == {"70%", "60%"}
    assert drawn(weakest.axes[1]) == {"50%", "60%"}


def test_means_over_seeds_go_before_single_seeds():
    rows = with_means([measured(0.9), measured(0.7, seed=1)])

    assert drawn(defended_accuracy(rows, **ASKED).axes[0]) == {"80%"}


def test_the_oracle_is_a_line_of_its_own_and_called_so():
    figure = defended_accuracy(ROWS, **ASKED, oracle="routed")

    labels = [[label.get_text() for label in axes.get_yticklabels()] for axes in figure.axes]  # from below
    assert labels == [["oracle as router", "routed"], ["routed", "cnn"], ["routed"], ["routed", "cnn"]]
    assert drawn(figure.axes[0]) == {"90%", "95%"}


def test_what_an_attack_on_the_router_leaves_of_an_oracle_is_not_shown_as_an_attack_on_it():
    oracle = measured(0.7, victim="routed.0", attack="both_paths", use="adaptive/routed_pgd", metric="oracle_accuracy")

    figure = defended_accuracy([*ROWS, oracle], **ASKED, oracle="routed")

    assert figure.axes[3].get_title().startswith("white-box") and "70%" not in drawn(figure.axes[3])


def test_the_words_name_the_rows_in_the_order_of_the_figure():
    rows = [
        measured(value, entry, "robust_accuracy", victim=f"{entry}.0") for entry, value in (("cnn", 0.2), ("mlp", 0.6))
    ]

    words = defended_accuracy(rows, **ASKED | {"entries": ["cnn", "mlp"]}).get_label()

    assert words.index("mlp: ") < words.index("cnn: ")


def test_the_words_say_who_is_left_when_everything_is_known():
    assert "who knows everything, most is left of cnn: 60%." in defended_accuracy(ROWS, **ASKED).get_label()


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="no accuracy of cnn on other"):
        defended_accuracy(ROWS, **ASKED | {"examples": "other", "entries": ["cnn"]})


def test_the_matrix_crosses_translators_and_attacks():
    rows = [
        measured(0.9, "cnn"),
        measured(0.85, "cnn", translator="unet.0"),
        measured(0.2, "cnn", victim="cnn.0"),
        measured(0.75, "cnn", victim="cnn.0", translator="unet.0"),
    ]

    figure = translation_matrix(rows, classifier="cnn", examples="digits")

    assert [axes.get_title() for axes in figure.axes] == ["clean images", "images attacked by pgd"]
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_yticklabels()] == ["unet", "no translator"]  # from below
    assert [drawn(axes) for axes in figure.axes] == [{"90%", "85%"}, {"20%", "75%"}]
    title = "Of images attacked by pgd, cnn is right on 75% through unet, 20% without a translator"
    assert figure.get_suptitle().replace("\n", " ") == title


def test_the_matrix_of_changed_images_names_the_change_and_no_set():
    plain, darker = (
        translation_matrix([measured(0.9, "cnn")], classifier="cnn", examples="digits", images=images)
        for images in (None, "darker images")
    )

    assert plain.axes[0].get_title() == "clean images"
    assert darker.axes[0].get_title() == "darker images"


def test_a_matrix_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no accuracy of mlp on digits"):
        translation_matrix([measured(0.9, "cnn")], classifier="mlp", examples="digits")


def test_the_title_has_what_is_left_of_each_against_an_attacker_who_knows_everything():
    title = defended_accuracy(ROWS, **ASKED).get_suptitle().replace("\n", " ")

    assert title == "Against an attacker who knows everything, cnn is right on 60% and routed on 10%"
