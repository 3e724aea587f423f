"""What a study may hold: its sections, and the settings that entries have besides those of their components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from touchstone import registry
from touchstone.claims.systems import SYSTEMS
from touchstone.contracts import Bounds
from touchstone.numerics import precision
from touchstone.registry import Setting, Type


@dataclass(frozen=True)
class Reference:
    """A setting that names entries of the study."""

    sections: tuple[str, ...]
    many: bool = False
    required: bool = False
    default: Any = None  # "all" where every entry of the section is meant
    bare: bool = False  # one name may stand for a list of one
    everything: tuple[str, ...] = ()  # the sections that "all" means, where not all of them


@dataclass(frozen=True)
class Section:
    """What the entries of one section hold besides their component's settings; without folders they use none."""

    folders: tuple[str, ...]
    settings: dict[str, Setting] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)


GROUPED = ("examples", "attacks", "detectors", "translators")  # what one job may do together
# A classifier may be a file instead of a training run: then these stand in for what a training run needs.
FILE_SETTINGS: dict[str, Setting] = {
    "model": Setting(Type("nested", folder="models"), required=True),
    "input_shape": Setting(Type("list", item=Type("int", Bounds(low=1))), required=True),
    "classes": Setting(Type("int", Bounds(low=2)), required=True),
    "mean": Setting(Type("list", item=Type("float"))),
    "std": Setting(Type("list", item=Type("float", Bounds(above=0)))),
}
PLANNED = ("seed", "device", "architecture")  # what the plan gives to the train step, not an entry

_count = Type("int", Bounds(low=1))
_seed = Type("int", Bounds(low=0))
_text = Setting(Type("str"), required=True)


def _trained(*more: tuple[str, Reference]) -> Section:
    step = registry.read_signature(registry.PACKAGE / "pipeline" / "steps" / "train.py", "train", strict=False)
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
    """Return what every section of params.yaml may hold."""
    crossed = {
        name: Reference((name,), many=True, default=[])
        for name in ("examples", "attacks", "translators", "detectors", "margins")
    }
    models = ("classifiers", "defences")
    crossed["classifiers"] = Reference(models, many=True, default=[], everything=("classifiers",))
    return {
        "sources": Section(("sources",), {"sha256": Setting(Type("digest", optional=True), required=True)}),
        "examples": Section(
            ("data",),
            {"seed": Setting(_seed, 0), "shards": Setting(_count, 1)},
            {"source": Reference(("sources",)), "of": Reference(("examples",))},
        ),
        "classifiers": replace(
            _trained(
                ("calibration", Reference(("examples",))),
                ("source", Reference(("sources",))),
                ("static_networks", Reference(("classifiers",), many=True, default=[])),
            ),
            folders=("training", "pretrained"),
        ),
        "translators": _trained(("classifier", Reference(("classifiers",)))),
        "attacks": Section(("attacks", "adaptive")),
        "margins": Section(("margins",)),
        "detectors": Section(
            ("detectors",),
            references={
                "fit": Reference(("examples",)),
                "classifier": Reference(("classifiers",)),
                "anomalous": Reference(("examples", "attacks"), many=True, default=[]),
            },
        ),
        "defences": Section(
            (),
            {
                "false_positive_rate": Setting(Type("float", Bounds(above=0, high=1)), 0.05),
                "seeds": Setting(Type("list", item=_seed, optional=True), None),  # None: its classifier's
            },
            {
                "classifier": Reference(("classifiers",), required=True),
                "translator": Reference(("translators",), many=True, required=True, bare=True),
                "router": Reference(("detectors",)),
                "encoder": Reference(("classifiers",)),  # what the router reads, where it is not the classifier
            },
        ),
        "evaluations": Section(
            ("evaluations",),
            {
                "question": _text,
                "system": Setting(Type("word", words=tuple(SYSTEMS)), "shared"),
                "seeds": Setting(Type("list", item=_seed, optional=True)),
            },
            crossed
            | {
                "attacked": Reference(("examples",), many=True, default=[]),
                "victims": Reference(models, many=True, default=[], everything=("classifiers",)),
                "fit": Reference(("examples",)),
            },
        ),
        "figures": Section(
            ("figures",),
            {"caption": _text},
            {
                "evaluation": Reference(("evaluations",), required=True),
                "also": Reference(("evaluations",), many=True, default=[]),
            },
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
        "calibration": _text,
        "absent": Setting(Type("list", item=Type("str")), []),  # sources that cannot be had
        "attacked_false_positive_rate": Setting(Type("float", Bounds(above=0, high=1)), 0.05),
        "false_positive_rates": Setting(Type("list", item=Type("float", Bounds(above=0, high=1))), [0.01, 0.05, 0.5]),
    },
}
CONFOUNDING_SETTINGS: dict[str, Setting] = {
    "variant": Setting(Type("word", words=("softmax", "sigmoid")), "softmax"),
    "ones": Setting(Type("int", Bounds(low=0), optional=True)),
    "draws": Setting(Type("int", Bounds(low=1), optional=True)),
}


def on_pipelines(attack: dict[str, Any]) -> bool:
    """Return whether an entry of attacks is made on whole defences, and on nothing else."""
    return "pipeline" in registry.used(attack["use"]).data


def named(kind: Section, entry: dict[str, Any], resolved: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (section, name) of the entries that a resolved entry names."""
    for key, reference in kind.references.items():
        for name in entry[key] if reference.many else [entry[key]] if entry[key] else []:
            yield next(section for section in reference.sections if name in resolved[section]), name
