"""RobustBench's networks by name, and their published figures, to compare with measured ones."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from touchstone.messages import first_line, nearest
from touchstone.signatures import fold

if TYPE_CHECKING:  # arguments are checked without torch
    from torch import nn

PREFIX = "robustbench:"  # of the command's argument MODEL
TABLE = Path(__file__).with_name("model_zoo.yaml")
INSTALL = "pip install git+https://github.com/RobustBench/robustbench"


@dataclass(frozen=True)
class Published:
    """What a leaderboard says of a network: accuracies in percent, and the budget of the attacks."""

    name: str  # dataset/threat/name, such as cifar10/Linf/Carmon2019Unlabeled
    norm: str  # linf or l2
    eps: str  # as written: 8/255
    clean: float
    robust: float
    by: str  # AutoAttack, or an external evaluation

    @property
    def radius(self) -> float:
        """The budget as a number."""
        return float(fold(self.eps))

    def sentence(self) -> str:
        """Return the published figures in words."""
        by = "by AutoAttack" if self.by == "AutoAttack" else "by an evaluation that RobustBench adopted"
        return (
            f"RobustBench publishes for {self.name}: {self.clean:g} % on clean images, {self.robust:g} % under attack,"
            f" {self.norm} eps {self.eps}, {by}"
        )


@cache
def table() -> dict[str, dict[str, Any]]:
    """Return the figures of every network by dataset/threat/name."""
    figures: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text())
    return figures


def published(model: str) -> Published:
    """Return the published figures of the network that "robustbench:NAME" means.

    NAME may be the last part, if only one network ends so, or cifar10/Linf/NAME.

    Raises:
        ValueError: there is no such network, with the nearest name, or there are several.
    """
    wanted = model.removeprefix(PREFIX)
    found = [name for name in table() if name == wanted or name.endswith(f"/{wanted}")]
    if len(found) > 1:
        raise ValueError(f"{model}: there are {', '.join(found)}; write {PREFIX}{found[0]} for the first")
    if not found:
        names = [*table(), *(name.rpartition("/")[2] for name in table())]
        raise ValueError(
            f"{model}: not among the {len(table())} networks of RobustBench that touchstone knows.{nearest(wanted, names)}"
        )
    (name,) = found
    figures = table()[name]
    return Published(
        name, name.split("/")[1].lower(), str(figures["eps"]), figures["clean"], figures["robust"], figures["by"]
    )


def weights_file(model: str) -> str:
    """Return the file that RobustBench's package reads the weights of "robustbench:NAME" from, or downloads them to."""
    return f"models/{published(model).name}.pt"


def network(name: str) -> nn.Module:
    """Return a network with its weights, in eval mode, from RobustBench's own package.

    The package downloads the weights into models/ if they are not there, and normalises the images inside the network.

    Args:
        name: dataset/threat/name.

    Raises:
        ValueError: the package is not installed, or cannot load the network.
    """
    dataset, threat, last = name.split("/")
    try:
        library: Any = importlib.import_module("robustbench.utils")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{PREFIX}{name}: needs the package {error.name}, which is not installed: {INSTALL}"
        ) from error
    try:
        loaded: nn.Module = library.load_model(model_name=last, dataset=dataset, threat_model=threat)
    except Exception as error:  # the package raises what torch, gdown or the network raise
        raise ValueError(
            f"{PREFIX}{name}: RobustBench cannot load it ({first_line(error)}). If its weights cannot be downloaded, put"
            f" them into {weights_file(name)}"
        ) from error
    return loaded.eval()
