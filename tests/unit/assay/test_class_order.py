"""Classes that are numbered otherwise than the model's outputs: the message names the option that makes them right."""

import numpy as np
import pytest

from touchstone.assay.class_order import Numbering

COUNT = 90


def refusal(names, outputs, true_output, *, arrays=False, share=1.0):
    """What is said where the model's output for each class is `true_output`, and the classes are numbered by `names`."""
    present = [number for number, name in enumerate(names) if name]
    labels = np.array(present)[np.arange(COUNT) % len(present)]
    wrong = np.random.default_rng(0)
    predictions = np.where(
        wrong.random(COUNT) < share,
        np.array([true_output(n) for n in labels.tolist()]),
        wrong.integers(0, outputs, COUNT),
    )
    with pytest.raises(ValueError, match="the model has") as error:
        Numbering("pictures", tuple(names), arrays=arrays).fit(outputs, labels, lambda: predictions)
    return str(error.value)


CASES = {
    "folders from 1": (["", "1", "2", "3"], 3, lambda n: n - 1, "Add --classes 1,2,3: then it is right on 100%"),
    "padded folders from 1": (["", "01", "02", "03"], 3, lambda n: n - 1, "Add --classes 01,02,03: then"),
    "folders from 1 with a gap": (["", "1", "", "3"], 3, lambda n: n - 1, "Add --classes 1,2,3: then"),
    "folders with gaps": (["", "", "2", "", "4", "", "6"], 3, lambda n: n // 2 - 1, "Add --classes 2,4,6: then"),
    "folders from 1 in another order": (["", "1", "2", "3"], 3, lambda n: 3 - n, "Add --classes 3,2,1: then"),
    "names without pictures": (["ant", "", "bee", "cow"], 3, lambda n: max(n - 1, 0), "Add --classes ant,bee,cow: then"),
    "many folders from 1": (
        ["", *map(str, range(1, 201))], 200, lambda n: n - 1, "Add --classes $(seq -s, 1 200): then",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_option_that_makes_the_model_right_is_named(case):
    names, outputs, output, told = CASES[case]

    assert told in refusal(names, outputs, output)


def test_labels_from_1_are_told_to_count_from_0():
    told = refusal(["", "1", "2", "3"], 3, lambda n: n - 1, arrays=True, share=0.8)

    assert ". Renumber yours: labels = labels - 1: then it is right on 8" in told


def test_labels_with_gaps_are_told_their_numbers():
    told = refusal(["", "", "2", "", "4"], 2, lambda n: n // 2 - 1, arrays=True)

    assert "Renumber yours: labels = numpy.array([0, 1, 0, 3, 1])[labels]: then it is right on 100%" in told


@pytest.mark.parametrize("names", [["a", "b", "c", "d"], ["", "1", "2", "3"]])
def test_a_model_of_other_classes_is_asked_about(names):
    told = refusal(names, 3, lambda n: 0, share=0)

    assert told.endswith("is this the model that was trained on these classes?")
