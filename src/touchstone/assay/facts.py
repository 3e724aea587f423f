"""The facts that a study of a user's model depends on: what was typed, and what the model and the images showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from touchstone.assay.model_zoo import Published


@dataclass(frozen=True)
class ProgramFile:
    """The file of a model that attacks differentiate in place of another one."""

    file: str
    digest: str


@dataclass(frozen=True)
class ModelFacts:
    """A user's model: its file, and what it did on some of the images."""

    file: str
    digest: str
    input_shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    no_features: str  # why it has no penultimate features; "" if it has
    no_gradient_norms: str  # why it has no gradients of its parameters; "" if it has
    width: int  # of the features
    seconds: float  # of a forward and a backward pass of one image
    draws: int = 1  # per pass of an attack; above 1 if the model draws random numbers
    backward: ProgramFile | None = None  # what attacks differentiate in its place

    def seen(self) -> str:
        """Return a sentence on what attacks see in place of the model, after a space; "" if they see the model."""
        drawn = f"the mean of {self.draws} draws (EOT)" if self.random else ""
        other = "the gradient of its stand-in (BPDA)" if self.backward is not None else ""
        words = " and ".join(filter(None, (drawn, other)))
        return f" Attacks follow {words}; each accuracy is that of one pass." if words else ""

    @property
    def random(self) -> bool:
        """Whether it draws random numbers, so that no input has a fixed distance to a decision boundary."""
        return self.draws > 1

    @property
    def special(self) -> bool:
        """Whether attacks see another model than the one that predicts."""
        return self.random or self.backward is not None


@dataclass(frozen=True)
class ImageFacts:
    """A user's labelled images: place, settings that read them, number in each part.

    remarks: what was skipped, left out, or read differently from how it is stored, also in the sets of no class.
    """

    place: str
    digest: str
    settings: dict[str, Any]  # colour, height, width, classes, broken
    counts: dict[str, int]  # images of fit, calibration and test
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class OODFacts:
    """One set of images of no class."""

    place: str
    digest: str
    count: int
    broken: bool = False  # some cannot be read, and are left out


@dataclass(frozen=True)
class Facts:
    """Everything that the text of a study depends on."""

    name: str
    subject: str  # the model and the images, as words of a command line
    command: str  # as it was typed
    model: ModelFacts
    images: ImageFacts
    ood: tuple[OODFacts, ...]
    eps: float
    eps_written: str | float  # 8/255, if it was typed so
    effort: str
    device: str
    notes: tuple[str, ...]  # sentences for the user
    published: Published | None = None  # what a leaderboard says of the model
    rows: int | None = None  # images that are attacked; None: as many as the effort has
    batch_size: int = 100
    advice: str = ""  # the normalisation that makes the model much more accurate; "" for none

    @property
    def other_budget(self) -> bool:
        """Whether the published figure is for another budget than the study's own."""
        return self.published is not None and (
            self.published.norm != "linf" or abs(self.published.radius - self.eps) > 1e-9
        )
