"""The steps of a study and their properties."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A kind of task.

    Attributes:
        name: The name of its file in pipeline/steps/ and of its rules.
        torch: Whether it runs torch; then its jobs get the study's device and threads.
        cached: Whether the action cache stores its outputs; false if creating them costs no more than a copy.
    """

    name: str
    torch: bool = True
    cached: bool = True


STEPS = {
    step.name: step
    for step in (
        Step("fetch", torch=False, cached=False),
        Step("prepare", torch=False),
        Step("convert"),
        Step("train"),
        Step("attack"),
        Step("translate"),
        Step("measure"),
        Step("infer"),
        Step("fit"),
        Step("score"),
        Step("evaluate", torch=False),
        Step("report", torch=False, cached=False),
    )
}
