"""Every fitted detector on data that leave nothing to fit: scores that are right, or a sentence that names the reason."""

import pytest
import torch
from torch import nn

import touchstone
from touchstone import registry
from touchstone.numerics.precision import float32_rounding

FITTED = [name for name in registry.names("detectors") if registry.component("detectors", name).fit is not None]
WIDTH, CLASSES = 12, 3
SETTINGS = {
    "knn": {"k": 3},
    "lid": {"k": 3},
    **{f"{name}_network": {"epochs": 5} for name in ("feature", "softmax", "gradient")},
}


def network(dead=0, confidence=1.0, tiny=0):
    """A network that predicts every class, and whose first hidden units never fire, or are tiny."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden, last = nn.Linear(16, WIDTH), nn.Linear(WIDTH, CLASSES)
    with torch.no_grad():
        hidden.bias[:dead] = -1e3
        for parameter in hidden.parameters():
            parameter[:tiny] *= 1e-6
        made = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), last).eval()
        last.bias -= made(images(60)).mean(0)
        for parameter in last.parameters():
            parameter *= confidence
    return made


def images(rows, seed=0):
    return torch.rand(rows, 1, 4, 4, generator=torch.Generator().manual_seed(seed))


def spoilt(value):
    given = images(60)
    given[7, 0, 1, 1] = value
    return given


def right(model, given):
    return model(given).argmax(1).detach()


CASES = {
    "usual": (network(), images(60), None),
    "constant": (network(), images(1).repeat(60, 1, 1, 1), None),
    "copies": (network(), images(4).repeat(15, 1, 1, 1), None),
    "few rows": (network(), images(5), None),
    "one row": (network(), images(1), None),
    "one class": (network(), images(60), torch.zeros(60, dtype=torch.int64)),
    "a unit that never fires": (network(dead=1), images(60), None),
    "half the units": (network(dead=WIDTH // 2), images(60), None),
    "most units": (network(dead=WIDTH - 2), images(60), None),
    "half the units are tiny": (network(tiny=WIDTH // 2), images(60), None),
    "all units": (network(dead=WIDTH), images(60), None),
    "confident": (network(confidence=1e3), images(60), None),
    "very confident": (network(confidence=1e6), images(60), None),
    "unsure": (network(confidence=1e-6), images(60), None),
    "NaN": (network(), spoilt(torch.nan), None),
    "infinity": (network(), spoilt(torch.inf), None),
    "overflow": (network(confidence=1e37), images(60), None),
}


def scores(name, case, batch_size=256):
    model, given, labels = CASES[case]
    return touchstone.detector_scores(
        name, model, images(40, 1), fit_images=given, fit_labels=right(model, given) if labels is None else labels,
        anomalous_images=images(60, 2).mul(2).clamp(0, 1), batch_size=batch_size, **SETTINGS.get(name, {}),
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FITTED)
def test_a_detector_gives_scores_or_says_why_it_cannot_be_fitted(name, case):
    try:
        together = scores(name, case)
    except ValueError as error:
        known = (
            f"detectors/{name} cannot be fitted: ",
            f"detectors/{name} gives no",
            "fit_images contain NaN or infinity",
        )
        assert str(error).startswith(known)
        assert case != "usual"
        return
    alone = scores(name, case, batch_size=1)

    assert together.isfinite().all()
    assert (together - alone).abs().max() <= 0.02 * together.std() + float32_rounding(together)
    assert case not in ("NaN", "infinity")
