"""Check that the sets which a job has prepared share no images that they must not share."""

from __future__ import annotations

import sys

from touchstone.pipeline.jobs import leakage
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.records.nouns import ExampleSet


def check(artefacts: Artefacts) -> None:
    """Compare the sets of a study with each other; print a note on duplicates.

    Raises:
        Leak: Sets share images that they must not share.
    """
    for note in leakage.check(apart(artefacts), prepared(artefacts)):
        print(f"touchstone: {note}", file=sys.stderr)


def apart(artefacts: Artefacts) -> list[tuple[str, str, str]]:
    """Return (tested set, learned set, why they must share no image), as the plan of the job says."""
    return [(tested, learned, why) for tested, learned, why in artefacts.plan.more["apart"]]


def prepared(artefacts: Artefacts) -> leakage.Prepared:
    """Return the sets that a job has prepared."""
    plan = artefacts.plan
    tasks = {name: task for task in plan.tasks for name in [task.output.rpartition("/")[2].rpartition(".")[0]]}
    sources = {str(task.inputs["folder"]).rpartition("/")[2]: task for task in plan.tasks if "folder" in task.inputs}

    def read(name: str) -> ExampleSet | None:
        examples: ExampleSet | None = artefacts.noun(tasks[name].output, "ExampleSet") if name in tasks else None
        return examples

    def raw(source: str) -> str | None:
        return artefacts.link(str(sources[source].inputs["folder"]))["artefact"] if source in sources else None

    return leakage.Prepared(plan.more["examples"], lambda name: tasks[name].settings, read, raw)
