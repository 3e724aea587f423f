"""Write what a release says of itself: the list in API.md, CITATION.cff and codemeta.json: make tables.

The version is `touchstone.__version__`, its date stands in CHANGELOG.md, the repository in pyproject.toml: all
are written by hand, before the tag. A test fails if a file differs.
`--tag v1.0.0` writes nothing, and fails unless that is the tag of this version.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import torch
import yaml

import touchstone
from touchstone import registry, testing
from touchstone.__main__ import COMMANDS, command_line, main
from touchstone.api.evaluation_result import as_plain
from touchstone.audit.chain.comparison import Differences
from touchstone.audit.chain.findings import Finding
from touchstone.audit.problems import Result
from touchstone.commands._settling import Settling
from touchstone.evaluations.statistics.intervals import binomial
from touchstone.provenance import archive
from touchstone.records.metric_tables import METRIC_COLUMNS
from touchstone.report.claim_files import COLUMNS
from touchstone.settings import papers, study_layers, study_models
from touchstone.settings.schemas import files as schemas

ROOT = Path(__file__).parents[1]
ASSAY = (  # keys of `touchstone assay --json`; the last ones are not in the file of every kind of model
    *("model", "data", "eps", "norm", "effort", "images", "clean_accuracy", "robust_accuracy", "failed_checks"),
    *("can_be_trusted", "notes", "sha256", "study", "report", "evasion_rate", "clean_rejected", "against"),
    *("clean_accuracy_against", "robust_accuracy_against", "clean_difference", "difference", "failed_checks_against"),
)
LIST = re.compile(r"(?<=<!-- list -->\n).*(?=<!-- end -->)", re.DOTALL)


def public_api() -> str:
    """Return the list of API.md: functions, commands, settings, components and file formats of this code."""
    sections = {
        "Functions": functions(),
        "Commands": commands(),
        "What a component of your own may import": imports(),
        "Keys of a study": keys(),
        "Keys of a paper": paper_keys(),
        "Components and their settings": components(),
        "Files": files(),
        "Keys of JSON": json_keys(),
    }
    return "".join("\n".join([f"\n## {title}\n", *lines, ""]) for title, lines in sections.items()) + "\n"


def functions() -> Iterator[str]:
    """Yield a line for each public function and class, with its parameters or its public attributes."""
    public = [(f"touchstone.{name}", getattr(touchstone, name)) for name in touchstone.__all__ if name != "__version__"]
    for name, value in [*public, ("touchstone.testing.assert_robust", testing.assert_robust)]:
        if inspect.isclass(value):
            own = [vars(kind) for kind in value.__mro__ if kind.__module__.startswith("touchstone")]
            members = {*getattr(value, "__dataclass_fields__", {}), *getattr(value, "_fields", ()), *set().union(*own)}
            yield line(name, sorted(member for member in members if not member.startswith("_")))
        else:
            yield line(name, map(parameter, inspect.signature(value).parameters.values()))


def parameter(one: inspect.Parameter) -> str:
    """Return a parameter as it is called: `steps=` if by name only, in brackets if it may be left out."""
    stars = {one.VAR_KEYWORD: "**", one.VAR_POSITIONAL: "*"}.get(one.kind, "")
    text = f"{stars}{one.name}{'=' if one.kind is one.KEYWORD_ONLY else ''}"
    return f"[{text}]" if one.default is not one.empty else text


def commands() -> Iterator[str]:
    """Yield a line for each command, with its arguments and options."""
    context = click.Context(command_line)
    for name in COMMANDS:
        command = command_line.get_command(context, name)
        assert command is not None
        yield line(f"touchstone {name}", map(typed, command.params))
    yield line("exit codes", " ".join(inspect.getdoc(main).split("\n\n")[1].rstrip(".").split()).split(", "))


def typed(one: click.Parameter) -> str:
    """Return an option by its long name, an argument in capitals."""
    return max(one.opts, key=len) if isinstance(one, click.Option) else str(one.name).upper()


def imports() -> Iterator[str]:
    """Yield a line for each module that the templates of `touchstone new` import from."""
    found: dict[str, set[str]] = {"touchstone.plugins": {"use"}}
    for template in sorted((registry.PACKAGE / "commands/templates").glob("*.py.jinja")):
        for module, names in re.findall(
            r"^from (touchstone\.[\w.]+) import ([\w, ]+)", template.read_text(), re.MULTILINE
        ):
            found.setdefault(module, set()).update(names.split(", "))
    yield from (line(module, sorted(found[module])) for module in sorted(found))
    yield line("parameters before the star", sorted(registry.DATA_NAMES))


def keys() -> Iterator[str]:
    """Yield a line for each block of a study's file."""
    study = study_models.StudyFile
    yield line("study", study.model_fields)
    yield line("scale", study_models.Scale.model_fields)
    yield line("compute", study_models.Compute.model_fields)
    yield line("params.yaml", study_models.Defaults.model_fields)
    roles = yaml.safe_load((papers.SHIPPED / "common.yaml").read_text())["data_roles"]
    yield line("data", [study_layers.SOURCES, study_layers.SETS, *roles])


