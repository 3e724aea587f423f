"""The study that `touchstone assay` writes: a plain overlay with `base: none`, to be kept, edited and run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from touchstone.assay import study_file

ENDING_EPS = 0.5  # at which an attack has to fool everything, or it is broken
SMALL_SET = 200  # calibration images below which a false-positive rate of 1 % means nothing


@dataclass(frozen=True)
class Effort:
    """How much is attacked, and how hard."""

    rows: int
    steps: int
    queries: int
    adaptive_steps: int
    margin_steps: int
    restarts: int
    resamples: int


EFFORTS = {
    "quick": Effort(100, 20, 100, 10, 15, 1, 200),
    "usual": Effort(300, 50, 500, 40, 40, 1, 500),
    "full": Effort(1000, 100, 2000, 100, 40, 3, 1000),
}


@dataclass(frozen=True)
class Asked:
    """Everything that the study depends on."""

    name: str
    subject: str  # the model and the images, in words
    reader: str  # exported_program or torchscript
    model_settings: dict[str, Any]  # of the architecture
    model_file: str
    model_digest: str
    images: str
    images_digest: str
    image_settings: dict[str, Any]  # colour, size, classes, broken
    ood: tuple[tuple[str, str], ...]  # location, digest
    counts: dict[str, int]  # images per part
    ood_counts: tuple[int, ...]
    input_shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    eps: float
    eps_written: str | float  # 8/255, as it was given
    effort: str
    features: str  # why there are none; "" where there are
    gradient_norms: str
    width: int  # of the features
    seconds: float  # of a forward and a backward pass of one image
    device: str
    command: str
    told: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """The text of a study, the attacks' work in passes of one image forward and backward, and what was left out."""

    text: str
    passes: float
    left_out: tuple[str, ...]


def write(asked: Asked) -> Written:
    """Return the study of a model and its images, and what it will cost."""
    effort = EFFORTS[asked.effort]
    rows = min(effort.rows, asked.counts["test"])
    detectors, guards, left_out = _detectors(asked)
    ood = _ood(asked)
    attacks = _attacks(asked, effort)
    study = {
        "study": {
            "title": f"Assay of {asked.name}",
            "device": asked.device,
            "threads": 1,
            "batch_size": 100,
            "calibration": "own_calibration",
            "false_positive_rates": [0.05, 0.5] if asked.counts["calibration"] < SMALL_SET else [0.01, 0.05, 0.5],
            "attacked_false_positive_rate": 0.05,
        },
        "sources": {
            f"{asked.name}_model": {"use": "checkpoint_file", "location": asked.model_file, "sha256": asked.model_digest},
            f"{asked.name}_images": {"use": "own_files", "location": asked.images, "sha256": asked.images_digest},
            **{
                f"{asked.name}_ood_{number}": {"use": "own_files", "location": location, "sha256": digest}
                for number, (location, digest) in enumerate(asked.ood, 1)
            },
        },
        "examples": {
            **{
                f"own_{part}": {"use": "own_images", "source": f"{asked.name}_images", "part": part} | asked.image_settings
                for part in ("fit", "calibration", "test")
            },
            "own_attacked": {"use": "subset", "of": "own_test", "count": rows},
            **ood,
        },
        "classifiers": {
            "own_model": {
                "use": asked.reader,
                "source": f"{asked.name}_model",
                "model": {"use": "torchscript_program" if asked.reader == "torchscript" else "exported_program"}
                | asked.model_settings,
                "input_shape": list(asked.input_shape),
                "classes": asked.classes,
                "mean": list(asked.mean),
                "std": list(asked.std),
            }
        },
        "attacks": attacks,
        "margins": {"nearest_classes": {"use": "nearest_classes", "steps": effort.margin_steps}},
        "confounding": {} if asked.gradient_norms else {"softmax_all": {"variant": "softmax"}},
        "detectors": detectors,
        "groups": {
            "tested": ["own_test", *ood],
            "sanity_attacks": [name for name in attacks if name.startswith("check_")],
            "main_attacks": ["pgd", "worst"],
            "all_detectors": list(detectors),
        },
        "evaluations": _evaluations(asked, effort, list(attacks), guards, list(ood), left_out),
        "figures": _figures(asked),
    }  # fmt: skip
    checks = 4 * effort.steps + effort.steps // 2 + effort.queries / 3 + 30
    passes = rows * (
        2 * effort.steps * effort.restarts + effort.queries / 3 + effort.steps + checks
        + len(guards) * effort.adaptive_steps * (1 if asked.gradient_norms else 3) + 6 * effort.margin_steps
    ) + asked.counts["fit"] * effort.steps  # fmt: skip
    return Written(_text(asked, study, left_out), float(passes), tuple(left_out))


