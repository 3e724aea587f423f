"""The study that `touchstone assay` writes: it asks no paper, and is to be kept, edited and run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from touchstone.assay import methods, questions, study_file
from touchstone.assay.facts import Facts
from touchstone.assay.methods import Effort

NO_MARGINS = (
    "Margins and brittle images are left out: with random numbers, no image has a fixed distance to the boundary."
)
SMALL_SET = 200  # calibration images below which a false-positive rate of 1 % means nothing


@dataclass(frozen=True)
class Study:
    """The text of a study and what it costs.

    passes: the attacks' work in forward and backward passes of one image. left_out: sentences on what it lacks, or does
    with less.
    """

    text: str
    passes: float
    left_out: tuple[str, ...]


def write(facts: Facts) -> Study:
    """Return the study of a model and its images, and what it will cost."""
    effort = methods.EFFORTS[facts.effort]
    rows = min(facts.rows or effort.rows, facts.images.counts["test"])
    attacks, detectors, ood = methods.attacks(facts, effort), methods.detectors(facts), methods.ood_sets(facts)
    changes = {
        "classifiers": _classifiers(facts),
        "attacks": attacks,
        "margins": {}
        if facts.model.random
        else {"nearest_classes": {"use": "nearest_classes", "steps": effort.margin_steps}},
        "confounding": {} if facts.model.no_gradient_norms else {"softmax_all": {"variant": "softmax"}},
        "detectors": detectors.entries,
        "evaluations": questions.evaluations(facts, effort, detectors, list(attacks), list(ood)),
        "figures": questions.figures(facts),
    }
    content = {
        "title": f"Assay of {facts.name}",
        "data": {"sources": _sources(facts), "sets": _sets(facts, rows) | ood, "calibration": "own_calibration"},
        "scale": _scale(facts),
        "compute": {"device": facts.device, "threads": 1, "batch_size": facts.batch_size},
        "change": {section: entries for section, entries in changes.items() if entries},
    }
    left_out = (*effort.weaker(), *detectors.left_out, *[NO_MARGINS] * facts.model.random)
    text = study_file.document(facts, content, left_out)
    return Study(text, _passes(facts, effort, rows, len(detectors.guards)), left_out)


def _scale(facts: Facts) -> dict[str, Any]:
    few = facts.images.counts["calibration"] < SMALL_SET
    return {
        "false_positive_rates": [0.05, 0.5] if few else [0.01, 0.05, 0.5],
        "attacked_false_positive_rate": 0.05,
    }


def _sets(facts: Facts, rows: int) -> dict[str, Any]:
    """Return the parts of the user's images, the last with so many rows for attacks."""
    parts = {
        f"own_{part}": {"use": "own_images", "source": f"{facts.name}_images", "part": part} | facts.images.settings
        for part in ("fit", "calibration", "test")
    }
    return {**parts, "own_attacked": {"use": "subset", "of": "own_test", "count": rows}}


def _sources(facts: Facts) -> dict[str, Any]:
    """Return the user's files, by their paths and digests."""
    sources = {
        "model": {"use": "checkpoint_file", "location": facts.model.file, "sha256": facts.model.digest},
        "images": {"use": "own_files", "location": facts.images.place, "sha256": facts.images.digest},
    }
    if facts.model.backward is not None:
        file, digest = facts.model.backward.file, facts.model.backward.digest
        sources["backward"] = {"use": "checkpoint_file", "location": file, "sha256": digest}
    for number, ood in enumerate(facts.ood, 1):
        sources[f"ood_{number}"] = {"use": "own_files", "location": ood.place, "sha256": ood.digest}
    return {f"{facts.name}_{name}": source for name, source in sources.items()}


def _classifiers(facts: Facts) -> dict[str, Any]:
    """Return the model, and the one that attacks differentiate in its place if there is one."""
    drawn = {"draws": facts.model.draws} if facts.model.random else {}
    if facts.model.backward is None:
        return {"own_model": _classifier(facts, "model") | drawn}
    model = _classifier(facts, "model") | drawn | {"backward": "own_backward"}
    return {"own_model": model, "own_backward": _classifier(facts, "backward")}


def _classifier(facts: Facts, source: str) -> dict[str, Any]:
    return {
        "use": "program_file",
        "source": f"{facts.name}_{source}",
        "model": {"use": "program_file", "trust_code": True},
        "input_shape": list(facts.model.input_shape),
        "classes": facts.model.classes,
        "mean": list(facts.model.mean),
        "std": list(facts.model.std),
    }


def _passes(facts: Facts, effort: Effort, rows: int, guards: int) -> float:
    """Return the attacks' work in forward and backward passes of one image."""
    checks = 4 * effort.steps + effort.steps // 2 + effort.queries / 3 + 30
    suite = effort.whole_suite
    per_image = (
        # attack_suite: 21 steps, at most `restarts` of 19, three of 26 and at most three of 51, then a tenth of Square
        252 + 19 * suite["restarts"] + suite["queries"] / 30 + effort.steps + checks
        # evasion_suite: two starts, and two weights with two losses each
        + guards * 6 * effort.adaptive_steps * (1 if facts.model.no_gradient_norms else 3)
        + (0 if facts.model.random else 6 * effort.margin_steps)
    )  # fmt: skip
    if facts.model.special:
        per_image += 2 * effort.steps  # of the PGD in `worst` that takes all its steps
    return float((rows * per_image + facts.images.counts["fit"] * effort.steps) * facts.model.draws)
