"""One contract for every file in detectors/, found by listing the folder, and mutants that it must reject."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import touchstone
from touchstone import registry

FOLDER = Path(touchstone.__file__).parent / "detectors"
NAMES = registry.names(FOLDER.name)
SCORED = {"model", "images", "logits", "features", "gradient_norms", "state"}
FITTED = {"fit_images", "fit_logits", "fit_features", "fit_labels", "fit_gradient_norms", "model", "seed"}
ANOMALOUS = {"anomalous_images", "anomalous_logits", "anomalous_features", "anomalous_gradient_norms"}
CLASSES, WIDTH, PIXELS = 4, 12, 5

torch.set_num_threads(1)


@dataclass(frozen=True)
class Component:
    """A detector as the pipeline sees it: its public function and, where it is fitted, its `fit`."""

    score: Callable[..., Tensor]
    fit: Callable[..., dict[str, Tensor]] | None = None


def component(name: str) -> Component:
    module = importlib.import_module(f"touchstone.detectors.{name}")
    return Component(getattr(module, name), getattr(module, "fit", None))


def data_names(function: Callable[..., object]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]


def settings_of(function: Callable[..., object]) -> list[inspect.Parameter]:
    return [each for each in inspect.signature(function).parameters.values() if each.kind is each.KEYWORD_ONLY]


def world(kind: str, rows: int, seed: int, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Return toy data where "anomalous" is clear in every kind of data at once, in the direction each paper claims.

    Known rows lie near one of four class means, are dark, and are confidently classified; anomalous rows lie near the
    origin, off the span of the class means, are bright noise, unconfident, and have larger gradients.
    """
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (rows,), generator=draw)
    means = 6 * torch.eye(CLASSES, WIDTH)
    noise = torch.randn(rows, WIDTH, generator=draw)
    uniform = torch.rand(rows, 1, PIXELS, PIXELS, generator=draw)
    strokes = torch.zeros(CLASSES, 1, PIXELS, PIXELS)
    for label in range(CLASSES):
        strokes[label, :, label] = 0.6
    if kind == "known":
        features, images = means[labels] + 0.3 * noise, strokes[labels] + 0.05 * uniform
    else:
        off_span = torch.cat([torch.zeros(CLASSES), torch.ones(WIDTH - CLASSES)])
        features, images = off_span * noise.abs() + 0.1 * noise, uniform
    norms = (torch.randn(rows, 6, generator=draw) + torch.arange(6.0) + (2 if kind == "anomalous" else 0)).exp()
    found = {"features": features, "images": images, "gradient_norms": norms, "logits": features @ means.T}
    return {name: values.to(dtype) for name, values in found.items()} | {"labels": labels}


def _toy(dtype: torch.dtype) -> nn.Module:
    """Return a network whose logits favour the class whose row of pixels is lit."""
    rows, out = nn.Linear(PIXELS**2, PIXELS, bias=False), nn.Linear(PIXELS, CLASSES, bias=False)
    with torch.no_grad():
        rows.weight.copy_(torch.eye(PIXELS).repeat_interleave(PIXELS, dim=1) / PIXELS)
        out.weight.copy_(8 * torch.eye(CLASSES, PIXELS))
    return nn.Sequential(nn.Flatten(), rows, nn.ReLU(), out).to(dtype).requires_grad_(False)


TOYS = {dtype: _toy(dtype) for dtype in (torch.float32, torch.float64)}


def fitted(candidate: Component, dtype: torch.dtype = torch.float64, seed: int = 0) -> dict[str, Tensor]:
    assert candidate.fit is not None
    known, anomalous = world("known", 240, 1, dtype), world("anomalous", 240, 2, dtype)
    given: dict[str, object] = {"seed": seed, "model": TOYS[dtype]}
    given |= {f"fit_{name}": values for name, values in known.items()}
    given |= {f"anomalous_{name}": values for name, values in anomalous.items()}
    return candidate.fit(*(given[name] for name in data_names(candidate.fit)))


def score(candidate: Component, data: dict[str, Tensor], state: dict[str, Tensor] | None) -> Tensor:
    given = data | {"model": TOYS[data["images"].dtype], "state": state}
    return candidate.score(*(given[name] for name in data_names(candidate.score)))


def state_of(candidate: Component, dtype: torch.dtype = torch.float64) -> dict[str, Tensor] | None:
    return fitted(candidate, dtype) if candidate.fit else None


