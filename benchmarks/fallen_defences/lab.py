"""Data, trainings with cached weights, and the networks that are defended."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from fallen_defences.defence import REJECTED, stand_ins
from racing import Rows
from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.attacks.pgd import pgd
from touchstone.data.fashion_mnist import fashion_mnist
from touchstone.data.sources.fashion_mnist import fashion_mnist as fetch
from touchstone.digests import sha256
from touchstone.models.networks import checkpoints
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics.tensors import RandomStreams, frozen
from touchstone.pipeline.steps.train import train
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import Checkpoint, ExampleSet

TRAINED_AT, TRAINED_STEPS = 0.1, 7  # eps and steps of adversarial training
CALIBRATION = 1000
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]  # model, images, labels to the mean loss


def mean_cross_entropy(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of plain training."""
    return cross_entropy(model(images), labels).mean()


@dataclass(frozen=True)
class Lab:
    """Fashion-MNIST in the sizes of this run, and a folder for what is trained and attacked.

    Attributes:
        folder: of data, weights and results.
        images: test images to attack.
        training: images to train on.
        epochs: of each training.
    """

    folder: Path
    images: int = 1000
    training: int = 20_000
    epochs: int = 8

    def part(self, name: str, count: int) -> ExampleSet:
        """Return a part of Fashion-MNIST."""
        raw = self.folder / "raw"
        if not raw.is_dir():
            raw.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=raw.parent) as fetched:
                fetch(Path(fetched))
                Path(fetched).rename(raw)
                Path(fetched).mkdir()  # which the block removes
        return fashion_mnist(raw, part=name, limit=count)  # type: ignore[arg-type]

    @cached_property
    def train_set(self) -> ExampleSet:
        """The images that networks are trained on."""
        return self.part("train", self.training)

    @cached_property
    def rows(self) -> Rows:
        """The images that are attacked, none of which anything was trained or calibrated on."""
        return _rows(self.part("test", self.images))

    @cached_property
    def fitted(self) -> Rows:
        """The images that detectors are fitted on."""
        return _rows(self.part("detector_train", min(CALIBRATION, self.training)))

    @cached_property
    def calibration(self) -> Rows:
        """The images that thresholds come from."""
        return _rows(self.part("calibration", min(CALIBRATION, self.training)))

    def threshold(self, score: Callable[[Tensor], Tensor]) -> float:
        """Return the score that 5 % of the calibration images exceed."""
        with torch.no_grad():
            scores = torch.cat([score(part) for part in self.calibration.images.split(100)])
        return float(scores.quantile(1 - REJECTED))

    def trained(
        self,
        name: str,
        architecture: Callable[..., nn.Module],
        objective: Callable[..., Tensor],
        sources: Sequence[object],
        *,
        epochs: int | None = None,
        rate: float = 0.002,
    ) -> nn.Module:
        """Return a network, from the folder if the modules that define what is in `sources` have trained it before."""
        epochs = epochs or self.epochs
        modules = sorted({inspect.getsourcefile(source) for source in sources})  # type: ignore[arg-type,type-var]
        code = sha256(b"".join(Path(module).read_bytes() for module in modules))[-8:]  # type: ignore[arg-type]
        file = self.folder / "weights" / f"{name}_{self.training}_{epochs}_{code}.safetensors"
        if not file.is_file():
            validation = self.part("validation", min(500, self.training))
            settings = {"use": name}
            checkpoint = train(
                self.train_set, validation, architecture=architecture, architecture_settings=settings,
                objective=objective, epochs=epochs, learning_rate=rate, normalise=False, watched_images=0,
            )  # fmt: skip
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            partial.write_bytes(encode(checkpoint))
            partial.rename(file)
        made = decode(file.read_bytes())
        assert isinstance(made, Checkpoint)
        return checkpoints.load(architecture, made).requires_grad_(False)


def _rows(part: ExampleSet) -> Rows:
    return Rows(*(torch.from_numpy(column) for column in (part.images, part.labels, part.example_ids)))


@dataclass(frozen=True)
class Base:
    """What a rebuild defends: a plain network, or for its twin one that was trained on PGD images."""

    lab: Lab
    adversarial: bool = False

    @property
    def kind(self) -> str:
        """The end of the names of its trainings."""
        return "pgd" if self.adversarial else "plain"

    @cached_property
    def network(self) -> nn.Module:
        """The study's small CNN."""
        return self.trained("cnn", small_cnn, mean_cross_entropy, source=small_cnn)

    @property
    def plain(self) -> nn.Module:
        """The plain CNN, for comparisons and transfer."""
        return replace(self, adversarial=False).network

    def trained(
        self,
        name: str,
        architecture: Callable[..., nn.Module],
        loss: Loss,
        source: object,
        *,
        attack_loss: str = "cross_entropy",
        epochs: int | None = None,
        rate: float = 0.002,
    ) -> nn.Module:
        """Return a network trained by a loss: on images as they come, or on PGD images, past the stand-ins."""

        def objective(model: nn.Module, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
            if self.adversarial:
                settings = {"eps": TRAINED_AT, "steps": TRAINED_STEPS, "loss": attack_loss}
                with stand_ins(model), frozen(model):
                    images = pgd(model, images, labels, generator, **settings)  # type: ignore[arg-type]
            return loss(model, images, labels)

        return self.lab.trained(
            f"{name}_{self.kind}", architecture, objective, (source, loss), epochs=epochs, rate=rate
        )
