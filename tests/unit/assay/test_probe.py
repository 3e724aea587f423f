"""What is said of a model before it is assayed: its normalisation, and the order of its classes."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.assay.class_order import Numbering, right_order
from touchstone.assay.probe import Findings, _unbounded, check_right, probe

torch.set_num_threads(1)
NAMES = tuple("abcdefghij")


class Sides(nn.Module):
    """Class 1 where the right half is brighter than the left, both as far as they are above a threshold."""

    def __init__(self, threshold=0.0):
        super().__init__()
        self.threshold = threshold
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))

    def forward(self, images):
        seen = torch.relu(images - self.threshold)
        logits = self.head(torch.stack([seen[..., :4].mean((1, 2, 3)), seen[..., 4:].mean((1, 2, 3))], 1))
        return logits + (images[:, 0, 0, :1] - images[:, 0, 7, :1]) * torch.tensor([1.0, 0.0])  # a gradient everywhere


def halves(count=60, dim=0):
    """Images of which one half is brighter; the last `dim` of class 1 are hard to see below a threshold of 0.2."""
    labels = torch.arange(count) % 2
    levels = torch.full((count, 1, 8, 8), 60)
    levels[labels == 0, :, :, :4], levels[labels == 1, :, :, 4:] = 100, 100
    for row in torch.nonzero(labels)[:, 0].tolist()[count // 2 - dim :]:
        levels[row, :, :, :4], levels[row, :, :, 4:] = 20, 50
    return levels / 255, labels


def normalisation_named(network, images, labels, mean, std):
    notes = " ".join(probe(network, mean, std, images, labels, Numbering("here", ("l", "r"))).notes)
    return re.findall(r"with (\S+) normalisation|(without normalisation)", notes)


def test_no_normalisation_is_named_where_it_is_as_good_as_any():
    images, labels = halves()

    assert normalisation_named(Sides(), images, labels, [0.5], [0.5]) == [("", "without normalisation")]


def test_no_normalisation_is_named_where_another_is_better_by_one_image():
    images, labels = halves(dim=1)

    assert normalisation_named(Sides(0.2), images, labels, [0.5], [0.5]) == [("", "without normalisation")]


def test_another_normalisation_is_named_where_it_is_better_than_none():
    images, labels = halves(dim=10)

    assert normalisation_named(Sides(0.2), images, labels, [0.5], [0.5]) == [("MNIST's", "")]


def test_nothing_is_said_of_a_normalisation_that_is_as_good_as_others():
    images, labels = halves()

    assert normalisation_named(Sides(), images, labels, [0.0], [1.0]) == []


class Constant(nn.Module):
    """Class 2, which no image has; class 0 where pixels are below 0, as behind some normalisations."""

    def forward(self, images):
        mean = images.mean((1, 2, 3))
        return torch.stack([torch.where(mean < 0, 9 - mean, mean), 0 * mean, 3 + 2 * mean], 1)


def test_a_normalisation_that_makes_a_model_no_better_than_guessing_is_no_hint():
    images, labels = halves()

    with pytest.raises(ValueError, match="right on 0% of 60 of your images, so there is nothing to attack") as refused:
        probe(Constant(), [0.0], [1.0], images, labels, Numbering("here", ("l", "r")))

    assert "normalisation" not in str(refused.value)


def answers(labels, order, share, seed=0):
    """Predictions of a model that is right on a share of the rows and has class c at output order[c]."""
    draws = np.random.default_rng(seed)
    wrong = draws.integers(0, len(order), len(labels))
    return np.where(draws.random(len(labels)) < share, np.asarray(order)[labels], wrong)


@pytest.mark.parametrize(
    "order", [[1, 2, 3, 4, 5, 6, 7, 8, 9, 0], [0, 2, 1, 3, 4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]
)
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_an_order_under_which_the_model_is_right_is_found(order, share):
    labels = np.arange(256) % 10

    order_found = right_order(labels, answers(labels, order, share), 10)

    assert order_found.outputs == dict(enumerate(order))
    assert order_found.accuracy == pytest.approx(share + (1 - share) / 10, abs=0.08)


def test_an_order_of_many_classes_with_few_images_each_is_found():
    order = np.random.default_rng(0).permutation(50)
    labels = np.arange(250) % 50

    assert right_order(labels, answers(labels, order, 0.95), 50).outputs == dict(enumerate(order.tolist()))


def test_two_classes_that_were_exchanged_are_found_among_classes_of_unlike_size():
    labels = np.repeat(np.arange(5), [120, 20, 15, 60, 41])

    order_found = right_order(labels, answers(labels, [0, 2, 1, 3, 4], 0.9), 5)

    assert order_found.outputs == {0: 0, 1: 2, 2: 1, 3: 3, 4: 4}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_no_other_order_is_found_for_a_model_that_is_right_or_guesses(share, seed):
    labels = np.random.default_rng(100 + seed).permutation(np.arange(256) % 10)

    assert right_order(labels, answers(labels, range(10), share, seed), 10) is None


def test_no_order_is_found_for_a_model_with_one_answer_whatever_class_is_frequent():
    labels = np.repeat([0, 1, 2], [150, 60, 46])

    for answer in range(3):
        assert right_order(labels, np.full(256, answer), 3) is None


def test_no_order_is_found_for_a_model_that_takes_two_classes_for_their_neighbours():
    """As one does in the wrong range: 0 is taken for 1, and 1 and 2 for 2."""
    labels = np.arange(90) % 3

    assert right_order(labels, np.array([1, 2, 2])[labels], 3) is None


def test_no_order_is_found_where_a_class_is_mostly_taken_for_another_that_is_known():
    labels = np.arange(200) % 2
    predictions = np.where((labels == 0) & (np.arange(200) % 10 < 7), 1, labels)

    assert right_order(labels, predictions, 2) is None


def test_no_order_is_found_from_a_few_images_of_very_many_classes():
    labels = np.random.default_rng(0).integers(0, 1000, 256)
    predictions = np.random.default_rng(1).integers(0, 1000, 256)

    assert right_order(labels, predictions, 1000) is None


def test_folders_get_the_words_to_type_and_labels_the_numbers():
    outputs = {0: 2, 1: 0, 2: 1}

    assert "--classes bee,cat,ant" in Numbering("here", ("ant", "bee", "cat")).in_order(outputs, 3)
    advice = Numbering("here", ("0", "1", "2"), arrays=True).in_order(outputs, 3)
    assert "numpy.array([2, 0, 1])[labels]" in advice
    some = Numbering("here", ("ant", "", "cat")).in_order({0: 2, 2: 0}, 4)
    assert "ant is output 2, cat is output 0" in some


class Windows(nn.Module):
    """The logits of Sides, by a linear layer that gets a row for each half of an image, and a sum without a layer."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.layer = rows, nn.Linear(1, 1, bias=False)

    def forward(self, images):
        halves = images.unflatten(-1, (2, 4)).mean((1, 2, 4))
        seen = self.layer(halves.view(-1, 1) if self.rows else halves[..., None]).view(-1, 2)
        return seen @ torch.tensor([[1.0, -1.0], [-1.0, 1.0]]) * self.layer.weight.sign()


