"""What an evaluation or a figure needs besides its component, and what entries name in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone import registry
from touchstone.messages import nearest
from touchstone.settings.limits import CHECKS
from touchstone.settings.problems import Problem
from touchstone.settings.requirements import Entries
from touchstone.settings.sections import on_detectors
from touchstone.settings.unmeasured import STATISTICS

# What an evaluation may name only if a component reads it: {setting: (the data that it becomes, the setting in words)}.
READ = {
    "fit": (("fit_outputs", "fit_margins"), "held-out images"),
    "margins": (("margins", "fit_margins"), "margins"),
    "certificates": (("scores",), "certificates"),
    "rivals": (("rival_outputs", "rival_scores"), "rivals"),
    "detectors": (("scores", "crossed_scores", "detectors", "calibration_scores", "rival_scores"), "detectors"),
}
# Data that a component reads, and the settings of which one has to name it.
NEEDED = {
    frozenset({"outputs"}): ("classifiers", "translators"),
    frozenset({"scores", "crossed_scores"}): ("detectors", "certificates"),
    frozenset({"margins"}): ("margins",),
    frozenset({"fit_outputs", "fit_margins"}): ("fit",),
}
OPTIONAL = ("evaluations/checks", "evaluations/routing")  # they also measure without detectors
# What only another setting of the same entry reads: {(section, setting): (what reads it, why it is refused without)}.
NO_ATTACKS = "only attacks read it, and this evaluation has none; name attacks, or leave it out"
NO_DETECTORS = "only checks of attacks on detectors read it, and this evaluation has none; leave it out"
NO_OUTLIERS = "only outliers are read in such batches, and this training has none; leave it out"
NO_ROUTER = "only a router reads it, and this defence has none; add a router, or leave it out"
READERS = {
    ("evaluations", "attacked"): ("attacks", NO_ATTACKS),
    ("evaluations", "victims"): ("attacks", NO_ATTACKS),
    ("evaluations", "checked"): ("detectors", NO_DETECTORS),
    **{(section, "outlier_batch_size"): ("outliers", NO_OUTLIERS) for section in ("classifiers", "translators")},
    ("defences", "false_positive_rate"): ("router", NO_ROUTER),
}


def read_data(resolved: dict[str, Entries], written: dict[str, Any]) -> Iterator[Problem]:
    """Yield what an evaluation names and neither its component nor a figure of it reads.

    Detectors are also read by attacks that evade them. Inherited ones may stay without these.

    Args:
        resolved: The sections of the study.
        written: Those that the study's own file writes.
    """
    evaluations, figures, attacks = (resolved[section] for section in ("evaluations", "figures", "attacks"))
    for name, entry in evaluations.items():
        uses = [entry["use"], *(figure["use"] for figure in figures.values() if figure["evaluation"] == name)]
        read = {data for use in uses for data in registry.used(use).data}
        evaded = any(on_detectors(attacks[attack]) for attack in entry["attacks"])
        if evaded or not _writes(written, "evaluations", name, "detectors"):
            read.add("detectors")
        for key, (data, noun) in READ.items():
            if entry[key] and read.isdisjoint(data):
                reason = f"neither {entry['use']}.py nor a figure of it reads {noun}; leave it out"
                yield Problem(("evaluations", name, key), reason)


def idle(resolved: dict[str, Entries], written: dict[str, Any]) -> Iterator[Problem]:
    """Yield what the study's own file writes into an entry that lacks what would read it.

    Inherited settings may lack it: the study may have removed what read them.

    Args:
        resolved: The sections of the study.
        written: Those that the study's own file writes.
    """
    for (section, key), (reader, reason) in READERS.items():
        for name, entry in resolved[section].items():
            if not entry[reader] and _writes(written, section, name, key):
                yield Problem((section, name, key), reason)


def without_data(evaluations: Entries) -> Iterator[Problem]:
    """Yield the evaluations that name none of what their component reads: they would measure nothing."""
    for name, entry in evaluations.items():
        data = {*registry.used(entry["use"]).data} if entry["use"] not in OPTIONAL else set()
        for needed, keys in NEEDED.items():
            if data & needed and not any(entry[key] for key in keys):
                reason = (
                    f"{entry['use']}.py reads {keys[0]}, and this evaluation names none, so it would measure nothing"
                )
                yield Problem(("evaluations", name, keys[0]), f"{reason}; name {keys[0]}")


def _writes(written: dict[str, Any], section: str, name: str, key: str) -> bool:
    """Return whether a file writes a setting of an entry, other than an empty one."""
    block = (written.get(section) or {}).get(name)
    return isinstance(block, dict) and bool(block.get(key))


def direct_attacks(evaluations: Entries) -> Iterator[Problem]:
    """Yield the direct attacks of evaluations that are not among their attacks."""
    for name, entry in evaluations.items():
        for attack in entry["direct_attacks"]:
            if attack not in entry["attacks"]:
                yield Problem(
                    ("evaluations", name, "direct_attacks"), f"{attack} is not one of its attacks; name it there, too"
                )


def known_examples(evaluations: Entries) -> Iterator[Problem]:
    """Yield the sets of known images that an evaluation compares others with, and that are not among its sets."""
    for name, entry in evaluations.items():
        named = entry.get("id_examples") or []
        for example in named if isinstance(named, list) else [named]:
            if example not in entry["examples"]:
                reason = f"{example} is not one of its examples; name it there, too"
                yield Problem(("evaluations", name, "id_examples"), reason)


def checked_attacks(evaluations: Entries) -> Iterator[Problem]:
    """Yield the checks of attacks on detectors that do not say which attacks are checked."""
    for name, entry in evaluations.items():
        if entry["use"] == CHECKS and entry["detectors"] and not entry["checked"]:
            reason = "must name the attacks to check; the others are what they are compared with"
            yield Problem(("evaluations", name, "checked"), reason)


def certificates(evaluations: Entries, detectors: Entries) -> Iterator[Problem]:
    """Yield the certifying detectors whose end or eps is not the one that an evaluation needs.

    The evaluation's certificate would then not hold.
    """
    for name, entry in evaluations.items():
        for end in ("high", "low"):
            for detector, eps in zip(entry[end], entry["eps"], strict=False) if end in entry else ():
                one = detectors.get(detector, {})
                if (one.get("end"), one.get("eps")) != (end, eps):
                    reason = f"{detector} must certify the {end} end at eps {eps:g}"
                    has = f"it has end {one['end']}, eps {one['eps']:g}" if "end" in one else "it certifies nothing"
                    yield Problem(("evaluations", name, end), f"{reason}; {has}")


def comparisons(evaluations: Entries) -> Iterator[Problem]:
    """Yield the comparisons by a statistic that there is not, and those that leave no detector to compare with others."""
    for name, entry in evaluations.items():
        for index, word in enumerate(entry.get("statistics", ())):
            if word not in STATISTICS:
                reason = f"expected one of {', '.join(STATISTICS)}, got {word}.{nearest(word, STATISTICS)}"
                yield Problem(("evaluations", name, "statistics", str(index)), reason.removesuffix("."))
        subtracted = {*entry.get("against", ()), *entry.get("turned", ())} & {*entry["detectors"]}
        if subtracted and subtracted == {*entry["detectors"]}:
            reason = "names all detectors of this evaluation, so that none is left to compare with them; leave one out"
            yield Problem(("evaluations", name, "against" if entry.get("against") else "turned"), reason)


def drawn_sizes(resolved: dict[str, Entries]) -> Iterator[Problem]:
    """Yield the figures that draw a size of perturbation at which their evaluation measures nothing."""
    for name, figure in resolved["figures"].items():
        measured, drawn = resolved["evaluations"][figure["evaluation"]].get("eps"), figure.get("eps") or []
        if not isinstance(measured, list):
            continue
        listed = ", ".join(f"{one:g}" for one in measured)
        for eps in drawn if isinstance(drawn, list) else [drawn]:
            if eps not in measured:
                reason = f"evaluations.{figure['evaluation']} measures at eps {listed}, and not at {eps:g}"
                yield Problem(("figures", name, "eps"), f"{reason}; draw one of these")