def _attacks(asked: Asked, effort: Effort) -> dict[str, Any]:
    eps, steps = asked.eps_written, effort.steps
    second: dict[str, Any] = {"loss": "dlr"} if asked.classes > 2 else {"restarts": 2}
    parts: list[dict[str, Any]] = [{"use": "apgd", "eps": eps, "steps": steps, "restarts": effort.restarts}]
    parts.append(parts[0] | second)
    parts.append({"use": "square", "eps": eps, "queries": effort.queries})
    plain: dict[str, Any] = {"use": "pgd", "eps": eps, "steps": steps}
    return {
        "worst": {"use": "worst_of", "attacks": parts},
        "pgd": plain,
        "adaptive": {"use": "selective_pgd", "eps": eps, "steps": effort.adaptive_steps},
        "check_0": plain | {"eps": 0},
        "check_half": plain | {"eps": float(f"{asked.eps / 2:.6g}")},
        "check_eps": plain,
        "check_large": plain | {"eps": ENDING_EPS},
        "check_half_steps": plain | {"steps": max(steps // 2, 1)},
        "check_double_steps": plain | {"steps": 2 * steps},
        "check_fgsm": {"use": "fgsm", "eps": eps},
        "check_square": {"use": "square", "eps": eps, "queries": effort.queries},
        "check_sign": {"use": "random_sign", "eps": eps, "draws": 10},
    }  # fmt: skip


def _detectors(asked: Asked) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the detectors that this model and this much data allow, those that adaptive attacks meet, and what is left
    out, with the reason."""
    fitted, count = {"fit": "own_fit"}, asked.counts["fit"]
    found: dict[str, Any] = {name: {"use": name} for name in ("msp", "max_logit", "energy", "odin", "mean_intensity")}
    found["pixel_mahalanobis"] = {"use": "pixel_mahalanobis"} | fitted
    found["softmax_network"] = {"use": "softmax_network", "anomalous": ["pgd"]} | fitted
    guards, left_out = ["msp", "pixel_mahalanobis"], []
    if asked.features:
        left_out.append(
            f"Detectors of penultimate features (mahalanobis, knn, vim, ...) are left out: {asked.features}."
        )
    else:
        for name in ("mahalanobis", "relative_mahalanobis", "ssd"):
            found[name] = {"use": name} | fitted
        found["knn"] = {"use": "knn", "k": max(1, min(50, count // 5))} | fitted
        found["lid"] = {"use": "lid", "references": min(100, count), "k": max(2, min(20, count // 5))} | fitted
        found["gradnorm_huang"] = {"use": "gradnorm_huang"}
        found["feature_network"] = {"use": "feature_network", "anomalous": ["pgd"]} | fitted
        guards.append("mahalanobis")
        if count > asked.width:
            found |= {name: {"use": name} | fitted for name in ("vim", "react")}
        else:
            left_out.append(
                f"vim and react are left out: they need more images to be fitted on than the {asked.width} features,"
                f" and there are {count}."
            )
    if asked.gradient_norms:
        left_out.append(f"Detectors of gradient norms are left out: {asked.gradient_norms}.")
    else:
        found["gradient_sum"] = {"use": "gradient_sum"}
        found["gradient_network"] = {"use": "gradient_network", "anomalous": ["pgd"]} | fitted
        guards.append("gradient_network")
    return found, guards, left_out


def _ood(asked: Asked) -> dict[str, Any]:
    """Return the out-of-distribution sets: the user's, else noise and the test images with their structure destroyed."""
    shaping = {key: value for key, value in asked.image_settings.items() if key != "classes"}
    if asked.ood:
        most = asked.counts["test"]
        return {
            f"ood_{number}": {"use": "own_images", "source": f"{asked.name}_ood_{number}", "labelled": False}
            | shaping
            | ({"limit": most} if count > most else {})
            for number, count in enumerate(asked.ood_counts, 1)
        }
    channels, height, width = asked.input_shape
    found: dict[str, Any] = {"scrambled": {"use": "phase_scrambled", "of": "own_test"}}
    if patch := next((p for p in (7, 8, 4, 5, 6, 16, 2, 3) if height % p == width % p == 0 and height > p), None):
        found["shuffled"] = {"use": "patch_shuffled", "of": "own_test", "patch": patch}
    if height == width:
        noise = {"count": min(asked.counts["test"], 500), "size": height, "channels": channels}
        found |= {"uniform": {"use": "uniform_noise"} | noise, "gaussian": {"use": "gaussian_noise"} | noise}
    return found


def _evaluations(
    asked: Asked, effort: Effort, attacks: list[str], guards: list[str], ood: list[str], left_out: list[str]
) -> dict[str, Any]:  # fmt: skip
    own, few = {"classifiers": ["own_model"]}, {"resamples": effort.resamples}
    missing = " " + " ".join(left_out) if left_out else ""
    checks = [name for name in attacks if name.startswith("check_")]
    return {
        "robustness": {
            "use": "robustness",
            "question": f"How accurate is the model on clean images, and what is left within eps {asked.eps_written}?",
            **own, "examples": ["own_test", "own_attacked"], "attacked": ["own_attacked"], **few,
            "attacks": ["worst", "pgd"],
        },
        "attack_checks": {
            "use": "sanity",
            "question": "Do the attacks behave as attacks must, so that what they leave may be called robust?",
            **own, "examples": ["own_attacked"], "attacks": checks, "victims": ["own_model"],
            "main_eps": asked.eps_written, "large_eps": ENDING_EPS,
        },
        "eps_curve": {
            "use": "robustness",
            "question": "How does accuracy fall as the budget grows? (One PGD; the worst case is in robustness.)",
            **own, "examples": ["own_attacked"], "attacks": ["check_half", "check_eps", "check_large"], **few,
        },
        "brittle": {
            "use": "margins",
            "question": "Which images are brittle, and does the logit margin tell them without an attack?",
            **own, "examples": ["own_attacked"], "margins": ["nearest_classes"],
            "eps": [float(f"{asked.eps / 2:.6g}"), asked.eps_written, float(f"{2 * asked.eps:.6g}")], **few,
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
            **own, "examples": ["own_attacked"], "attacks": ["pgd", "adaptive"], "detectors": guards,
        },
        "data_sheet": {
            "use": "data_sheet",
            "question": "What do the image sets look like, and could brightness alone give them away?",
            "examples": "all", **few,
        },
    }  # fmt: skip


def _figures(asked: Asked) -> dict[str, Any]:
    return {
        "attacked_images": {"use": "gallery", "evaluation": "detection_of_attacks", "classifier": "own_model",
            "caption": "Clean images, attacked ones, and what the attacks added."},
        "error_curves": {"use": "accuracy_against_eps", "evaluation": "eps_curve",
            "caption": "Accuracy against the size of the perturbation, on images rounded to 8 bits towards the clean ones."},
        "roc": {"use": "roc_curves", "evaluation": "detection", "classifier": "own_model", "id_examples": "own_test",
            "caption": "How many out-of-distribution images each detector catches for how many of yours it flags."},
        "margins_found": {"use": "margin_scatter", "evaluation": "brittle",
            "caption": "Each image's distance to the decision boundary against the logit margin that stands in for it."},
        "brittle_roc": {"use": "brittle_roc", "evaluation": "brittle", "eps": [asked.eps_written],
            "caption": "How many brittle images the logit margin finds for how many others it flags."},
        "brittle_images": {"use": "brittle_images", "evaluation": "brittle", "classifier": "own_model",
            "caption": "The images themselves, by distance to the boundary and by logit margin. Above each: distance | logit"
            " margin, and the predicted class, with the true one in brackets where it is another."},
    }  # fmt: skip


COMMENTS = {
    "sources": "The files under the SHA-256 that they had; others are refused. `touchstone assay` writes new ones.",
    "examples": "30 of 100 images fit detectors, 20 give their thresholds, 50 are tested on: disjoint, stratified by class.",
    "classifiers": "The model as a file: read as data, normalised by mean and std (0, 1: not, or by itself).",
    "attacks": "worst is what counts: per image, the first attack of three that fools the model. check_*: must behave.",
    "detectors": "Thresholds come from own_calibration alone. *_network were trained on PGD images of own_fit.",
}


def _text(asked: Asked, study: dict[str, Any], left_out: list[str]) -> str:
    """Return the study as YAML: one line per entry, comments that say what stands there."""
    lines = [
        study_file.comment(asked.command),
        f"# Run it again: make run STUDY=PATH_OF_THIS_FILE. Pixels lie in [0, 1]; eps is {asked.eps:.4g} of that range.",
        *(study_file.comment(sentence) for sentence in (*asked.told, *left_out)),
        "base: none",
    ]
    for section, entries in study.items():
        if not entries:
            continue
        lines += [""] + ([f"# {COMMENTS[section]}"] if section in COMMENTS else []) + [f"{section}:"]
        for name, entry in entries.items():
            lines.append(f"  {name}: {_flow(entry)}")
    return study_file.sealed(lines, asked.subject)


class _Plain(yaml.SafeDumper):
    """YAML without aliases: an entry is written out wherever it stands."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _flow(value: Any) -> str:
    written: str = yaml.dump(
        value, Dumper=_Plain, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    return written.removesuffix("\n").removesuffix("...").strip()