def test_a_layer_that_gets_rows_of_windows_is_refused_with_what_to_write():
    images, labels = halves()
    numbering = Numbering("here", ("l", "r"))

    with pytest.raises(ValueError, match=r"gets 16 rows for 8 images.* \(images, windows, features\)"):
        probe(Windows(rows=True), [0.0], [1.0], images, labels, numbering)
    assert probe(Windows(rows=False), [0.0], [1.0], images, labels, numbering).accuracy == 1


@pytest.mark.parametrize("stated", [True, False])
def test_an_order_that_the_user_stated_stands_if_it_makes_the_model_right_on_most_images(stated):
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2, 2] * 10)
    images = torch.tensor([0.0, 0.2, 0.1])[labels][:, None, None, None].expand(-1, 1, 2, 2)  # the last two are swapped

    def model(images):
        return -((images.mean((1, 2, 3))[:, None] - torch.tensor([0.0, 0.1, 0.2])) ** 2)

    numbering = Numbering("here", ("l", "r", "s"), stated=stated)
    if stated:
        check_right(model, images, labels, numbering)
    else:
        with pytest.raises(ValueError, match="right on 60% of 100 of your images, but on 100% in another order"):
            check_right(model, images, labels, numbering)


def test_logits_whose_cross_entropy_has_no_gradient_are_noted():
    for lead, count in ((100.0, 0), (110.0, 1)):
        findings = Findings()
        _unbounded(torch.tensor([[lead, -1.0, -2.0], [0.0, lead, -3.0]]), findings)
        assert sum("fgsm and pgd stand still" in note for note in findings.notes) == count