def paper_keys() -> Iterator[str]:
    """Yield a line for each file of a paper, for a published figure, for a claim and for its tests."""
    texts = schemas.texts()
    claims, experiment = (json.loads(texts[f"{name}.json"]) for name in ("claims", "experiment"))
    yield line("claims.yaml", claims["properties"])
    for name in ("published", "criterion", "condition"):
        yield line(name, claims["definitions"][name]["properties"])
    yield line("experiment.yaml", experiment["properties"])


def components() -> Iterator[str]:
    """Yield a line for each component, by the word after `use:`; those that draw figures are not promised."""
    for folder in (folder for folder in registry.FOLDERS if folder != "figures"):
        for name in registry.names(folder):
            yield line(f"{folder}/{name}", registry.component(folder, name).settings)


def files() -> Iterator[str]:
    """Yield a line for each file that others may read."""
    yield line("reports/STUDY/claims.csv", COLUMNS)
    yield line("reports/STUDY/metrics.csv.gz", METRIC_COLUMNS)
    yield line("a pack, and the evidence of one call", [archive.FORMAT])


def json_keys() -> Iterator[str]:
    """Yield a line for what each command writes as JSON, and for the dictionary of each result."""
    share, image = binomial(1, 2), torch.zeros(1)
    yield line("touchstone assay --json", ASSAY)
    yield line("a number of an assay", [*as_plain(share), "what"])
    yield line("touchstone verify --json", names_of(Result))
    yield line("touchstone audit --json, a list", names_of(Finding))
    yield line("touchstone compare --json", names_of(Differences))
    yield line("touchstone power --json, a list", names_of(Settling))
    one = touchstone.EvaluationResult(share, share, image, (), 0.1)
    left = {"everything": share}
    defended = touchstone.DefenceResult(share, share, left, left, image, (), None, 0.1)
    pair = touchstone.PairResult(one, one, (share, share), (share, share), share, share)
    for result in (one, defended, pair):
        yield line(f"touchstone.{type(result).__name__}.as_dict()", result.as_dict())


def names_of(kind: type) -> list[str]:
    """Return the fields of a dataclass."""
    return [each.name for each in fields(kind)]


def line(name: str, words: Iterable[str]) -> str:
    """Return one entry of the list."""
    text = f"- `{name}`: {', '.join(f'`{word}`' for word in words) or 'nothing'}"
    return "\n".join(textwrap.wrap(text, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))


def released() -> str | None:
    """Return the date of this version in CHANGELOG.md; None as long as it has none."""
    heading = rf"^## {re.escape(touchstone.__version__)} \((\d{{4}}-\d\d-\d\d)\)$"
    found = re.search(heading, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return found[1] if found else None


def repository() -> str | None:
    """Return the public address of the repository in pyproject.toml; None as long as it has none."""
    urls: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    return urls.get("Repository")


def about(content: dict[str, Any], date: str, address: str) -> dict[str, Any]:
    """Return a file's content with this version and, under these names, its date and the repository, if they are known."""
    kept = {name: value for name, value in content.items() if name not in (date, address)}
    known = {"version": touchstone.__version__, date: released(), address: repository()}
    return kept | {name: value for name, value in known.items() if value}


def api(text: str) -> str:
    """Return API.md with the list of this code."""
    return LIST.sub(lambda _: public_api(), text)


def citation(text: str) -> str:
    """Return CITATION.cff with this version, its date and the repository."""
    content = about(yaml.safe_load(text), "date-released", "repository-code")
    return yaml.safe_dump(content, sort_keys=False, width=120)


def codemeta(text: str) -> str:
    """Return codemeta.json with this version, its date and the repository."""
    return json.dumps(about(json.loads(text), "datePublished", "codeRepository"), indent=2) + "\n"


WRITTEN: dict[str, Callable[[str], str]] = {"API.md": api, "CITATION.cff": citation, "codemeta.json": codemeta}


def check_tag(tag: str) -> None:
    """Stop unless a tag is that of this version, and the changelog has its date."""
    if tag != f"v{touchstone.__version__}":
        raise SystemExit(f"the tag is {tag}, but touchstone.__version__ is {touchstone.__version__}")
    if released() is None:
        raise SystemExit(f"CHANGELOG.md: write the date into its heading: ## {touchstone.__version__} (2026-12-31)")
    if stale := [name for name, rewritten in WRITTEN.items() if (text := (ROOT / name).read_text()) != rewritten(text)]:
        raise SystemExit(f"{', '.join(stale)}: run `make tables` and commit")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--tag"]:
        check_tag(sys.argv[2])
        sys.exit()
    for name, rewritten in WRITTEN.items():
        text = (ROOT / name).read_text()
        if (new := rewritten(text)) != text:
            (ROOT / name).write_text(new)
            sys.stdout.write(f"{name} rewritten\n")
