"""The package itself: to rename or split its modules changes no digest, to exchange what two names mean changes one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from touchstone import plugins
from touchstone.provenance import code, definitions
from touchstone.provenance.reach import Node, Program

SOURCES = {
    ".".join(["touchstone", *(part for part in path.relative_to(plugins.PACKAGE).with_suffix("").parts if part != "__init__")]): path.read_text()
    for path in Path(plugins.PACKAGE).rglob("*.py")
    if not {"templates", "components"} & set(path.relative_to(plugins.PACKAGE).parts)
}  # fmt: skip
JOBS = {
    "train": {"component": {"use": "training/adversarial", "attack": {"use": "attacks/pgd"}}, "architecture": {"use": "models/small_cnn"}},
    "attack": {"component": {"use": "attacks/attack_suite"}, "architecture": {"use": "models/maxout"}},
    "measure": {"component": {"use": "margins/nearest_classes"}},
    "fit": {"component": {"use": "detectors/mahalanobis"}},
    "evaluate": {"component": {"use": "evaluations/detection"}},
    "report": {"figures": [{"use": "figures/gallery"}]},
}  # fmt: skip
RENAMED = (
    "attacks.adversary.losses", "attacks.adversary.ascent", "attacks.adversary.goals", "attacks.adversary.perturbations", "numerics.tensors",
    "numerics.precision", "numerics.cpu_paths", "records.encoding", "records.nouns", "records.metric_rows", "evaluations.statistics.intervals",
    "models.networks.checkpoints", "pipeline.jobs.artefacts", "pipeline.jobs.progress", "provenance.store", "pipeline.steps.attack",
    "claims.verdicts", "report.page", "contracts", "digests", "messages",
)  # fmt: skip


@cache
def parsed(source: str) -> definitions.Module:
    return definitions.parse(source.encode())


def roots(step: str) -> list[Node]:
    return [
        (module, name) for module, name in code.roots(step, JOBS[step]) if name in parsed(SOURCES[module]).definitions
    ]


def digests(sources: dict[str, str]) -> dict[str, str]:
    program = Program(lambda name: parsed(sources[name]) if name in sources else None)
    return {step: program.reach(roots(step)).digest for step in JOBS}


@cache
def before() -> dict[str, str]:
    return digests(SOURCES)


def renamed(module: str) -> dict[str, str]:
    """Return the package with another name for a module, as an editor would rename it."""
    package, _, name = f"touchstone.{module}".rpartition(".")
    new, found = f"{name}_renamed", {}
    for place, source in SOURCES.items():
        named = rf"(?m)^(\s*from {re.escape(package)} import .*)\b{name}\b"
        if re.search(named, source):
            source = re.sub(rf"(?<![\w.\"'/#]){name}(?=[.,)])", new, re.sub(named, rf"\g<1>{new}", source))
        found[place] = re.sub(rf"(from|import) {re.escape(f'{package}.{name}')}\b", rf"\1 {package}.{new}", source)
    found[f"{package}.{new}"] = found.pop(f"{package}.{name}")
    return found


@pytest.mark.parametrize("module", RENAMED)
def test_to_rename_a_module_reruns_no_job(module):
    assert digests(renamed(module)) == before()


def split(module: str) -> dict[str, str] | None:
    """Return the package with the last function of a module in a module of its own; None if there are no two of them."""
    name, source = f"touchstone.{module}", SOURCES[f"touchstone.{module}"]
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    if len(functions) < 2:
        return None
    last, lines = functions[-1], source.splitlines()
    first = min([last.lineno, *(decorator.lineno for decorator in last.decorator_list)])
    moved = "\n".join(lines[first - 1 : last.end_lineno])
    imports = "\n".join(
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.If)
    )
    own = ", ".join(sorted(parsed(source).definitions.keys() - {last.name}))
    kept = "\n".join([*lines[: first - 1], *lines[last.end_lineno :], f"from {name}_part import {last.name}"])
    return SOURCES | {name: kept, f"{name}_part": f"{imports}\nfrom {name} import {own}\n{moved}\n"}


@pytest.mark.parametrize("module", RENAMED)
def test_to_split_a_module_reruns_no_job(module):
    sources = split(module)
    if sources is not None:
        assert digests(sources) == before()


def exchanged() -> list[tuple[str, str, str]]:
    """Return pairs of functions of ours that one module imports, each pair used by what a job reaches."""
    program = Program(lambda name: parsed(SOURCES[name]) if name in SOURCES else None)
    reached = {tuple(name.rsplit(".", 1)) for step in JOBS for name in program.reach(roots(step)).definitions}
    used: dict[str, set[str]] = {}
    for module, name in reached:
        part = parsed(SOURCES.get(f"touchstone.{module}", "")).definitions.get(name)
        used.setdefault(module, set()).update(first for first, *_ in (part.names if part else ()))
    pairs = []
    for module in sorted(used):
        imports = parsed(SOURCES.get(f"touchstone.{module}", "")).imports
        ours = [
            name for name in sorted(imports) if imports[name][0][0].startswith("touchstone") and name in used[module]
        ]
        single = [name for name in ours if f"{imports[name][0][0]}.{imports[name][0][1]}" not in SOURCES]
        pairs += [(module, *single[:2])] if len(single) > 1 else []
    return pairs


def test_to_exchange_what_two_names_mean_reruns_a_job():
    pairs = exchanged()
    unnoticed = []
    for module, one, other in pairs:
        name = f"touchstone.{module}"
        tree = ast.parse(SOURCES[name])
        for node in ast.walk(tree):
            for alias in getattr(node, "names", ()):
                if isinstance(alias, ast.alias) and (alias.asname or alias.name) in (one, other):
                    alias.asname = other if (alias.asname or alias.name) == one else one
        if digests(SOURCES | {name: ast.unparse(tree)}) == before():
            unnoticed.append((module, one, other))

    assert unnoticed == []
    assert len(pairs) >= 30
