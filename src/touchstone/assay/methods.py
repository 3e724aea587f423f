"""What an assay uses: its attacks, the detectors that the model and the data allow, and out-of-distribution sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from touchstone import registry
from touchstone.assay.facts import Facts, OODFacts

ENDING_EPS = 0.5  # an attack that does not fool every image at this eps is broken


@dataclass(frozen=True)
class Effort:
    """How many images are attacked, and with how many steps.

    suite: settings of `attack_suite` that differ from its defaults, which were raced against AutoAttack.
    """

    rows: int
    steps: int
    queries: int  # of Square, where it checks another attack
    adaptive_steps: int
    margin_steps: int
    resamples: int
    suite: dict[str, int]

    @property
    def whole_suite(self) -> dict[str, Any]:
        """All settings of `attack_suite` by name."""
        return _raced() | self.suite

    def weaker(self) -> tuple[str, ...]:
        """Return a sentence that says by how much the suite is weaker than the one raced; nothing if it is not."""
        less = {name: value for name, value in self.suite.items() if value < _raced()[name]}
        if not less:
            return ()
        parts = (f"{value:,} {name} instead of {_raced()[name]:,}" for name, value in less.items())
        return (
            f"The attack suite of --quick is weaker than the one raced against AutoAttack: {', '.join(parts)}. Without"
            " --quick it runs as raced.",
        )


def _raced() -> dict[str, Any]:
    call = registry.component("attacks", "attack_suite").call
    return {name: setting.default for name, setting in call.settings.items()}


EFFORTS = {
    "quick": Effort(100, 20, 100, 10, 15, 200, {"restarts": 3, "queries": 100}),
    "usual": Effort(300, 50, 500, 20, 40, 500, {}),
    "full": Effort(1000, 100, 2000, 50, 40, 1000, {"queries": 2000}),
}


def attacks(facts: Facts, effort: Effort) -> dict[str, Any]:
    """Return the attacks: worst case, plain and adaptive PGD, and checks of attacks."""
    eps, steps = facts.eps_written, effort.steps
    plain: dict[str, Any] = {"use": "pgd", "eps": eps, "steps": steps}
    published: dict[str, Any] = {}
    worst: dict[str, Any] = {"use": "attack_suite", "eps": eps} | effort.suite
    if facts.model.special:
        # The suite stops once the expectation is wrong; single draws may still be right there.
        worst = {"use": "highest_loss", "attacks": [worst, plain | {"steps": 2 * steps}]}
    if facts.published is not None and facts.other_budget:
        budget = {"eps": facts.published.eps, "norm": facts.published.norm}
        published["published_budget"] = {"use": "attack_suite"} | budget | effort.suite
    return published | {
        "worst": worst,
        "pgd": plain,
        "adaptive": {"use": "evasion_suite", "eps": eps, "steps": effort.adaptive_steps, "restarts": 2},
        "check_0": plain | {"eps": 0},
        "check_half": plain | {"eps": float(f"{facts.eps / 2:.6g}")},
        "check_eps": plain,
        "check_large": plain | {"eps": ENDING_EPS},
        "check_half_steps": plain | {"steps": max(steps // 2, 1)},
        "check_double_steps": plain | {"steps": 2 * steps},
        "check_fgsm": {"use": "fgsm", "eps": eps},
        "check_square": {"use": "square", "eps": eps, "queries": effort.queries},
        "check_sign": {"use": "random_sign", "eps": eps, "draws": 10},
    }  # fmt: skip


@dataclass(frozen=True)
class Detectors:
    """The detectors of a study.

    guards: those that adaptive attacks try to evade. left_out: sentences on detectors that the study lacks.
    """

    entries: dict[str, Any]
    guards: tuple[str, ...]
    left_out: tuple[str, ...]


def detectors(facts: Facts) -> Detectors:
    """Return the detectors that this model and this much data allow."""
    fitted, count = {"fit": "own_fit"}, facts.images.counts["fit"]
    entries: dict[str, Any] = {name: {"use": name} for name in ("msp", "max_logit", "energy", "odin", "mean_intensity")}
    entries["pixel_mahalanobis"] = {"use": "pixel_mahalanobis"} | fitted
    entries["softmax_network"] = {"use": "softmax_network", "anomalous": ["pgd"]} | fitted
    guards, left_out = ["msp", "pixel_mahalanobis"], []
    if facts.model.special:
        del entries["odin"]  # it takes gradients of the network itself
    if facts.model.no_features:
        left_out.append(
            f"Detectors of penultimate features (mahalanobis, knn, vim, ...) are left out: {facts.model.no_features}."
        )
    else:
        entries |= {name: {"use": name} | fitted for name in ("mahalanobis", "relative_mahalanobis", "ssd")}
        entries["knn"] = {"use": "knn", "k": max(1, min(50, count // 5))} | fitted
        entries["lid"] = {"use": "lid", "references": min(100, count), "k": max(2, min(20, count // 5))} | fitted
        entries["gradnorm_huang"] = {"use": "gradnorm_huang"}
        entries["feature_network"] = {"use": "feature_network", "anomalous": ["pgd"]} | fitted
        guards.append("mahalanobis")
        if count > facts.model.width:
            entries |= {name: {"use": name} | fitted for name in ("vim", "react")}
        else:
            left_out.append(
                f"vim and react are left out: they must be fitted on more images than the {facts.model.width} features,"
                f" and there are {count}."
            )
    if facts.model.no_gradient_norms:
        left_out.append(f"Detectors of gradient norms are left out: {facts.model.no_gradient_norms}.")
    else:
        entries["gradient_sum"] = {"use": "gradient_sum"}
        entries["gradient_network"] = {"use": "gradient_network", "anomalous": ["pgd"]} | fitted
        guards.append("gradient_network")
    return Detectors(entries, tuple(guards), tuple(left_out))


def ood_sets(facts: Facts) -> dict[str, Any]:
    """Return the out-of-distribution sets: the user's, or generated ones.

    Generated are noise, and test images with their structure destroyed.
    """
    if facts.ood:
        return {f"ood_{number}": _user_set(facts, number, ood) for number, ood in enumerate(facts.ood, 1)}
    channels, height, width = facts.model.input_shape
    sets: dict[str, Any] = {"scrambled": {"use": "phase_scrambled", "of": "own_test"}}
    if patch := next((p for p in (7, 8, 4, 5, 6, 16, 2, 3) if height % p == width % p == 0 and height > p), None):
        sets["shuffled"] = {"use": "patch_shuffled", "of": "own_test", "patch": patch}
    if height == width:
        noise = {"count": min(facts.images.counts["test"], 500), "size": height, "channels": channels}
        sets |= {"uniform": {"use": "uniform_noise"} | noise, "gaussian": {"use": "gaussian_noise"} | noise}
    return sets


def _user_set(facts: Facts, number: int, ood: OODFacts) -> dict[str, Any]:
    """Return one set of the user's, shaped as the labelled images and not larger than their test part."""
    shaping = {key: value for key, value in facts.images.settings.items() if key not in ("classes", "broken")}
    most = facts.images.counts["test"]
    entry = {"use": "own_images", "source": f"{facts.name}_ood_{number}", "labelled": False} | shaping
    entry |= {"broken": "leave_out"} if ood.broken else {}
    return entry | ({"limit": most} if ood.count > most else {})
