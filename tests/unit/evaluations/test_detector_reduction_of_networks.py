"""The reduction on trained networks: it flags a hidden gradient and a weak attack, and passes what is attacked soundly."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from touchstone.attacks.adaptive.evasion_suite import evasion_suite
from touchstone.attacks.adaptive.selective_pgd import selective_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.pgd import pgd
from touchstone.detectors.msp import msp
from touchstone.evaluations.detector_reduction import detector_reduction
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

EPS = 0.2
TRAIN, CALIBRATION, TEST = slice(1000), slice(1000, 1500), slice(1500, 1600)
IDS = np.arange(100)
SOUND = partial(evasion_suite, eps=EPS, steps=20, restarts=3)
GRADIENT = partial(selective_pgd, eps=EPS, steps=20)  # no surrogate gradients, no search without any
SHORT = partial(selective_pgd, eps=EPS, steps=3, step_size=EPS / 20)  # it covers 15 % of its budget


class Masked(nn.Module):
    """A network that sees its images in a few levels, so that no gradient reaches them."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network((images * 8).round() / 8)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pictures():
    digits = load_digits()
    return torch.from_numpy(digits.images).float()[:, None] / 16, torch.from_numpy(digits.target).long()


def trained(pictures, attack=None):
    """A small network that was trained on images as they are, or on attacked ones."""
    images, labels = (part[TRAIN] for part in pictures)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(60):
        streams = RandomStreams(step, "attack", torch.arange(len(images)))
        seen = images if attack is None else attack(network, images, labels, streams)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(seen), labels).backward()
        optimiser.step()
    return network.eval()


@pytest.fixture(scope="module")
def plain(pictures):
    return trained(pictures)


@pytest.fixture(scope="module")
def rival(pictures):
    """The outputs of a network that was trained with PGD at eps / 2, clean and under the suite at eps / 2."""
    network = trained(pictures, partial(pgd, eps=EPS / 2, steps=3))
    images, labels = (part[TEST] for part in pictures)
    attacked = attack_suite(network, images, labels, streams(), eps=EPS / 2, restarts=3, queries=100)
    half = {"attack": "suite", "victim": "rival.0", "settings": {"use": "attacks/attack_suite", "eps": EPS / 2}}
    return [outputs(network, images, labels, "rival"), outputs(network, attacked, labels, "rival", **half)]


def streams():
    return RandomStreams(0, "attack", torch.from_numpy(IDS))


def outputs(network, images, labels, entry="cnn", **place):
    with torch.no_grad():
        noun = Outputs(network(images).numpy(), labels.numpy(), IDS)
    return Cell(noun, f"{entry}/{place}", entry, 0, "digits", **place)


def scores(guard, images, labels, **place):
    with torch.no_grad():
        noun = Scores(guard.read(images)[1].double().numpy(), IDS, labels.numpy())
    return Cell(noun, f"scores/{place}", "cnn", 0, "digits", detector="msp", **place)


def guarded(network, pictures):
    """A network behind MSP, with the threshold of its own calibration images."""
    with torch.no_grad():
        calibration = msp(network(pictures[0][CALIBRATION]))
    return Guarded(network, msp, ("logits",), {}, float(calibration.quantile(0.95)), float(calibration.std()), {})


def reduced(pictures, rival, network, attack, attacked_network=None):
    """The rows of the reduction: of a network behind MSP; the attack follows its gradient, or that of a stand-in."""
    images, labels = (part[TEST] for part in pictures)
    guard = guarded(network, pictures)
    attacked = attack(guarded(attacked_network or network, pictures), images, labels, streams())
    place = {"attack": "adaptive", "victim": "cnn.0+msp@0.05", "settings": {"use": "adaptive/pgd", "eps": EPS}}
    detector = Detector({}, {"use": "msp"}, {"0.05": guard.threshold}, spread=guard.spread, supervised=False)
    rows = detector_reduction(
        [outputs(network, images, labels), outputs(network, attacked, labels, **place)],
        [scores(guard, images, labels), scores(guard, attacked, labels, **place)],
        [Cell(detector, "detector", "cnn", 0, detector="msp")],
        rival,
        eps=EPS,
    )
    assert float((attacked - images).abs().max()) <= EPS + 1e-6
    return {row.metric: row for row in rows}


def test_a_network_that_hides_its_gradient_would_beat_the_best_network_at_half_and_is_flagged(pictures, plain, rival):
    found = reduced(pictures, rival, Masked(plain), GRADIENT)

    assert found["implied_minus_best_known"].low > 0
    assert found["implied_minus_best_known_passed"].value == 0


def test_the_suite_gets_past_a_hidden_gradient_and_passes(pictures, plain, rival):
    found = reduced(pictures, rival, Masked(plain), SOUND)

    assert found["implied_minus_best_known_passed"].value == 1


def test_a_detector_under_too_weak_an_attack_would_beat_the_best_network_at_half_and_is_flagged(pictures, plain, rival):
    found = reduced(pictures, rival, plain, SHORT)

    assert found["implied_minus_best_known"].low > 0
    assert found["implied_minus_best_known_passed"].value == 0


@pytest.mark.parametrize("hide", [False, True], ids=["plain", "through a stand-in"])
def test_a_detector_that_is_attacked_soundly_passes(pictures, plain, rival, hide):
    """A hidden gradient is followed through the bare network, which is what a sound attack does."""
    found = reduced(pictures, rival, Masked(plain) if hide else plain, SOUND, plain)

    assert found["implied_accuracy_at_half"].value < 0.1 < 0.4 < found["best_known_accuracy_at_half"].value
    assert found["implied_minus_best_known_passed"].value == 1
