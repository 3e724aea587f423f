"""One task: read the inputs, load the networks, write the artefact."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from touchstone import registry
from touchstone.numerics import cpu_paths, precision
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import code


class Job:
    """One task of a job, with what it reads and writes.

    Attributes:
        settings: The task's settings, with a smaller batch if memory ran out.
        recompute: Whether to compute what the store has, too.
    """

    def __init__(self, task: Task, artefacts: Artefacts, logs: Path, recompute: bool = False) -> None:
        self.task, self.artefacts, self.logs, self.recompute = task, artefacts, logs, recompute
        self.settings = task.settings

    def noun(self, role: str, kind: str) -> Any:
        """Return the noun of a role; None if the task has no such input."""
        file = self.task.inputs.get(role)
        return None if file is None else self.artefacts.noun(str(file), kind)

    def nouns(self, role: str, kind: str) -> list[Any]:
        """Return the nouns of a role with several files."""
        return [self.artefacts.noun(file, kind) for file in self.task.inputs.get(role, [])]

    def folder(self) -> Path:
        """Return the folder of raw files that the task reads."""
        return self.artefacts.raw_files(str(self.task.inputs["folder"]))

    @property
    def output(self) -> Path:
        """Where the job's own file or folder lies, for steps whose results are not in the store."""
        return self.artefacts.plan.place(self.task.output)

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the artefact's record, without the digest of its bytes."""
        return self.artefacts.facts(self.task) | self.computer

    @functools.cached_property
    def computer(self) -> dict[str, Any]:
        """The facts of the artefact's record that this computer decides."""
        facts: dict[str, Any] = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
        with_torch = self.task.runs_torch
        if code.computes(self.task.step):
            facts["cpu"] = code_paths(with_torch)
        if with_torch:
            facts |= {key: self.task.settings[key] for key in ("device", "threads")}
        return facts

    def check_code(self) -> None:
        """Check, before an artefact is written, that the code is still the code that its record names.

        Raises:
            JobError: The code was edited since the job was planned, so the job may have imported other code than recorded.
        """
        if code.code_of(self.task.step, self.task.settings).digest != self.task.code:
            raise JobError(f"{self.task.output}: its code is not the code that was planned; run the study again")

    def write(self, noun: Any) -> None:
        """Write the task's artefact and its record."""
        from touchstone.records import encoding, metric_tables
        from touchstone.records.nouns import LeftOut

        self.check_code()
        data = metric_tables.encode(noun) if isinstance(noun, metric_tables.Metrics) else encoding.encode(noun)
        left_out = {"left_out": True} if isinstance(noun, LeftOut) else {}
        self.artefacts.keep(self.task, data, self.computer | left_out)

    def model(self, role: str = "checkpoint", architecture: str = "architecture") -> Any:
        """Return the network of a checkpoint; None if the task has none.

        The network maps pixels to logits.
        """
        file = self.task.inputs.get(role)
        return None if file is None else self._network(str(file), self.settings[architecture])

    def as_attacked(self, model: Any) -> Any:
        """Return the model that attacks see.

        If a network draws random numbers, it is the network's expectation. If the task has a `backward` network, its
        gradient is that of this network.
        """
        draws, backward = self.settings.get("draws", 1), self.model("backward", "backward_architecture")
        if draws == 1 and backward is None:
            return model
        from touchstone.attacks.adversary.expectation import Expected

        return Expected(model, draws, backward).eval()

    def drawn(self) -> AbstractContextManager[None]:
        """Return a context in which a network that draws random numbers draws the same numbers in every run of a task.

        The draws differ between steps, so an attack never sees the draws of the prediction that is judged. They are the
        same for sets of equally many images, so a clean and an attacked image differ only by the attack.
        """
        if "draws" not in self.settings:
            return nullcontext()
        from touchstone.numerics import tensors

        return tensors.seeded(self.settings["seed"], f"draws.{self.task.step}")

    def models(self, role: str, architectures: str) -> list[Any]:
        """Return the networks of a role with several checkpoints."""
        files = self.task.inputs.get(role, [])
        return [
            self._network(file, block) for file, block in zip(files, self.settings.get(architectures, []), strict=True)
        ]

    def _network(self, file: str, block: dict[str, Any]) -> Any:
        from touchstone.models.networks import checkpoints

        checkpoint = self.artefacts.noun(file, "Checkpoint")
        if checkpoint.architecture != block:
            raise JobError(f"{file}: has the architecture {checkpoint.architecture}, expected {block}")
        try:
            network = checkpoints.load(bound(block), checkpoint, self.settings["device"])
        except ValueError as error:
            raise JobError(f"{file}: {error}") from error
        if "draws" not in self.settings and any(getattr(module, "random", False) for module in network.modules()):
            raise JobError(f"{file}: the program draws random numbers; give its classifier draws: 20 or more")
        return precision.adapted(network, self.settings)


@functools.cache  # listing the libraries of the process takes longer than reading a task's inputs
def code_paths(with_torch: bool) -> str:
    """Return the code paths of this processor that decide the bytes of a job, with torch or without."""
    return cpu_paths.record(torch=with_torch)


def bound(block: dict[str, Any], names: tuple[str, ...] | None = None, function: Any = None) -> Callable[..., Any]:
    """Return a component with its settings bound. Nested components become callables.

    Args:
        block: The component's `use` and settings.
        names: The settings to bind; None for all.
        function: The function to bind them to; None for the component's main function.
    """
    function = function or registry.load(block["use"])
    settings = {
        key: _bound_value(value) for key, value in block.items() if key != "use" and (names is None or key in names)
    }
    return functools.partial(function, **settings)


def _bound_value(value: Any) -> Any:
    if isinstance(value, dict) and "use" in value:
        return bound(value)
    if isinstance(value, list):
        return [_bound_value(item) for item in value]
    return value
