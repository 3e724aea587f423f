"""Which example sets of a study must share no image, because it tests on one and learns from the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone.settings import families
from touchstone.settings.files import ParamsError, written_at
from touchstone.settings.sections import Section, sections
from touchstone.settings.study import Study

# The settings of an evaluation that name learners.
LEARNERS = ("classifiers", "victims", "rivals", "translators", "detectors", "certificates")


def pairs(study: Study) -> dict[tuple[str, str], str]:
    """Return {(tested, learned): reason} for the pairs of sets that must share no image.

    - In each evaluation: each tested set, and all sets from which a learner learned or took a threshold.
    - In each evaluation: each set that determines thresholds, and the sets from which a learner learned.
    - For each trained network: the set that selects its weights, and the set that trains it.

    Sets that no evaluation combines may share images, like the folds of a cross-validation.
    """
    reasons: dict[tuple[str, str], str] = {}
    kinds = sections()
    for name, question in study["evaluations"].items():
        if not question["classifiers"]:
            continue
        roles = dict(_roles(study, question, kinds))
        if question["fit"]:
            roles.setdefault(question["fit"], f"evaluations.{name}.fit")
        thresholds = {study["study"]["calibration"]: "data.calibration"}
        thresholds |= {example: role for example, role in roles.items() if role.endswith(".calibration")}
        learned = {example: role for example, role in roles.items() if example not in thresholds}
        for tested in (*question["examples"], *question["attacked"]):
            for example, role in (learned | thresholds).items():
                reasons.setdefault((tested, example), f"evaluations.{name} tests on the first, {role} is the second")
        for calibrating, its_role in thresholds.items():
            for example, role in learned.items():
                reasons.setdefault((calibrating, example), f"{its_role} is the first, {role} is the second")
    for section in ("classifiers", "translators"):
        for name, entry in study[section].items():
            if entry["train"]:
                reason = f"{section}.{name}.validation is the first, {section}.{name}.train is the second"
                reasons.setdefault((entry["validation"], entry["train"]), reason)
    return reasons


def check(study: Study) -> None:
    """Check that no two sets surely have images in common that must share none; the job prepare compares the images.

    Raises:
        ParamsError: lists every such pair, with what learns and what tests.
    """
    mistakes = []
    for (one, other), reason in pairs(study).items():
        if one != other and families.share_images(one, other, study["examples"]):
            place = written_at(study.files, "data", one) or written_at(study.files, "data", other) or study.name
            roots = [study["examples"][families.way_to(name, study["examples"])[0]] for name in (one, other)]
            apart = len({root.get("split_seed") for root in roots}) > 1
            remedy = "give both one split_seed, or use others" if apart else "use others"
            mistakes.append(f"{place}: {one} has images of {other}: {reason}; {remedy}")
    if mistakes:
        raise ParamsError("\n".join(mistakes))


def _roles(study: Study, question: dict[str, Any], kinds: dict[str, Section]) -> Iterator[tuple[str, str]]:
    """Yield (example set, setting) for all sets that an evaluation's learners use.

    A setting is named as in "classifiers.cnn.train".
    """
    seen = set[tuple[str, str]]()
    waiting: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [("evaluations", question, "", LEARNERS)]
    while waiting:
        section, entry, place, keys = waiting.pop()
        for key in keys:
            reference = kinds[section].references[key]
            value = entry.get(key)
            for name in value if isinstance(value, list) else [value] if value else []:
                other = next(kind for kind in reference.sections if name in study[kind])
                if other == "examples":
                    yield name, f"{place}.{key}"
                elif (other, name) not in seen:
                    seen.add((other, name))
                    waiting.append((other, study[other][name], f"{other}.{name}", tuple(kinds[other].references)))
