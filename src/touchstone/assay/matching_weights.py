"""Which weights of a file are those of a network: checkpoints wrap them, and put words before or between their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from touchstone.messages import listed, nearest

State = Mapping[str, Tensor]
WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})  # torch's own
COUNTER = "num_batches_tracked"  # torch fills it in if an older file lacks it
SHOWN = 3  # names that a message lists


@dataclass(frozen=True)
class Match:
    """Weights of a file that have names of a network.

    Attributes:
        key: what stands before their names in the file, such as "model.net"; "" for nothing.
        weights: by the network's names.
        unknown: further weights under the same key, which the network does not have.
    """

    key: str
    weights: dict[str, Tensor]
    unknown: dict[str, Tensor]

    def missing(self, expected: State) -> list[str]:
        """Return the network's names that the file lacks."""
        return [name for name in expected if name not in self.weights and not name.endswith(COUNTER)]

    def other_shapes(self, expected: State) -> list[str]:
        """Return the names of the weights that have another shape than in the network."""
        return [name for name in expected if name in self.weights and self.weights[name].shape != expected[name].shape]

    def fits(self, expected: State) -> bool:
        """Return whether these are all weights of the network, and no others."""
        return not (self.unknown or self.missing(expected) or self.other_shapes(expected))


def chosen(
    states: Mapping[str, State], expected: State, key: str | None, where: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights of a network, by its names, and notes on the weights of the file that were not read.

    Args:
        states: the weights in the file, by what they are stored under.
        expected: the weights of the network.
        key: what the user's weights are stored under; None: the only ones that fit.
        where: the file, for messages.

    Raises:
        ValueError: no weights fit, or several do; the message names them.
    """
    matches = _under(key, _matches(states, expected), states, where)
    fitting = [match for match in matches if match.fits(expected)]
    if not fitting:
        inner = {label: _without_wrappers(state, expected) for label, state in states.items()}
        fitting = [match for match in _under(key, _matches(inner, expected), states, where) if match.fits(expected)]
    if not fitting:
        closest, among = max(matches, key=lambda match: len(match.weights)), _among(states)
        raise ValueError(f"{where}: {_misfit(closest, expected)}{'.' if among else ''}{among}")
    first, *others = fitting
    different = [match for match in others if not _equal(match.weights, first.weights)]
    if different:
        keys = [match.key for match in (first, *different)]
        raise ValueError(
            f"{where}: several of its weights fit the network: {listed(keys)}. --key {keys[0]} takes the first"
        )
    read = {id(value) for match in fitting for value in match.weights.values()}
    unread = [
        _name(under, name) for under, state in states.items() for name, value in state.items() if id(value) not in read
    ]
    if not unread:
        return first.weights, []
    under = f"the weights under {first.key} were read" if first.key else "its weights were read"
    return first.weights, [f"{where}: {under}, and {len(unread)} other tensors were not, such as {_some(unread)}"]


def _under(key: str | None, matches: list[Match], states: Mapping[str, State], where: str) -> list[Match]:
    """Return the matches under a key; ValueError if there are none."""
    if key is None:
        return matches or [Match("", {}, _all_of(states))]
    found = [match for match in matches if match.key == key or match.key.startswith(f"{key}.")]
    if not found:
        keys = [name for name in (*states, *(match.key for match in matches)) if name]
        raise ValueError(f"{where}: has no weights under --key {key}.{nearest(key, keys)}{_among(states)}")
    return found


def _matches(states: Mapping[str, State], expected: State) -> list[Match]:
    """Return the weights under each key that has most of the network's names after it."""
    found: list[Match] = []
    for under, state in states.items():
        counts = Counter(prefix for name in state for prefix, rest in _splits(name) if rest in expected)
        prefixes = [prefix for prefix, count in counts.items() if 2 * count >= max(counts.values())]
        for prefix in prefixes:
            deeper = tuple(other for other in prefixes if other != prefix and other.startswith(prefix))
            inside = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix) and not (deeper and name.startswith(deeper))
            }
            weights = {name: value for name, value in inside.items() if name in expected}
            unknown = {name: value for name, value in inside.items() if name not in expected}
            found.append(Match(_name(under, prefix.rstrip(".")), weights, unknown))
    return found


def _splits(name: str) -> Iterable[tuple[str, str]]:
    """Yield each way to split a name into what stands before and the rest: ("", "a.b"), ("a.", "b")."""
    yield "", name
    for place, letter in enumerate(name):
        if letter == ".":
            yield name[: place + 1], name[place + 1 :]


def _without_wrappers(state: State, expected: State) -> dict[str, Tensor]:
    """Return weights without the words that torch's wrappers put into names, unless the network has them too."""
    own = {word for name in expected for word in name.split(".")}
    removed = WRAPPERS - own
    return {".".join(word for word in name.split(".") if word not in removed): value for name, value in state.items()}


def _equal(one: State, other: State) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items() if name in other)


def _name(label: str, name: str) -> str:
    return ".".join(filter(None, (label, name)))


def _all_of(states: Mapping[str, State]) -> dict[str, Tensor]:
    return {_name(label, name): value for label, state in states.items() for name, value in state.items()}


def _among(states: Mapping[str, State]) -> str:
    """Return a sentence that names what the file holds, if that is more than one."""
    if len(states) < 2:
        return ""
    return (
        f" It holds weights under {listed([label or 'no key' for label in states][: 2 * SHOWN])}; --key NAME takes one"
    )


def _misfit(match: Match, expected: State) -> str:
    """Return how weights differ from those of the network."""
    missing, unknown = match.missing(expected), list(match.unknown)
    under = f" under {match.key}" if match.key else ""
    if not match.weights:
        return (
            f"the weights do not fit the network: none of their names are the network's, such as {listed(unknown[:SHOWN])};"
            f" the network has {_some(list(expected))}"
        )
    parts = []
    for name in match.other_shapes(expected)[:SHOWN]:
        stored, own = match.weights[name].shape, expected[name].shape
        parts.append(f"{name} is {_times(stored)} in the file and {_times(own)} in the network")
        if name in list(expected)[-2:] and stored[1:] == own[1:]:
            parts.append(f"the file is for {stored[0]} classes and the network for {own[0]}")
    if missing:
        parts.append(f"{len(missing)} are missing, such as {missing[0]}.{nearest(missing[0], unknown)}".rstrip("."))
    if unknown:
        parts.append(f"the network does not have {_some(unknown)}")
    return f"the weights{under} do not fit the network: {'; '.join(dict.fromkeys(parts))}"


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many there are more."""
    more = len(names) - SHOWN
    return listed([*names[:SHOWN], *([f"{more} more"] if more > 0 else [])])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
