"""The sections of a study, and the settings of their entries besides those of their components."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from annotated_types import Interval

from touchstone import registry
from touchstone.claims.criteria import SHARED
from touchstone.numerics import precision
from touchstone.signatures import Setting, Type, read_signature


class Entry(NamedTuple):
    """The name of one entry of a study, with its section."""

    section: str
    name: str


@dataclass(frozen=True)
class Reference:
    """A setting that names entries of the study.

    Attributes:
        sections: where the named entries are.
        many: whether the setting is a list of names, or `all`.
        required: whether it must be given.
        default: if it is not given; "all" means every entry.
        bare: whether one name may be written for a list of one.
        everything: the sections that `all` means, if not all of `sections`.
    """

    sections: tuple[str, ...]
    many: bool = False
    required: bool = False
    default: Any = None
    bare: bool = False
    everything: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """The settings that entries of one section have besides those of their components.

    Attributes:
        folders: the component folders that `use:` may name; without any, entries use no component.
        settings: by name.
        references: the settings that name other entries, by name.
        names: the settings of components whose texts name entries, and the sections that may hold these.
    """

    folders: tuple[str, ...]
    settings: dict[str, Setting] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def needs_use(self) -> bool:
        """Whether every entry names a component."""
        return bool(self.folders)


DRAWS = Setting(Type("int", Interval(ge=1)), 1)  # calls of a network per pass of an attack, if it draws random numbers
# The settings of a classifier that is read from a file, instead of those of a training run.
FILE_SETTINGS: dict[str, Setting] = {
    "draws": DRAWS,
    "model": Setting(Type("nested", folder="models"), required=True),
    "input_shape": Setting(Type("list", item=Type("int", Interval(ge=1))), required=True),
    "classes": Setting(Type("int", Interval(ge=2)), required=True),
    "mean": Setting(Type("list", item=Type("float"))),
    "std": Setting(Type("list", item=Type("float", Interval(gt=0)))),
}
FILE_REFERENCES = {"source": Reference(("sources",), required=True), "backward": Reference(("classifiers",))}
MODELS = ("classifiers", "defences")
MEASURED = (*MODELS, "translators", "attacks", "detectors")  # what numbers on a set are about
LABEL: dict[str, tuple[str, ...]] = {"label": ("confounding",)}
NAMED = LABEL | {  # what evaluations and figures name besides their references
    **dict.fromkeys(("id_examples", "choice_id", "choice_sets", "examples", "sets"), ("examples",)),
    **dict.fromkeys(("own_probabilities", "leaders", "random", "baseline"), MODELS),
    **dict.fromkeys(("classifier", "classifiers", "entry", "entries", "about", "oracle"), MODELS),
    **dict.fromkeys(("high", "low", "learned", "turned"), ("detectors",)),
    **dict.fromkeys(("detector", "only_detectors", "trivial"), ("detectors",)),
    **dict.fromkeys(("attacks", "checked", "alone"), ("attacks",)),
    "networks": (*MODELS, "translators"),
    "anomalies": ("examples", "attacks"),
    "against": MEASURED,  # each evaluation subtracts entries of another section
}
PLANNED = ("seed", "device", "architecture")  # settings of the step `train` that the plan gives, not an entry

_count = Type("int", Interval(ge=1))
_seed = Type("int", Interval(ge=0))
_text = Setting(Type("str"), required=True)


def _trained(*more: tuple[str, Reference]) -> Section:
    step = read_signature(registry.PACKAGE / "pipeline" / "steps" / "train.py", "train", strict=False)
    assert step is not None
    settings = {name: setting for name, setting in step.settings.items() if name not in PLANNED}
    settings["seeds"] = Setting(Type("list", item=_seed), [0])
    settings["model"] = Setting(Type("nested", folder="models"), required=True)
    references = {
        "train": Reference(("examples",), required=True),
        "validation": Reference(("examples",), required=True),
        "outliers": Reference(("examples",), many=True, default=[]),
    }
    return Section(("training",), settings, references | dict(more))


def sections() -> dict[str, Section]:
    """Return the sections of a study whose entries are components or combine them, by name."""
    crossed = {
        name: Reference((name,), many=True, default=[])
        for name in ("examples", "attacks", "translators", "detectors", "margins")
    }
    classifiers = _trained(
        ("calibration", Reference(("examples",))),
        ("source", Reference(("sources",))),
        ("static_networks", Reference(("classifiers",), many=True, default=[])),
        ("backward", Reference(("classifiers",))),
    )
    crossed["classifiers"] = Reference(MODELS, many=True, default=[], everything=("classifiers",))
    return {
        "sources": Section(("sources",), {"sha256": Setting(Type("digest", optional=True), required=True)}),
        "examples": Section(
            ("data",),
            {"seed": Setting(_seed, 0)},
            {"source": Reference(("sources",)), "of": Reference(("examples",))},
        ),
        "classifiers": replace(
            classifiers, folders=("training", "pretrained"), settings=classifiers.settings | {"draws": DRAWS}
        ),
        "translators": _trained(("classifier", Reference(("classifiers",)))),
        "attacks": Section(("attacks", "adaptive")),
        "margins": Section(("margins",)),
        "detectors": Section(
            ("detectors",),
            references={
                "fit": Reference(("examples",)),
                "calibration": Reference(("examples",)),
                "classifier": Reference(("classifiers",)),
                "anomalous": Reference(("examples", "attacks"), many=True, default=[]),
            },
            names=LABEL,
        ),
        "defences": Section(
            (),
            {
                "false_positive_rate": Setting(Type("float", Interval(gt=0, le=1)), 0.05),
                "seeds": Setting(Type("list", item=_seed, optional=True), None),  # None: those of its classifier
            },
            {
                "classifier": Reference(("classifiers",), required=True),
                "translator": Reference(("translators",), many=True, required=True, bare=True),
                "router": Reference(("detectors",)),
                "encoder": Reference(("classifiers",)),  # whose features the router reads, if not the classifier's
            },
        ),
        "evaluations": Section(
            ("evaluations",),
            {
                "question": _text,
                "system": Setting(Type("str"), SHARED),
                "seeds": Setting(Type("list", item=_seed, optional=True)),
            },
            crossed
            | {
                "attacked": Reference(("examples",), many=True, default=[]),
                "victims": Reference(MODELS, many=True, default=[], everything=("classifiers",)),
                "direct_attacks": Reference(("attacks",), many=True, default=[]),
                "fit": Reference(("examples",)),
                "certificates": Reference(("detectors",), many=True, default=[]),
                "rivals": Reference(("classifiers",), many=True, default=[]),
            },
            NAMED,
        ),
        "figures": Section(
            ("figures",),
            {"caption": _text},
            {
                "evaluation": Reference(("evaluations",), required=True),
                "also": Reference(("evaluations",), many=True, default=[]),
            },
            NAMED,
        ),
    }


STUDY_SETTINGS: dict[str, dict[str, Setting]] = {
    "study": {
        "title": _text,
        "device": Setting(Type("word", words=("cpu", "cuda", "auto")), "cpu"),
        "threads": Setting(_count, 1),
        "precision": Setting(Type("word", words=precision.PRECISIONS), precision.FLOAT32),
        "memory_format": Setting(Type("word", words=precision.MEMORY_FORMATS), precision.CONTIGUOUS),
        "batch_size": Setting(_count, 256),
        "pdf": Setting(Type("bool"), True),
        "calibration": _text,
        "absent": Setting(Type("list", item=Type("str")), []),  # sources that are not available
        "first_seed": Setting(_seed, 0),  # added to every seed
        "attacked_false_positive_rate": Setting(Type("float", Interval(gt=0, le=1)), 0.05),
        "false_positive_rates": Setting(Type("list", item=Type("float", Interval(gt=0, le=1))), [0.01, 0.05, 0.5]),
    },
}
CONFOUNDING_SETTINGS: dict[str, Setting] = {
    "variant": Setting(Type("word", words=("softmax", "sigmoid")), "softmax"),
    "ones": Setting(Type("int", Interval(ge=0), optional=True)),
    "draws": Setting(Type("int", Interval(ge=1), optional=True)),
}


def on_detectors(attack: dict[str, Any]) -> bool:
    """Return whether an entry of attacks attacks a network behind each detector of an evaluation."""
    return str(attack["use"]).startswith("adaptive/") and not on_pipelines(attack)


def on_pipelines(attack: dict[str, Any]) -> bool:
    """Return whether an entry of attacks attacks whole defences, and nothing else."""
    return "pipeline" in registry.used(attack["use"]).data
