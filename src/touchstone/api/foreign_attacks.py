"""Attacks that `evaluate` is given: what they are called with, and what is taken from what they return."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from touchstone import registry
from touchstone.api.arguments import kind_of
from touchstone.api.components import BoundComponent, component
from touchstone.api.gate import FAULTS
from touchstone.api.torch_state import State
from touchstone.contracts import Attack
from touchstone.messages import first_line
from touchstone.numerics.tensors import RandomStreams

CALLED = "model, images, labels, generator"
WRAPPERS = {  # libraries, and the function that calls an attack of each
    "torchattacks": f"lambda {CALLED}: torchattacks.PGD(model, eps=8 / 255)(images, labels)",
    "foolbox": f"lambda {CALLED}: attack.run(foolbox.PyTorchModel(model, bounds=(0, 1)), images, labels, epsilon=8 / 255)",
    "art": f"lambda {CALLED}: attack.generate(images.numpy(), labels.numpy())",
}


def checked(attacks: Any, eps: float) -> list[Attack]:
    """Return further attacks as a list of functions.

    Args:
        attacks: names of components, or functions.
        eps: of the attacks that are given by their names.

    Raises:
        TypeError: If one cannot be called as attack(model, images, labels, generator); the message says what to write.
        ValueError: If there is no attack of a name.
    """
    if isinstance(attacks, str) or not isinstance(attacks, Iterable):
        got = f"the text {attacks!r}" if isinstance(attacks, str) else kind_of(attacks)
        raise TypeError(f"attacks: expected a list of names or functions, got {got}: attacks=[...]")
    given = [_named(attack, eps) if isinstance(attack, str) else attack for attack in attacks]
    for number, attack in enumerate(given):
        library = type(attack).__module__.partition(".")[0]
        if library in WRAPPERS:
            raise TypeError(
                f"attacks[{number}]: an attack is called as attack({CALLED}), and {kind_of(attack)} is not:"
                f" {WRAPPERS[library]}"
            )
        if not callable(attack) or isinstance(attack, type):
            raise TypeError(
                f"attacks[{number}]: expected a function, got {type(attack).__name__}: touchstone.component('attacks/pgd',"
                " eps=8 / 255) returns one"
            )
    return [attack.function if isinstance(attack, BoundComponent) else attack for attack in given]


def _named(name: str, eps: float) -> BoundComponent:
    """Return the attack of a name, within eps if it has such a setting."""
    short = name.removeprefix("attacks/")
    known = short in registry.names("attacks") and "eps" in registry.component("attacks", short).call.settings
    return component(f"attacks/{short}", **({"eps": eps} if known else {}))


def attacked(
    name: str,
    attack: Attack,
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    streams: RandomStreams,
    caller: State,
) -> Tensor:
    """Return the images that an attack returns, as a tensor like `images`.

    The attack gets copies, may follow gradients, and finds torch in its caller's state.

    Args:
        name: of the attack, for messages.
        attack: called as attack(model, images, labels, generator).
        model: guarded.
        images: (N, C, H, W) in [0, 1].
        labels: (N,).
        streams: one for each image.
        caller: torch's state for the attack.

    Raises:
        TypeError: If it returns anything but images.
        ValueError: If it fails.
    """
    try:
        with caller.entered(), torch.enable_grad():
            returned: object = attack(model, images.clone(), labels.clone(), streams)
    except FAULTS as error:
        raise ValueError(
            f"{name} failed, called as attack({CALLED}): {type(error).__name__}: {first_line(error).rstrip('.')}. An attack"
            f" of another library needs a function around it, such as {WRAPPERS['torchattacks']}"
        ) from error
    return _as_images(name, returned, images)


def _as_images(name: str, returned: Any, images: Tensor) -> Tensor:
    """Return a tensor, an array or a list of one image per row as a tensor like `images`."""
    if isinstance(returned, list | tuple) and len(returned) == len(images):
        rows = [item for item in returned if getattr(item, "shape", None) == images.shape[1:]]
        if rows and len(rows) == len(images):
            returned = torch.stack([torch.as_tensor(row) for row in rows])
    if isinstance(returned, list | tuple):
        places = [place for place, item in enumerate(returned) if getattr(item, "shape", None) == images.shape]
        if len(places) != 1:
            fitting = f", of which {len(places)} have the shape of the images" if places else ""
            raise TypeError(
                f"{name} returned {len(returned)} things{fitting}, expected the attacked images (N, C, H, W): return only"
                " these; foolbox returns them second, clipped to its budget"
            )
        returned = returned[places[0]]
    try:
        return torch.as_tensor(returned).detach().to(images.device, images.dtype)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name} returned {kind_of(returned)}, expected the attacked images (N, C, H, W), a tensor or an array"
        ) from error
