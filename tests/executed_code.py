"""Run a job of a study, and compare what each of its tasks executes and opens with the digest of its code.

`NOTES` gets a line of JSON for each task: its artefact, what the digest misses, and the definitions and files looked up.
"""

import ast
import inspect
import json
import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from touchstone import plugins
from touchstone.__main__ import main
from touchstone.pipeline.jobs import run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.provenance import code

PACKAGE = f"{plugins.PACKAGE}{os.sep}"
NOTES = Path("executed.jsonl")  # in the folder of the project
PRINTS = {"messages._Guarded"}  # on the terminal, for the whole process of a job; no artefact holds what it printed


@cache
def definitions(path: str) -> list[tuple[int, int, list[str]]]:
    """Return the first line, the last line and the names of each statement at the top of a file."""
    found = []
    for statement in ast.parse(Path(path).read_text()).body:
        first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])
        names = [statement.name] if isinstance(statement, ast.FunctionDef | ast.ClassDef) else []
        names += [
            node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        found.append((first, statement.end_lineno or first, names))
    return found


@cache
def definition(path: str, line: int) -> str:
    """Return the definition that the code at a line of a file belongs to, as records name it; "" if it is none of ours."""
    if not path.startswith(PACKAGE) or not path.endswith(".py"):  # jinja compiles templates
        return ""
    module = path.removeprefix(PACKAGE).removesuffix(".py").replace(os.sep, ".").removesuffix(".__init__")
    names = next((names for first, last, names in definitions(path) if first <= line <= last), [])
    return f"{module}.{names[0]}" if names else ""


class Watch:
    """Notes the definitions of touchstone that are executed, and the files of the package that are opened."""

    def __init__(self) -> None:
        self.executed, self.opened, self.active = set[tuple[str, int]](), set[str](), False
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.active and event == "open" and str(arguments[0]).startswith(PACKAGE):
            self.opened.add(str(arguments[0]).removeprefix(PACKAGE))

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        executed = frame.f_code  # not kept itself: equal code of two files is equal
        if (
            event == "call" and executed.co_flags & inspect.CO_OPTIMIZED
        ):  # no body of a module or class, which an import runs
            self.executed.add((executed.co_filename, executed.co_firstlineno))

    def __enter__(self) -> None:
        self.executed.clear()
        self.opened.clear()
        self.active = True
        sys.setprofile(self._profile)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        self.active = False


run_tasks, watch = run.run, Watch()


def run_watched(artefacts: Artefacts, logs: Path, *, recompute: bool = False) -> int:
    """Run the tasks of a job one by one, and watch each; otherwise as `run.run`."""
    whole, computed = artefacts.plan, 0
    for task in whole.tasks:
        known = code.code_of(task.step, task.settings).definitions  # now, because it opens files of the package itself
        artefacts.plan = replace(whole, tasks=(task,))
        with watch:
            computed += run_tasks(artefacts, logs, recompute=recompute)
        executed = set(filter(None, (definition(*place) for place in watch.executed)))
        found = executed | {name for name in watch.opened if not name.endswith((".py", ".pyc"))}
        note = {"task": task.output, "missed": sorted(found.difference(known, PRINTS)), "looked_up": sorted(found)}
        with NOTES.open("a") as stream:
            stream.write(json.dumps(note) + "\n")
    artefacts.plan = whole
    return computed


def watched() -> int:
    """Do what `touchstone` does with the arguments of this process."""
    run.run = run_watched
    return main()
