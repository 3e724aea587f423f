"""Networks that see the same images in another order of rows: no number and no interval of a mean changes."""

from dataclasses import fields, replace

import numpy as np
import pytest

from touchstone.evaluations.detection import detection
from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.margins import margins
from touchstone.evaluations.paired_detection import paired_detection
from touchstone.evaluations.paired_errors import paired_errors
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.translation import translation
from touchstone.records.nouns import Cell, Detector, Margins, Outputs, Scores

COUNT, SEEDS = 40, (0, 1, 2)
PGD, FGSM = {"use": "pgd", "eps": 0.1}, {"use": "fgsm", "eps": 0.1}
FEW = {"resamples": 50}


def drawn(*place):
    return np.random.default_rng([ord(letter) for part in place for letter in str(part)])


def outputs(seed, attack="", settings=None, translator="", entry="cnn"):
    """Logits of three classes, right on most images, nearly on the same ones for every seed."""
    sure = drawn("image").normal(1.5 - 0.8 * bool(attack), 1, COUNT) + 0.5 * drawn(seed, attack, entry).normal(
        size=COUNT
    )
    logits = 0.1 * drawn(seed, entry).normal(size=(COUNT, 3)).astype(np.float32)
    labels = np.arange(COUNT) % 3
    logits[np.arange(COUNT), labels] += sure.astype(np.float32)
    return Cell(
        Outputs(logits, labels, np.arange(COUNT)), f"{entry}.{seed}/{attack}/{translator}", entry, seed, "digits", attack,
        f"{entry}.{seed}" if attack else "", translator, settings=settings or {},
    )  # fmt: skip


def scores(seed, examples="digits", attack="", detector="msp", guarded=False):
    values = drawn(examples).normal(float(examples != "digits" or bool(attack)), 1, COUNT)
    values += drawn(seed, examples, attack, detector).normal(size=COUNT)
    victim = f"cnn.{seed}+{detector}" if guarded else f"cnn.{seed}"
    return Cell(
        Scores(values, np.arange(COUNT), np.zeros(COUNT, np.int64)), f"{detector}.{seed}/{examples}/{attack}", "cnn", seed,
        examples, attack, victim if attack else "", detector=detector,
        settings={"use": "score_pgd", "eps": 0.1} if guarded else PGD if attack else {},
    )  # fmt: skip


def threshold(seed):
    return Cell(
        Detector({}, {"use": "msp"}, {"0.05": 1.0}, 1.0, supervised=False), f"fit.{seed}", "cnn", seed, detector="msp"
    )


def distances(seed):
    values = np.abs(drawn("image").normal(size=COUNT)) + 0.1 * drawn(seed).random(COUNT)
    predictions = outputs(seed).noun.predictions
    return Cell(
        Margins(values, np.ones(COUNT, bool), np.arange(COUNT) % 3, predictions, np.arange(COUNT), "linf", "fab"),
        f"margins.{seed}", "cnn", seed, "digits", margin="fab",
    )  # fmt: skip


def both(seed):
    return [outputs(seed), outputs(seed, "pgd", PGD)]


# What each evaluation gets of one seed, and how it is called with the cells of all.
EVALUATIONS = {
    "robustness": (both, robustness),
    "paired_errors": (
        lambda seed: [*both(seed), outputs(seed, "fgsm", FGSM)],
        lambda cells: paired_errors(cells, against=["fgsm"], **FEW),
    ),
    "translation": (
        lambda seed: [*both(seed), outputs(seed, "pgd", PGD, translator=f"unet.{seed}")],
        lambda cells: translation(cells, [], **FEW),
    ),
    "detection": (
        lambda seed: [scores(seed), scores(seed, "noise"), scores(seed, "digits", "pgd"), *both(seed)],
        lambda cells: detection(of_kind(cells, Scores), of_kind(cells, Outputs), id_examples="digits", **FEW),
    ),
    "paired_detection": (
        lambda seed: [scores(seed, *place, detector=name) for name in ("msp", "knn") for place in ([], ["noise"])],
        lambda cells: paired_detection(cells, [], id_examples="digits", against=["msp"], **FEW),
    ),
    "evasion": (
        lambda seed: [scores(seed), scores(seed, "digits", "pgd"), scores(seed, "held"), *both(seed), threshold(seed)],
        lambda cells: evasion(
            of_kind(cells, Outputs), [cell for cell in of_kind(cells, Scores) if cell.examples == "digits"],
            of_kind(cells, Detector), [], [cell for cell in of_kind(cells, Scores) if cell.examples == "held"],
        ),
    ),
    "margins": (
        lambda seed: [distances(seed), outputs(seed)],
        lambda cells: margins(of_kind(cells, Margins), of_kind(cells, Outputs), [], eps=[0.5], **FEW),
    ),
}  # fmt: skip


def of_kind(cells, kind):
    return [cell for cell in cells if isinstance(cell.noun, kind)]


def shuffled(cell):
    """The same rows in another order, another one in every file."""
    if isinstance(cell.noun, Detector):
        return cell
    order = drawn(cell.file, "order").permutation(COUNT)
    columns = {field.name: getattr(cell.noun, field.name) for field in fields(cell.noun)}
    arrays = {name: column[order] for name, column in columns.items() if isinstance(column, np.ndarray)}
    return replace(cell, noun=replace(cell.noun, **arrays))


@pytest.mark.parametrize("name", list(EVALUATIONS))
def test_the_order_of_rows_changes_no_mean(name):
    of_seed, evaluation = EVALUATIONS[name]
    cells = [cell for seed in SEEDS for cell in of_seed(seed)]
    again = [cell if cell.seed == 0 else shuffled(cell) for cell in cells]

    one, other = ([row for row in evaluation(given) if row.is_mean] for given in (cells, again))

    assert one and len(one) == len(other)
    for expected, found in zip(one, other, strict=True):
        assert (found.entry, found.examples, found.metric) == (expected.entry, expected.examples, expected.metric)
        for column in ("value", "low", "high", "image_variance", "seed_variance", "residual_variance"):
            assert getattr(found, column) == pytest.approx(getattr(expected, column), abs=1e-12), (found.metric, column)