def check_signature(candidate: Component) -> None:
    assert set(data_names(candidate.score)) <= SCORED
    assert ("state" in data_names(candidate.score)) == (candidate.fit is not None)
    functions = [candidate.score] + ([candidate.fit] if candidate.fit else [])
    if candidate.fit:
        assert set(data_names(candidate.fit)) <= FITTED | ANOMALOUS
    for function in functions:
        for setting in settings_of(function):
            assert setting.default is not setting.empty, f"{setting.name} has no default"
            assert setting.annotation is not setting.empty, f"{setting.name} has no type"
        assert inspect.getdoc(function), f"{function.__name__} has no docstring"
    shared = {each.name: each.default for each in settings_of(functions[-1])}
    for setting in settings_of(candidate.score):
        assert shared.get(setting.name, setting.default) == setting.default, f"{setting.name} has two defaults"


def check_one_finite_score_per_row_in_the_dtype_of_the_data(candidate: Component) -> None:
    for dtype in (torch.float32, torch.float64):
        for kind in ("known", "anomalous"):
            scores = score(candidate, world(kind, 7, 3, dtype), state_of(candidate, dtype))
            assert scores.shape == (7,)
            assert scores.dtype == dtype
            assert scores.isfinite().all()


def check_float32_agrees_with_float64(candidate: Component) -> None:
    state = state_of(candidate)
    narrow = score(candidate, world("known", 20, 3, torch.float32), state)
    torch.testing.assert_close(narrow.double(), score(candidate, world("known", 20, 3), state), rtol=1e-3, atol=1e-4)


def check_row_order_is_ignored(candidate: Component) -> None:
    data, state, order = world("known", 9, 3), state_of(candidate), torch.tensor([4, 8, 0, 2, 7, 1, 6, 3, 5])
    shuffled = {name: values[order] for name, values in data.items()}
    torch.testing.assert_close(score(candidate, shuffled, state), score(candidate, data, state)[order])


def check_batch_split_is_ignored(candidate: Component) -> None:
    data, state = world("anomalous", 9, 3), state_of(candidate)
    parts = [{name: values[rows] for name, values in data.items()} for rows in (slice(0, 1), slice(1, 9))]
    together = torch.cat([score(candidate, part, state) for part in parts])
    torch.testing.assert_close(together, score(candidate, data, state))


def check_anomalies_score_higher(candidate: Component) -> None:
    state = state_of(candidate)
    known, anomalous = (score(candidate, world(kind, 200, 4), state) for kind in ("known", "anomalous"))
    auroc = (anomalous[:, None] > known).double().mean() + 0.5 * (anomalous[:, None] == known).double().mean()
    assert auroc > 0.9, f"AUROC {auroc:.3f} on clear anomalies"


def check_gradient_reaches_the_data(candidate: Component) -> None:
    state = state_of(candidate)
    for kind in ("known", "anomalous"):
        data = {n: v.requires_grad_(v.is_floating_point()) for n, v in world(kind, 8, 3).items()}
        wanted = [data[name] for name in data_names(candidate.score) if name not in ("model", "state")]
        gradients = torch.autograd.grad(score(candidate, data, state).sum(), wanted)
        for gradient in gradients:
            assert gradient.isfinite().all()
            assert gradient.flatten(1).abs().sum(1).gt(0).all(), "a row without any gradient"


def check_gradient_agrees_with_finite_differences(candidate: Component) -> None:
    if "model" in data_names(candidate.score):
        return  # input preprocessing takes a sign of a gradient: tested beside the detector, where the sign is constant
    data, state = world("known", 3, 5), state_of(candidate)
    for name in set(data_names(candidate.score)) - {"state"}:
        values = data[name].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(score(candidate, data | {name: values}, state).sum(), values)
        direction = torch.randn(values.shape, generator=torch.Generator().manual_seed(6), dtype=values.dtype)
        step = 1e-6 * direction
        with torch.no_grad():
            above, below = (score(candidate, data | {name: values + sign * step}, state).sum() for sign in (1, -1))
        measured = (above - below) / 2e-6
        torch.testing.assert_close((gradient * direction).sum(), measured, rtol=1e-4, atol=1e-6)


def check_inputs_are_left_alone(candidate: Component) -> None:
    data, state = world("known", 8, 3), state_of(candidate)
    before = {name: values.clone() for name, values in (data | (state or {})).items()}
    score(candidate, data, state)
    for name, values in (data | (state or {})).items():
        assert torch.equal(values, before[name]), f"{name} was changed"


