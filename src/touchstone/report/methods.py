"""What was studied and how, from a study's settings: the facts of the page's header and of its methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from touchstone.report.names import SECTIONS
from touchstone.report.workflow_picture import Stage

FLOW = (
    "fetch",
    "prepare",
    "train",
    "attack",
    "measure",
    "translate",
    "infer",
    "fit",
    "score",
    "evaluate",
    "report",
)


class Fact(NamedTuple):
    """One part of a study: its heading, how many entries, and the components that they use."""

    heading: str
    entries: int
    components: list[str]


def facts(settings: Mapping[str, Any]) -> list[Fact]:
    """Return the parts of a study that have entries, in the order of the names."""
    return [
        Fact(
            heading.partition(":")[0],
            len(settings[section]),
            list(
                dict.fromkeys(entry["use"].rpartition("/")[2] for entry in settings[section].values() if "use" in entry)
            ),
        )
        for section, heading in SECTIONS.items()
        if settings.get(section)
    ]


def seeds(settings: Mapping[str, Any]) -> list[int]:
    """Return the seeds that networks were trained with."""
    entries = settings.get("classifiers", {}).values()
    return sorted({seed for entry in entries for seed in entry.get("seeds") or ()})


def studied(settings: Mapping[str, Any], papers: int, numbers: int) -> str:
    """Return in one sentence what was studied.

    Args:
        settings: of the study, resolved.
        papers: how many are tested.
        numbers: how many were measured.
    """
    counts = {fact.heading: fact.entries for fact in facts(settings)}
    named = [
        f"{counts[heading]} {noun if counts[heading] != 1 else noun.removesuffix('s')}"
        for heading, noun in (("Networks", "networks"), ("Attacks", "attacks"), ("Detectors", "detectors"))
        if heading in counts
    ]
    tested = f"The claims of {papers} papers, tested" if papers > 1 else "Tested"
    most = max((len(entry.get("seeds") or ()) for entry in settings.get("classifiers", {}).values()), default=0)
    trained = f"; a network is trained with up to {most} seeds" if most > 1 else ""
    listed = f" with {', '.join(named)}" if named else ""
    return f"{tested}{listed}: {numbers:,} numbers{trained}."


def stages(files: Iterable[str], provenance: Mapping[str, Any]) -> list[Stage]:
    """Return the steps of the workflow in order, with the files behind the page.

    Args:
        files: those behind the page.
        provenance: {file: where it came from}, of which the step and the inputs are read.
    """
    counts: dict[str, int] = {}
    reads: dict[str, set[str]] = {}
    for file in files:
        source = provenance.get(file)
        if source:
            counts[source["step"]] = counts.get(source["step"], 0) + 1
            inputs = (provenance[name]["step"] for name in source.get("inputs", []) if name in provenance)
            reads.setdefault(source["step"], set()).update(inputs)
    order = {step: place for place, step in enumerate(FLOW)}
    ordered = sorted(counts, key=lambda step: (order.get(step, len(order)), step))
    return [Stage(step, counts[step], [name for name in ordered if name in reads[step]]) for step in ordered]
