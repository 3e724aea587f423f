"""RobustBench's model zoo by name: a network, its file, and its published figures, to compare with measured ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from touchstone import digests
from touchstone.extras import explained
from touchstone.messages import nearest
from touchstone.pipeline.provenance import whole_files
from touchstone.signatures import fold

if TYPE_CHECKING:  # arguments are checked without torch
    from torch import Tensor, nn

PREFIX = "robustbench:"  # of the command's argument MODEL
TABLE = Path(__file__).with_name("model_zoo.yaml")
FOLDERS = (Path("models"), Path(".touchstone/models"))  # the first is RobustBench's own default
ADDRESS = "https://drive.google.com/uc?export=download&id={}"
UNUSED = ("sub_block1.", "model_preact_hl1.")  # weights in some files that no forward pass uses
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "last")  # `last` and `best`: Andriushchenko 2020
NORMALISATION = {
    "mean": ("mu", "mean", "normalize.mean"),
    "std": ("sigma", "std", "normalize.std"),
}  # names in some files


@dataclass(frozen=True)
class Published:
    """What a leaderboard says of a network: accuracies in percent, and the budget of the attacks."""

    name: str
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


@dataclass(frozen=True)
class ZooEntry:
    """One network of the zoo.

    name: dataset/threat/name, such as cifar10/Linf/Carmon2019Unlabeled.
    """

    name: str
    facts: dict[str, Any]

    @property
    def published(self) -> Published:
        """The published figures."""
        norm, facts = self.name.split("/")[1].lower(), self.facts
        return Published(self.name, norm, str(facts["eps"]), facts["clean"], facts["robust"], facts["by"])

    def file(self) -> Path:
        """Return the file of its weights.

        Raises:
            FileNotFoundError: it is in no folder; the message says where it comes from and where to put it.
        """
        places = [folder / f"{self.name}.pt" for folder in FOLDERS]
        for place in places:
            if place.is_file():
                return place
        raise FileNotFoundError(
            f"{PREFIX}{self.name}: its weights are not here. Download {ADDRESS.format(self.facts['drive'])} (in a browser,"
            f" or with gdown {self.facts['drive']}) and save the file as {places[0]}, where RobustBench puts it, too"
        )

    def opened(self) -> tuple[nn.Module, tuple[list[float], list[float]], str]:
        """Return the network with its weights, its normalisation (mean, std), and a note on its file.

        Raises:
            FileNotFoundError: the file is missing.
            ValueError: the file is another than at its first load, holds more than weights, or does not fit.
        """
        from touchstone.network_files.weight_files import unpickled

        path = self.file()
        note = pinned(path)
        weights = {_plain(name): values for name, values in _wrapped(unpickled(path, False)).items()}
        mean, std = (self._normalisation(part, weights) for part in ("mean", "std"))
        weights = {name: values for name, values in weights.items() if not name.startswith(UNUSED)}
        network = self.network()
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            problems = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
            raise ValueError(f"{path}: not the weights of {self.name}: {problems}") from error
        return network.eval(), (mean, std), note

    def network(self) -> nn.Module:
        """Return the network without its weights."""
        from touchstone.network_files import zoo_networks

        settings = dict(self.facts["network"])
        kind = settings.pop("kind")
        if kind != "torchvision":
            network: nn.Module = getattr(zoo_networks, kind)(self.facts["classes"], **settings)
            return network
        with explained(f"{PREFIX}{self.name}"):
            from torchvision import models
        return cast("nn.Module", models.get_model(settings["name"], weights=None))

    def _normalisation(self, part: str, weights: dict[str, Tensor]) -> list[float]:
        """Return the mean or the std; a file's own value, which is removed from `weights`, comes before the table's."""
        own = [weights.pop(name) for name in NORMALISATION[part] if name in weights]
        default = self.facts.get(part, [0.0 if part == "mean" else 1.0] * 3)
        return [float(value) for value in own[0].flatten()] if own else list(default)


def _wrapped(states: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the weights that a file of the zoo stores under one of its usual names."""
    under = ""
    for name in WRAPPERS:
        inner = f"{under}.{name}".lstrip(".")
        under = inner if any(key == inner or key.startswith(f"{inner}.") for key in states) else under
    return states.get(under, {})


def _plain(name: str) -> str:
    return name.removeprefix("module.").removeprefix("model.")


@cache
def table() -> dict[str, dict[str, Any]]:
    """Return the facts of every entry by dataset/threat/name."""
    facts: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text())
    return facts


def entry(model: str) -> ZooEntry:
    """Return the entry that "robustbench:NAME" means.

    NAME may be the last part, if only one entry ends so, or cifar10/Linf/NAME.

    Raises:
        ValueError: there is no such entry, with the nearest name, or there are several.
    """
    wanted = model.removeprefix(PREFIX)
    found = [name for name in table() if name == wanted or name.endswith(f"/{wanted}")]
    if len(found) > 1:
        raise ValueError(f"{model}: there are {', '.join(found)}; write {PREFIX}{found[0]} for the first")
    if not found:
        names = [*table(), *(name.rpartition("/")[2] for name in table())]
        raise ValueError(
            f"{model}: not among the {len(table())} networks of RobustBench that touchstone reads.{nearest(wanted, names)}"
        )
    return ZooEntry(found[0], table()[found[0]])


def pinned(path: Path) -> str:
    """Return a note with a file's SHA-256; at the first load record it beside the file, later compare it.

    Raises:
        ValueError: the file is another than at its first load.
    """
    digest, record = digests.file_digest(path).removeprefix("sha256:"), path.with_name(f"{path.name}.sha256")
    if not record.is_file():
        whole_files.write_whole(record, f"{digest}  {path.name}\n".encode())
        return f"SHA-256 of {path.name}: {digest}, recorded in {record}; later loads must match it"
    before = record.read_text().split()[:1]
    if before != [digest]:
        raise ValueError(
            f"{path}: SHA-256 {digest}, but {record} recorded {' '.join(before) or 'nothing'} at the first load. Delete that"
            " record if you replaced the file yourself"
        )
    return f"SHA-256 of {path.name}: {digest}, as at the first load"
