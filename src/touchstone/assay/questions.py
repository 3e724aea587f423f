"""What an assay asks: the evaluations and figures of its report."""

from __future__ import annotations

from typing import Any

from touchstone.assay.facts import Facts
from touchstone.assay.methods import ENDING_EPS, Detectors, Effort


def evaluations(
    facts: Facts, effort: Effort, detectors: Detectors, attacks: list[str], ood: list[str]
) -> dict[str, Any]:
    """Return the evaluations, each with its question.

    attacks, ood: the names of the study's attacks and out-of-distribution sets.
    """
    own, few = {"classifiers": ["own_model"]}, {"resamples": effort.resamples}
    missing = "".join(f" {sentence}" for sentence in detectors.left_out)
    checks = [name for name in attacks if name.startswith("check_")]
    random = {"random": ["own_model"]} if facts.model.random else {}
    made: dict[str, Any] = {
        "robustness": {
            "use": "robustness",
            "question": f"How accurate is the model on clean images, and under attack within eps {facts.eps_written}?"
            + (f" ({facts.published.sentence()}.)" if facts.published else "")
            + facts.model.seen() + "".join(f" {sentence}" for sentence in effort.weaker()),
            **own, "examples": ["own_test", "own_attacked"], "attacked": ["own_attacked"], **few,
            "attacks": ["worst", "pgd", *(["published_budget"] if facts.other_budget else [])],
        },
        "attack_checks": {
            "use": "checks",
            "question": "Do the attacks behave as attacks must, so that images which resist them may be called robust?",
            **own, "examples": ["own_attacked"], "attacks": checks, "victims": ["own_model"],
            "main_eps": facts.eps_written, "large_eps": ENDING_EPS, **random,
        },
        "eps_curve": {
            "use": "robustness",
            "question": "How does accuracy fall as the budget grows? (One PGD; the worst case is in robustness.)",
            **own, "examples": ["own_attacked"], "attacks": ["check_half", "check_eps", "check_large"], **few,
        },
        "brittle": {
            "use": "margins",
            "question": "Which images are brittle, and does the logit margin find them without an attack?",
            **own, "examples": ["own_attacked"], "margins": ["nearest_classes"],
            "eps": [float(f"{facts.eps / 2:.6g}"), facts.eps_written, float(f"{2 * facts.eps:.6g}")], **few,
        },
        "detection": {
            "use": "detection",
            "question": "Which detectors tell out-of-distribution images from yours?" + missing,
            **own, "examples": ["own_test", *ood], "detectors": "all", "id_examples": "own_test", **few,
        },
        "detection_of_attacks": {
            "use": "detection",
            "question": "Which detectors tell attacked images from clean ones, if the attacker does not know of them?",
            **own, "examples": ["own_attacked"], "attacks": ["pgd", "worst"], "detectors": "all",
            "id_examples": "own_attacked", **few,
        },
        "evasion": {
            "use": "evasion",
            "question": "What gets past model and detector at once, if the attacker knows both?",
            **own, "examples": ["own_attacked"], "attacks": ["pgd", "adaptive"], "detectors": list(detectors.guards),
        },
        "data_sheet": {
            "use": "data_sheet",
            "question": "What do the image sets look like, and could brightness by itself give them away?"
            + "".join(f" {remark[0].upper()}{remark[1:]}." for remark in facts.images.remarks),
            "examples": "all", **few,
        },
    }  # fmt: skip
    if facts.model.random:
        del made["brittle"]
    return made


def figures(facts: Facts) -> dict[str, Any]:
    """Return the figures of the report."""
    made: dict[str, dict[str, Any]] = {
        "attacked_images": {"use": "gallery", "evaluation": "detection_of_attacks", "classifier": "own_model",
            "caption": "Clean images, attacked ones, and what the attacks added."},
        "error_curves": {"use": "accuracy_against_eps", "evaluation": "eps_curve",
            "caption": "Accuracy against the size of the perturbation, on images rounded to 8 bits towards the clean ones."},
        "roc": {"use": "roc_curves", "evaluation": "detection", "classifier": "own_model", "id_examples": "own_test",
            "caption": "How many out-of-distribution images each detector catches for how many of yours it flags."},
        "margins_found": {"use": "margin_scatter", "evaluation": "brittle",
            "caption": "Each image's distance to the decision boundary against the logit margin that stands in for it."},
        "brittle_roc": {"use": "brittle_roc", "evaluation": "brittle", "eps": [facts.eps_written],
            "caption": "How many brittle images the logit margin finds for how many others it flags."},
    }  # fmt: skip
    return {
        name: figure for name, figure in made.items() if figure["evaluation"] != "brittle" or not facts.model.random
    }