def check_fit_is_deterministic_and_leaves_the_global_stream(candidate: Component) -> None:
    if candidate.fit is None:
        return
    before = torch.random.get_rng_state()
    first = fitted(candidate)
    torch.rand(3)
    second = fitted(candidate)
    torch.random.set_rng_state(before)
    fitted(candidate)
    assert torch.equal(torch.random.get_rng_state(), before), "fit moved the global random stream"
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def check_state_survives_the_round_trip_through_arrays(candidate: Component) -> None:
    if candidate.fit is None:
        return
    state, data = fitted(candidate), world("anomalous", 8, 3)
    assert state
    for name, values in state.items():
        assert values.dtype in (torch.float32, torch.float64), f"{name} is {values.dtype}"
        assert values.isfinite().all()
        assert not values.requires_grad
        assert values.is_contiguous(), f"{name} is laid out otherwise than it will be stored: scores would change"
    returned = {name: torch.from_numpy(values.numpy().copy()) for name, values in state.items()}
    assert torch.equal(score(candidate, data, returned), score(candidate, data, state))


CHECKS = {name: check for name, check in globals().items() if name.startswith("check_")}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_every_detector_keeps_the_contract(check, name):
    check(component(name))


def test_the_folder_holds_components_only():
    assert NAMES, "no detectors found"
    for name in NAMES:
        assert callable(getattr(importlib.import_module(f"touchstone.detectors.{name}"), name, None)), name


def _flipped(logits: Tensor) -> Tensor:
    """Return the energy with the wrong sign."""
    return torch.logsumexp(logits, dim=1)


def _batch_dependent(logits: Tensor) -> Tensor:
    """Return the energy relative to the rest of the batch."""
    scores = -torch.logsumexp(logits, dim=1)
    return scores - scores.mean()


def _order_dependent(logits: Tensor) -> Tensor:
    """Return the energy, drifting along the batch."""
    return -torch.logsumexp(logits, dim=1) + torch.arange(len(logits)).to(logits)


def _detached(logits: Tensor) -> Tensor:
    """Return the energy without its gradient."""
    return -torch.logsumexp(logits, dim=1).detach() + 0 * logits.sum(1)


def _surrogate(logits: Tensor) -> Tensor:
    """Return the energy with the gradient of something else."""
    return (-torch.logsumexp(logits, dim=1)).detach() + logits.sum(1) - logits.sum(1).detach()


def _in_place(logits: Tensor) -> Tensor:
    """Return the energy of logits it has shifted where they lie."""
    return -torch.logsumexp(logits.detach().sub_(1), dim=1) + 0 * logits.sum(1)


def _column(logits: Tensor) -> Tensor:
    """Return the energy as a column."""
    return -torch.logsumexp(logits, dim=1, keepdim=True)


def _always_float64(logits: Tensor) -> Tensor:
    """Return the energy in float64 whatever came in."""
    return -torch.logsumexp(logits.double(), dim=1)


def _with_an_untyped_setting(logits: Tensor, *, temperature=1.0) -> Tensor:
    """Return the energy."""
    return -temperature * torch.logsumexp(logits / temperature, dim=1)


def _with_state(logits: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the energy, shifted by what was fitted."""
    return -torch.logsumexp(logits, dim=1) + state["shift"].to(logits)


def _random_fit(fit_logits: Tensor) -> dict[str, Tensor]:
    """Return a shift from the global random stream."""
    return {"shift": torch.rand(1)}


def _transposed_fit(fit_logits: Tensor) -> dict[str, Tensor]:
    """Return a shift in a layout that is lost when it is stored."""
    return {"shift": torch.zeros(2, 3).T}


def _integer_fit(fit_logits: Tensor) -> dict[str, Tensor]:
    """Return a shift that is not a float."""
    return {"shift": torch.tensor([1])}


@pytest.mark.parametrize(
    ("check", "mutant"),
    [
        (check_anomalies_score_higher, Component(_flipped)),
        (check_batch_split_is_ignored, Component(_batch_dependent)),
        (check_row_order_is_ignored, Component(_order_dependent)),
        (check_gradient_reaches_the_data, Component(_detached)),
        (check_gradient_agrees_with_finite_differences, Component(_surrogate)),
        (check_inputs_are_left_alone, Component(_in_place)),
        (check_one_finite_score_per_row_in_the_dtype_of_the_data, Component(_column)),
        (check_one_finite_score_per_row_in_the_dtype_of_the_data, Component(_always_float64)),
        (check_signature, Component(_with_an_untyped_setting)),
        (check_signature, Component(_with_state)),
        (check_fit_is_deterministic_and_leaves_the_global_stream, Component(_with_state, _random_fit)),
        (check_state_survives_the_round_trip_through_arrays, Component(_with_state, _integer_fit)),
        (check_state_survives_the_round_trip_through_arrays, Component(_with_state, _transposed_fit)),
    ],
    ids=lambda value: value.score.__name__ if isinstance(value, Component) else "",
)
def test_the_contract_rejects_the_mutant(check, mutant):
    with pytest.raises(AssertionError):
        check(mutant)
