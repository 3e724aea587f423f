"""The keys of a study's file, of params.yaml and of an experiment.yaml, as typed models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from touchstone import __version__
from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.limits import SEEDS, largest
from touchstone.settings.problems import Problems
from touchstone.settings.sections import sections
from touchstone.settings.values import shown

CHOSEN = "chosen"  # the grade of a paper of which a study asks only the questions that it changes itself
FULL = "full"  # the grade of a paper of which a study asks every question
SMOKE = "smoke"  # the grade that asks so little that tiny data is enough
MULTIVERSE = "multiverse"  # the grade that asks one claim of a paper, on other entries than those of the grade full
GRADES = (CHOSEN, SMOKE, "quick", FULL, MULTIVERSE)  # of a paper's experiment, the smallest first

Block = dict[str, Any]
Sections = dict[str, dict[str, Any]]  # section -> entry -> what a file writes about it
SECTIONS = "sections with entries, such as attacks: {pgd: {eps: 0.1}}"
EMPTY = "nothing is written here; give it a value, or leave it out"
BEFORE_1 = (
    f"a block of files before touchstone 1.0, which {__version__} cannot read; write them again as docs/studies.md says,"
    " from a shipped one: touchstone run tiny writes params.yaml and a study into an empty folder"
)
SETTING = 4  # keys that lead to a setting of an entry; there null may be a value


def _seeds(value: Any) -> Any:
    """Return the seeds that a number or a list means: 3 is [0, 1, 2]."""
    listed = list(range(value)) if type(value) is int and value <= SEEDS else value
    right = isinstance(listed, list) and all(type(seed) is int and 0 <= seed <= largest("seeds") for seed in listed)
    if right and 1 <= len(set(listed)) == len(listed) <= SEEDS:
        return listed
    raise ValueError("no seeds")


SEEDS_TEXT = f"a number of seeds from 1 to {SEEDS}, or a list of them, such as [0, 5], each once"
Seeds = Annotated[list[int], BeforeValidator(_seeds), Field(description=SEEDS_TEXT)]
GradeName = Annotated[str, Field(pattern=f"^({'|'.join(GRADES)})$", description=f"one of {', '.join(GRADES)}")]


Entries = Annotated[Block, Field(description="entries by name, such as pgd: {eps: 0.1}")]
M = TypeVar("M", bound=BaseModel)


class Model(BaseModel):
    """What all these models have in common: unknown keys are refused, and values keep the type that YAML gives them."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Trainings(BaseModel):
    """Settings of trainings: of every component that has them.

    Attributes:
        seeds: of each entry that writes none.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    seeds: Seeds | None = None


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
        absent: sources that this machine lacks; entries that need one leave the study.
    """

    seeds: Seeds | None = None
    first_seed: Any = None
    epochs: Any = None
    learning_rate: Any = None
    classifiers: Trainings = Field(default=Trainings(), description="settings of trainings, such as epochs: 20")
    translators: Trainings = Field(default=Trainings(), description="settings of trainings, such as epochs: 20")
    claims: dict[str, Seeds] = Field(default={}, description="seeds by claim, such as G1: 10")
    false_positive_rates: Any = None
    attacked_false_positive_rate: Any = None
    absent: Any = None


class Compute(Model):
    """The machine: device, threads of a job, images in a batch, and number formats. Their values are checked as settings."""

    device: Any = None
    threads: Any = None
    batch_size: Any = None
    precision: Any = None
    memory_format: Any = None


class Defaults(Model):
    """What params.yaml holds: the scale and the machine of a study that does not say otherwise."""

    scale: Scale = Field(default=Scale(), description="settings such as epochs: 20")
    compute: Compute = Field(default=Compute(), description="settings such as device: cpu")


class StudyFile(Defaults):
    """A study: its data, its scale, its papers with the grade of each, and what it changes.

    Attributes:
        base: a study whose data, scale, machine, changes and plug-ins it has; it then writes only its title and its papers.
        title: of the report.
        pdf: whether figures are written as PDF, too.
        data: role -> the sets that play it, by name; and `sources` and `sets`.
        papers: name or folder -> chosen, smoke, quick, full or multiverse.
        change: section -> entry -> settings that differ; also new entries, and groups.
        plugins: folders with components of one's own.
    """

    title: str = Field(
        pattern=r"^\s*\S.*$",
        max_length=200,
        description="a line of text of at most 200 letters, such as title: My study",
    )
    base: str | None = Field(default=None, description="the name of a study, such as base: fashion_mnist")
    pdf: bool | None = Field(default=None, description="true or false")
    data: Block = Field(default={}, description="roles with their sets, such as train: {digits_train: {use: digits}}")
    papers: dict[str, GradeName] = Field(default={}, description="papers with their grades, such as aloe: quick")
    change: dict[str, Entries] = Field(default={}, description=SECTIONS)
    plugins: list[str] = Field(default=[], description="a list of folders")


