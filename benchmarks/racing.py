"""Shared by all races: turns, times, goals, the machine, memory in a separate process, tables, and rows of images."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.numerics import cpu_paths
from touchstone.pipeline.jobs import environment

HERE = Path(__file__).parent
RESULTS = HERE / "results"
Results = dict[str, Any]  # the measurements of a race, as written to JSON


class NotEqual(Exception):
    """Contestants that do not give the same result: their times cannot be compared."""


def require(equal: bool, message: str) -> None:
    """Raise NotEqual unless results are equal."""
    if not equal:
        raise NotEqual(message)


# --- the start of a race ------------------------------------------------------------------------------------------


def parser(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options of every race: rounds, threads, and the folder of the tables."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds, help="turns that each contestant takes")
    made.add_argument("--threads", type=int, default=1, help="of torch and of BLAS; the pipeline's jobs have one")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the tables")
    return made


def begin(threads: int) -> None:
    """Continue in the environment that the pipeline gives its jobs (threads, code paths, allocator)."""
    environment.prepare_command(threads)
    torch.set_num_threads(threads)


# --- times --------------------------------------------------------------------------------------------------------


def seconds(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def own_seconds(function: Callable[[], object]) -> float:
    """Return the processor time that one call takes in this process; other load hardly counts."""
    before = time.process_time()
    function()
    return time.process_time() - before


def interleaved(
    runners: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: bool = True,
    clock: Callable[[Callable[[], object]], float] = seconds,
) -> dict[str, Results]:
    """Return the `times` of contestants that take turns, so that other load slows all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + warm_up):
        for name, run in runners.items():
            took = clock(run)
            if turn >= warm_up:
                taken[name].append(took)
    return {name: times(values) for name, values in taken.items()}


def times(taken: Sequence[float]) -> Results:
    """Return the median of some times, the least and the greatest, in seconds."""
    return {"seconds": statistics.median(taken), "least": min(taken), "greatest": max(taken), "rounds": len(taken)}


def shown(line: Results) -> str:
    """Return times as a cell of a table: the median, and in brackets the least and the greatest."""
    return f"{line['seconds']:.3g} ({line['least']:.3g} to {line['greatest']:.3g})"


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the power of the size with which values grow: the slope of the least-squares line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


# --- memory -------------------------------------------------------------------------------------------------------


def elsewhere(function: Callable[..., Any], **arguments: Any) -> Any:
    """Return the result of a race's function, called in a new Python process: earlier memory use does not count.

    Arguments and result must be JSON; the environment is that of this process.
    """
    module = Path(inspect.getfile(function)).stem
    call = f"import json, sys, {module} as race; print(json.dumps(race.{function.__name__}(**json.loads(sys.argv[1]))))"
    folders = [str(HERE), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", call, json.dumps(arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak(function: Callable[[], object]) -> int:
    """Return the bytes by which this process's resident memory rises, at its highest, while the function runs.

    Not ru_maxrss, because a child inherits its parent's peak. Linux only.
    """
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident now
    before = resident("VmRSS")
    function()
    return resident("VmHWM") - before


def resident(name: str) -> int:
    """Return the bytes of this process that are resident now (VmRSS) or were at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


# --- what is written ----------------------------------------------------------------------------------------------


class Goal(NamedTuple):
    """A goal of a race: a value, its bound, and the side of the bound that meets it."""

    text: str
    value: float
    bound: float
    side: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool:
        """Whether the value is on the good side."""
        return self.value <= self.bound if self.side == "at most" else self.value >= self.bound

    @property
    def distance(self) -> float | None:
        """How far the value is from its bound: 1 at it, below 1 where the goal is met; None where the bound is 0."""
        if not self.bound:
            return None
        return self.value / self.bound if self.side == "at most" else self.bound / self.value

    def as_json(self) -> Results:
        """Return the plain form, with whether it is met."""
        return {**self._asdict(), "met": self.met}


def goal_table(goals: Sequence[Goal]) -> str:
    """Return goals as a Markdown table."""
    rows = [(goal.text, f"{goal.value:.3g}", f"{goal.side} {goal.bound:.3g}", says(goal.met)) for goal in goals]
    return table(("goal", "measured", "asked", "met"), rows)


def says(met: bool) -> str:
    """Return yes or no as Markdown."""
    return "yes" if met else "**no**"


def machine(*packages: str) -> Results:
    """Return the machine of a race: processor, cores, threads, code paths, and versions of torch and some packages."""
    model = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "paths": cpu_paths.record(torch=True),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "numpy", *packages)},
    }


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines() if Path(file).exists() else []


def version(package: str) -> str:
    """Return the version of an installed package, or that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def as_sentence(where: Results) -> str:
    """Return a machine as a sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    threads = f"{where['threads']} thread{'s' if where['threads'] > 1 else ''}"
    hardware = f"{where['processor']}, {where['cores']} cores, {threads} ({where['paths']})"
    return f"{hardware}; Python {where['python']}, {versions}."


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table, the first column to the left and the others to the right."""
    lines = [columns, ["---", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def page(title: str, what: str, results: Results, *parts: str) -> str:
    """Return the Markdown of a race: its description, command, machine, tables and goals."""
    goals = [Goal(*(goal[name] for name in Goal._fields)) for goal in results["goals"]]
    command = f"`{results['command']}`. {as_sentence(results['machine'])}"
    return "\n\n".join([f"# {title}", what, command, *parts, *([goal_table(goals)] if goals else [])]) + "\n"


def command() -> str:
    """Return the command line of this process, as it can be typed again."""
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def save(out: Path, name: str, results: Results, text: str) -> None:
    """Write a race's measurements as JSON and as Markdown."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / f"{name}.md").write_text(text)


def write(out: Path, name: str, results: Results, text: str) -> None:
    """Write a race's measurements as JSON and as Markdown, and print the latter."""
    save(out, name, results, text)
    print(text)


# --- images to race on --------------------------------------------------------------------------------------------


class Rows(NamedTuple):
    """Images, their labels, and the ids that their random streams come from."""

    images: Tensor
    labels: Tensor
    ids: Tensor

    def right(self, model: nn.Module) -> Rows:
        """Return the rows that a model gets right."""
        with torch.no_grad():
            return self.take(model(self.images).argmax(1) == self.labels)

    def take(self, rows: Tensor) -> Rows:
        """Return some rows."""
        return Rows(*(column[rows] for column in self))

    def withstood(self, model: nn.Module, attacked: Tensor, eps: float) -> Tensor:
        """Return which rows a model gets right on attacked images, after clipping them to the budget, (N,) bool."""
        inside = attacked.clamp(self.images - eps, self.images + eps).clamp(0, 1)
        with torch.no_grad():
            return model(inside).argmax(1) == self.labels
