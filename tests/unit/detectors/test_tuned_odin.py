import pytest
import torch

from touchstone.detectors.odin import odin
from touchstone.detectors.tuned_odin import fit, tuned_odin

T = 10.0


class Steep(torch.nn.Module):
    """Two classes by the mean of the left half. The brighter the right half, the larger the logits."""

    def forward(self, images):
        left, right = images[..., :2].mean((1, 2, 3)), images[..., 2:].mean((1, 2, 3))
        gap = left - 0.5 + right * (left - 0.5) * 4
        return 20 * torch.stack([gap, -gap], dim=1)


def pictures(rows, right, seed):
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(rows, 1, 4, 4, generator=draw, dtype=torch.float64)
    images[..., 2:] = right
    return images


def fpr95(known, anomalous, magnitude):
    """The share of anomalous images that the threshold for 95 % of the known ones accepts."""
    scores = [odin(Steep(), images, temperature=T, magnitude=magnitude).detach() for images in (known, anomalous)]
    return (scores[1] <= scores[0].quantile(0.95)).double().mean().item()


def test_the_magnitude_is_the_first_that_lets_the_fewest_outliers_pass():
    known, anomalous = pictures(300, 0.9, 0), pictures(200, 0.1, 1)

    state = fit(known, anomalous, Steep(), temperature=T, largest=0.2, choices=5, batch_size=64)

    rates = [fpr95(known, anomalous, 0.05 * step) for step in range(5)]
    assert len(set(rates)) > 1
    assert state["magnitude"].item() == pytest.approx(0.05 * rates.index(min(rates)))
    assert state["temperature"].item() == T


def test_among_equal_magnitudes_the_smallest_wins():
    images = pictures(50, 0.5, 0)

    assert fit(images, images, Steep(), largest=0.0, choices=3)["magnitude"].item() == 0


def test_the_score_is_odin_with_what_was_fitted():
    images = pictures(20, 0.3, 2)
    state = {"temperature": torch.tensor([T]), "magnitude": torch.tensor([0.25])}

    expected = odin(Steep(), images, temperature=T, magnitude=0.25)

    torch.testing.assert_close(tuned_odin(images, Steep(), state), expected)
