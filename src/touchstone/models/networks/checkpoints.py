"""Networks and their weights: from architecture to checkpoint arrays and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from touchstone.contracts import Architecture
from touchstone.numerics import tensors
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array, Checkpoint


class Program(nn.Module):
    """A network that is empty until `open` gives it a checkpoint's code and weights."""

    def open(self, weights: dict[str, Array]) -> None:
        """Load code and weights.

        Raises:
            DamagedFile: they are incomplete.
        """
        raise NotImplementedError

    def contents(self) -> dict[str, Array]:
        """Return the arrays that `open` loaded, by name, sorted."""
        raise NotImplementedError


def build(
    architecture: Architecture,
    input_shape: tuple[int, int, int],
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int = 0,
) -> nn.Module:
    """Return the freshly initialised network behind its normalisation.

    The weights depend only on the seed, the architecture and its settings. The global generator is left as it was.

    Args:
        architecture: builds the network.
        input_shape: (channels, height, width).
        classes: number of classes; 0 builds a translator.
        mean: per channel.
        std: per channel.
        seed: of the initialisation.
    """
    with tensors.seeded(seed, "init"):
        network = architecture(input_shape, classes) if classes else architecture(input_shape)
    return tensors.with_normalisation(network, mean, std)


def load(architecture: Architecture, checkpoint: Checkpoint, device: str = "cpu") -> nn.Module:
    """Return the network of `checkpoint`, in eval mode on `device`.

    It takes pixels in [0, 1].

    Raises:
        DamagedFile: weights and architecture do not fit; names what is missing, unknown or of another shape.
    """
    model = build(architecture, checkpoint.input_shape, checkpoint.classes, checkpoint.mean, checkpoint.std)
    fill(model, checkpoint.weights)
    return model.to(device).eval()


def fill(model: nn.Module, weights: dict[str, Array]) -> None:
    """Copy `weights` into a network that `build` returned.

    Raises:
        DamagedFile: names or shapes differ.
    """
    network = _behind_normalisation(model)
    if isinstance(network, Program):
        network.open(weights)
        return
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    faults = [f"missing {name}" for name in sorted(expected.keys() - weights.keys())]
    faults += [f"unknown {name}" for name in sorted(weights.keys() - expected.keys())]
    # Scalars (BatchNorm's counter) come back from a file with one dimension.
    faults += [
        f"{name} has shape {weights[name].shape}, expected {shape}"
        for name, shape in sorted(expected.items())
        if name in weights and weights[name].shape != (shape or weights[name].shape[:1])
    ]
    if faults:
        raise DamagedFile("the weights do not fit the architecture: " + "; ".join(faults))
    network.load_state_dict({name: torch.tensor(weights[name]).reshape(shape) for name, shape in expected.items()})


def weights_of(model: nn.Module) -> dict[str, Array]:
    """Return a copy of the parameters and buffers, by name, sorted.

    The network is one that `build` returned.
    """
    network = _behind_normalisation(model)
    if isinstance(network, Program):
        return network.contents()
    state = network.state_dict()
    return {name: state[name].detach().cpu().numpy().copy() for name in sorted(state)}


def penultimate(model: nn.Module) -> nn.Linear:
    """Return the last linear layer in module order, whose input are the features.

    For an ensemble it is that of the last member.

    Raises:
        ValueError: the network has no linear layer (shallow_rbf).
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ValueError("the network has no linear layer, so it has no penultimate features")
    return layers[-1]


def _behind_normalisation(model: nn.Module) -> nn.Module:
    if not (isinstance(model, nn.Sequential) and len(model) == 2 and isinstance(model[0], tensors.Normalise)):
        raise ValueError("expected a network behind its normalisation, as networks.build returns it")
    return model[1]
