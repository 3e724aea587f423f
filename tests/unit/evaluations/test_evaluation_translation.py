from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.statistics.wording import written
from touchstone.evaluations.translation import translation
from touchstone.records.nouns import Cell, ExampleSet, Outputs

PGD = {"use": "pgd", "eps": 0.1}
IDS = np.array([4, 2, 9, 5])


def place(attack="", translator="", **more):
    victim = {"attack": attack, "victim": "cnn.0", "settings": PGD} if attack else {}
    return {
        "file": f"{attack or 'clean'}{translator}",
        "examples": "digits",
        "translator": translator,
        **victim,
        **more,
    }


def outputs(right, attack="", translator="", order=slice(None)):
    predictions = np.where(np.array(right, dtype=bool), 0, 1)[order]
    noun = Outputs(np.eye(2, dtype=np.float32)[predictions], np.zeros(4, dtype=np.int64), IDS[order])
    return Cell(noun, **place(attack, translator, entry="cnn", seed=0))


def examples(levels, attack="", translator="", order=slice(None)):
    images = np.array(levels, dtype=np.float32)[order, None, None, None] * np.ones((1, 2, 2), dtype=np.float32)
    return Cell(ExampleSet(images, np.zeros(4, dtype=np.int64), IDS[order], "made up"), **place(attack, translator))


OUTPUTS = [
    outputs([1, 1, 1, 1]),
    outputs([0, 0, 0, 1], "pgd"),
    outputs([1, 1, 0, 1], "pgd", "unet.0", order=[3, 1, 0, 2]),
    outputs([1, 1, 1, 0], "", "unet.0"),
]
EXAMPLES = [
    examples([0.5, 0.5, 0.5, 0.5]),
    examples([0.6, 0.6, 0.4, 0.4], "pgd"),
    examples([0.5, 0.52, 0.5, 0.46], "pgd", "unet.0", order=[1, 0, 3, 2]),
]


def one(rows, metric, name):
    return next(row for row in rows if (row.metric, row.examples) == (metric, name))


def test_images_made_on_two_networks_and_restored_by_one_translator_are_two_numbers():
    of_both = [
        replace(cell, victim=f"cnn.{seed}", file=f"{cell.file}{seed}")
        for seed in (0, 1)
        for cell in (examples([0.6] * 4, "pgd"), examples([0.5 + seed / 10] * 4, "pgd", "unet.0"))
    ]

    rows = translation(OUTPUTS, [EXAMPLES[0], *of_both])

    errors = {row.seed: row.value for row in rows if row.metric == "reconstruction_error"}
    assert errors == pytest.approx({0: 0.0, 1: 0.1}, abs=1e-7)


def test_accuracy_is_given_clean_attacked_and_translated():
    rows = translation(OUTPUTS, [])

    found = {row.examples: row.value for row in rows if row.metric == "accuracy"}
    assert found == {"digits": 1, "digits/pgd": 0.25, "digits/pgd/unet": 0.75, "digits/unet": 0.75}


def test_the_gain_is_the_paired_difference_to_the_same_set_untranslated():
    rows = translation(OUTPUTS, [])

    gain, cost = one(rows, "accuracy_gain", "digits/pgd/unet"), one(rows, "accuracy_gain", "digits/unet")
    assert (gain.value, cost.value) == (0.5, -0.25)
    assert gain.unit == "difference of fractions"
    assert str(gain.threat) == "oblivious linf eps=0.1 (pgd)"
    assert " ".join(gain.files) == "pgd pgdunet.0"


def test_a_gain_on_every_row_is_as_sure_as_so_few_rows_allow():
    given = [outputs([1, 1, 1, 1]), outputs([0] * 4, "pgd"), outputs([1] * 4, "pgd", "unet.0")]

    gain = one(translation(given, []), "accuracy_gain", "digits/pgd/unet")

    assert (gain.value, gain.low) == pytest.approx((1, 1 - 1.96**2 / (4 + 1.96**2)), abs=1e-4)


def test_reconstruction_is_compared_with_leaving_the_image_alone_row_by_id():
    rows = translation([], EXAMPLES)

    name = "digits/cnn/pgd/unet"
    assert one(rows, "reconstruction_error", name).value == pytest.approx((0 + 0.02 + 0 + 0.04) / 4, abs=1e-7)
    assert one(rows, "identity_error", name).value == pytest.approx(0.1, abs=1e-7)
    gain = one(rows, "reconstruction_gain", name)
    assert gain.value == pytest.approx(0.085, abs=1e-7)
    assert (gain.entry, gain.seed, gain.unit) == ("unet", 0, "difference of pixels")
    assert " ".join(gain.files) == "pgdunet.0 pgd clean"


def test_a_translator_that_harms_every_image_has_a_gain_below_0_with_its_whole_interval():
    clean, attacked, _ = EXAMPLES
    rows = translation([], [clean, attacked, examples([0.9, 0.8, 0.9, 0.8], "pgd", "unet.0")])

    gain = one(rows, "reconstruction_gain", "digits/cnn/pgd/unet")
    assert gain.value == pytest.approx(-0.25)
    assert gain.low < gain.value < gain.high < 0
    assert written(gain.value, gain.unit) == "-0.2500"


def test_a_translated_set_without_its_original_is_refused():
    with pytest.raises(ValueError, match=r"one file with digits pgd without unet\.0: none is given"):
        translation([OUTPUTS[0], OUTPUTS[2]], [])