class Grade(Model):
    """What one grade of a paper's experiment asks, and what it changes.

    Attributes:
        evaluations: that are asked; None for all.
        figures: that are drawn; None for all whose evaluation is asked.
        groups: lists that differ.
        change: section -> entry -> settings that differ.
        claim, gate, variants: only of the grade multiverse, see settings/variants.py.
    """

    evaluations: list[str] | None = Field(default=None, description="a list of evaluations")
    figures: list[str] | None = Field(default=None, description="a list of figures")
    groups: dict[str, Any] = Field(default={}, description="lists of entries by name")
    change: dict[str, Block] = Field(default={}, description=SECTIONS)
    claim: str | None = Field(default=None, description="the claim that is tried in variants, such as claim: F3")
    gate: list[Block] = Field(default=[], description="a list of numbers with bounds, written as the tests of a claim")
    variants: dict[str, Block] = Field(default={}, description="variants by name, each with changed, reason and roles")


class Experiment(BaseModel):
    """A paper's experiment besides its sections: lists that several entries name, what entries are called, its grades."""

    model_config = ConfigDict(extra="allow", strict=True)

    data_roles: dict[str, str] = Field(default={}, description="a sentence for each role")
    groups: dict[str, Any] = Field(default={}, description="lists of entries by name")
    words: dict[str, str] = Field(default={}, description="what people call each entry, such as cnn: the plain CNN")
    grades: dict[GradeName, Grade] = Field(default={}, description=f"blocks for {', '.join(GRADES)}")


def read_model(model: type[M], content: Block, file: Path, problems: Problems) -> M | None:
    """Return the content of a file as a model; None if it has mistakes, which go to `problems`."""
    if issubclass(model, Defaults) and isinstance(content.get("study"), dict):
        problems.add(("study",), BEFORE_1, file)
        return None
    known = {key: value for key, value in content.items() if key in model.model_fields}
    nothing = list(_nothing(known)) if issubclass(model, Defaults) else []
    for place in nothing:
        problems.add(place, EMPTY, file)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            place = tuple(str(key) for key in mistake["loc"] if key != "[key]")
            if place not in nothing:
                problems.add(place or ("",), _reason(model, place, mistake), file)
    return None


def _nothing(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places above settings of entries where a file writes a key and no value."""
    if value is None and place:
        yield place
    if len(place) < SETTING - 1:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            yield from _nothing(item, (*place, str(key)))


def _reason(model: type[BaseModel], place: Place, mistake: Any) -> str:
    """Return what is wrong with a value, as the other messages of settings say it."""
    owner: type[BaseModel] | None = model
    described = ""
    kind: Any = model
    for key in place:
        field = owner.model_fields.get(key) if owner is not None else None
        if field is None:
            described = _described(kind) or described
            break
        kind = field.annotation
        described = field.description or _described(kind) or described
        owner = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    if mistake["type"] == "extra_forbidden":
        names = list(owner.model_fields) if owner is not None else []
        return f"no such setting. Settings are {', '.join(names)}.{_home(place[-1]) or nearest(place[-1], names)}"
    if mistake["type"] == "missing":
        return f"must be given: {described}"
    near = nearest(str(mistake["input"]), GRADES) if mistake["type"] == "string_pattern_mismatch" else ""
    if place[:1] == ("papers",) and len(place) == 2 and mistake["input"] in (False, None, "off", "no", "none"):
        near = " To leave a paper out, delete its line"
    return f"expected {described or mistake['msg']}, got {shown(mistake['input'])}.{near}".removesuffix(".")


def _home(key: str) -> str:
    """Return where a key of a study stands, if it is one of another place."""
    homes = (
        dict.fromkeys(sections(), "change")
        | dict.fromkeys(("sources", "sets"), "data")
        | dict.fromkeys(StudyFile.model_fields, "the first column")
    )
    homes |= dict.fromkeys(Compute.model_fields, "compute") | {
        name: "scale" for name in Scale.model_fields if name not in homes
    }
    return f" Write {key} in {homes[key]}." if key in homes else ""


def _described(kind: Any) -> str:
    """Return the description that a type carries, or a part of it."""
    own = [one.description for one in getattr(kind, "__metadata__", ()) if isinstance(one, FieldInfo)]
    return next(filter(None, [*own, *map(_described, get_args(kind))]), "")
