"""The keys of a study's file, of params.yaml and of an experiment.yaml, as typed models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from touchstone.messages import nearest
from touchstone.pipeline.settings.files import Place
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.values import shown

MOST_SEEDS = 100
GRADES = ("smoke", "quick", "full")  # of a paper's experiment, the smallest first

Block = dict[str, Any]
Sections = dict[str, dict[str, Any]]  # section -> entry -> what a file writes about it
SECTIONS = "sections with entries, such as attacks: {pgd: {eps: 0.1}}"


def _seeds(value: Any) -> Any:
    """Return the seeds that a number or a list means: 3 is [0, 1, 2]."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SEEDS:
        return list(range(value))
    if (
        isinstance(value, list)
        and value
        and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in value)
    ):
        return value
    raise PydanticCustomError("seeds", SEEDS_TEXT)


SEEDS_TEXT = f"a number of seeds from 1 to {MOST_SEEDS}, or a list of them"
Seeds = Annotated[list[int], BeforeValidator(_seeds), Field(description=SEEDS_TEXT)]
GradeName = Annotated[str, Field(pattern=f"^({'|'.join(GRADES)})$", description=f"one of {', '.join(GRADES)}")]


M = TypeVar("M", bound=BaseModel)


class Model(BaseModel):
    """What all these models have in common: unknown keys are refused, and values keep the type that YAML gives them."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Scale(Model):
    """How long networks train, how many there are, and at which false positive rates detectors are measured.

    Attributes:
        seeds: of each network and translator whose recipe writes none.
        first_seed: what is added to every seed.
        epochs: of networks whose recipe writes none.
        learning_rate: likewise.
        classifiers: other defaults of networks.
        translators: defaults of translators.
        claims: claim -> the seeds of every network that it is about.
        false_positive_rates: at which detectors are measured.
        attacked_false_positive_rate: sets the threshold that adaptive attacks must get below.
        absent: sources that cannot be had; what needs them is left out.
    """

    seeds: Seeds | None = None
    first_seed: Any = None
    epochs: Any = None
    learning_rate: Any = None
    classifiers: Block = Field(default={}, description="settings of trainings")
    translators: Block = Field(default={}, description="settings of trainings")
    claims: dict[str, Seeds] = Field(default={}, description="seeds by claim, such as S0-2: 5")
    false_positive_rates: Any = None
    attacked_false_positive_rate: Any = None
    absent: Any = None


class Defaults(Model):
    """What params.yaml holds: the scale and the machine of a study that does not say otherwise."""

    scale: Scale = Field(default=Scale(), description="settings such as epochs: 20")
    compute: Block = Field(default={}, description="settings such as device: cpu")


class StudyFile(Defaults):
    """A study: its data, its scale, its papers with the grade of each, and what it changes.

    Attributes:
        title: of the report.
        pdf: whether figures are written as PDF, too.
        data: role -> the sets that play it, by name; and `sources` and `sets`.
        papers: name or folder -> smoke, quick or full.
        change: section -> entry -> settings that differ; also new entries, and groups.
        plugins: folders with components of one's own.
    """

    title: Any = None
    pdf: Any = None
    data: Block = Field(default={}, description="roles with their sets, such as train: {digits_train: {use: digits}}")
    papers: dict[str, GradeName] = Field(default={}, description="papers with their grades, such as aloe: quick")
    change: dict[str, Block] = Field(default={}, description=SECTIONS)
    plugins: list[str] = Field(default=[], description="a list of folders")


class Grade(Model):
    """What one grade of a paper's experiment asks, and what it changes.

    Attributes:
        evaluations: that are asked; None for all.
        figures: that are drawn; None for all whose evaluation is asked.
        groups: lists that differ.
        change: section -> entry -> settings that differ.
    """

    evaluations: list[str] | None = Field(default=None, description="a list of evaluations")
    figures: list[str] | None = Field(default=None, description="a list of figures")
    groups: dict[str, Any] = Field(default={}, description="lists of entries by name")
    change: dict[str, Block] = Field(default={}, description=SECTIONS)


class Experiment(BaseModel):
    """A paper's experiment besides its sections: lists that several entries name, and its grades."""

    model_config = ConfigDict(extra="allow", strict=True)

    data_roles: dict[str, str] = Field(default={}, description="a sentence for each role")
    groups: dict[str, Any] = Field(default={}, description="lists of entries by name")
    grades: dict[GradeName, Grade] = Field(default={}, description=f"blocks for {', '.join(GRADES)}")


def read_model(model: type[M], content: Block, file: Path, problems: Problems, at: Place = ()) -> M | None:
    """Return the content of a file as a model; None if it has mistakes, which go to `problems`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            place = tuple(str(key) for key in mistake["loc"] if key != "[key]")
            problems.add(at + place or ("",), _reason(model, place, mistake), file)
    return None


def _reason(model: type[BaseModel], place: Place, mistake: Any) -> str:
    """Return what is wrong with a value, as the other messages of settings say it."""
    owner, described = model, ""
    for key in place:
        field = owner.model_fields.get(key) if owner is not None else None
        if field is None:
            break
        described = field.description or described
        inner = field.annotation
        owner = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None  # type: ignore[assignment]
    if mistake["type"] == "extra_forbidden":
        names = list(owner.model_fields) if owner is not None else []
        return f"no such setting. Settings are {', '.join(names)}.{nearest(place[-1], names)}"
    return f"expected {described or mistake['msg']}, got {shown(mistake['input'])}"
