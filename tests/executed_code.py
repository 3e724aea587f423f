"""Run the jobs of a study in this process, and compare what they execute and open with the digest of their code.

Run as `python executed_code.py STUDY` in a project whose raw files are there; prints what the digests miss.
"""

import ast
import inspect
import os
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from touchstone import plugins
from touchstone.pipeline.jobs import job_plan, run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import code
from touchstone.provenance.job_folders import folder_of
from touchstone.provenance.store import Store
from touchstone.settings.study import load

PACKAGE = f"{plugins.PACKAGE}{os.sep}"


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


def missing(study: str) -> tuple[list[str], int]:
    """Return what the digests of a study's tasks miss, and how many executed definitions were looked up."""
    plan, watch = Plan(load(study)), Watch()
    written = plan.write()
    found, looked_up = set[str](), set[str]()
    for key, job in plan.jobs.items():
        if job.rule == "fetch":
            continue
        output = plan.layout.page if job.rule == "report" else folder_of(study, str(job))
        whole = job_plan.load(written[key], [folder_of(study, name) for name in job.inputs], output)
        artefacts = Artefacts(whole, Store(study))
        for task in whole.tasks:
            artefacts.plan = replace(whole, tasks=(task,))
            with watch:
                run.run(artefacts, Path("logs"))
            executed = set(filter(None, (definition(*place) for place in watch.executed)))
            opened = {name for name in watch.opened if not name.endswith((".py", ".pyc"))}
            looked_up |= executed | opened
            missed = (executed | opened).difference(code.code_of(task.step, task.settings).definitions)
            found |= {f"{task.step}: {name}" for name in missed}
        if job.rule != "report":
            artefacts.finish(Path(output))
    return sorted(found), len(looked_up)


if __name__ == "__main__":
    lines, number = missing(sys.argv[1])
    print("\n".join([*lines, f"{number} executed"]))
