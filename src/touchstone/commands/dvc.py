"""`touchstone dvc STUDY`: write a study's DVC stages around Snakemake; with --check, look for outdated locks.

The stages of the default study are in dvc.yaml, those of every other study in workflow/dvc.yaml. Inside a stage Snakemake
decides what to run. `persist` keeps DVC from deleting files that Snakemake would not need to make again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from touchstone.commands._command_line import add_study
from touchstone.pipeline.planning.parts import Net
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import git, sidecar_files, whole_files
from touchstone.pipeline.settings.files import DEFAULT_STUDY, ParamsError
from touchstone.pipeline.settings.study import load
from touchstone.plugins import PACKAGE

DEFAULT_FILE = Path("dvc.yaml")
STUDIES_FILE = Path("workflow/dvc.yaml")
STUDIES = Path("workflow/studies")
SNAKEMAKE = ".venv/bin/python -m snakemake --cores all"  # as `make run` calls it; `all` changes no byte
WORKFLOW = (
    "Snakefile",
    "profiles/default",
    "workflow/Snakefile",
    "workflow/common.smk",
    "workflow/rules",
    "workflow/envs",
)
FETCHING = ("src/touchstone/sources", "src/touchstone/pipeline/steps/fetch.py")
RAW = "_raw"  # the suffix of the name of a stage that fetches a study's raw data
HEADER = """\
# What DVC versions: raw data, example sets, checkpoints, everything made of them, and the report's tables and pictures.
# Written by `make dvc STUDY=NAME`. After `make run`, which leaves DVC alone, `dvc commit` records what it made.
"""
CURVE = "robust_accuracy"  # the template .dvc/plots/robust_accuracy.json


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `dvc`."""
    add_study(parser, "digits, or a study in workflow/studies/")
    parser.add_argument(
        "--check", action="store_true", help="fail if a dvc.lock differs from today's code, settings and report"
    )


def main(options: argparse.Namespace) -> int:
    """Write the stages; with --check, print outdated locks and return 1 if any is."""
    if options.check:
        lines = stale()
        for line in lines:
            print(line, file=sys.stderr)
        return int(bool(lines))
    path = write_stages(options.study)
    print(f"{path} has the stages of {options.study}. After a run, `dvc commit` records what the run wrote.")
    if folder := hidden_from_git(options.study):
        print(f"git ignores {folder}/, which must be committed: add !/{folder}/ to .gitignore")
    return 0


def write_stages(study: str, root: Path = Path()) -> Path:
    """Write a study's stages into its dvc.yaml and return the file's path.

    The stages of other studies in that file are kept.
    """
    if study != DEFAULT_STUDY and not (root / STUDIES / f"{study}.yaml").is_file():
        raise ParamsError(f"only a study in {STUDIES}/ can be versioned, named as there; got {study}")
    default = study == DEFAULT_STUDY
    path = root / (DEFAULT_FILE if default else STUDIES_FILE)
    studies = dict.fromkeys([] if default else _studies(path))
    raw = set() if default else _raw_outputs(root / DEFAULT_FILE)
    content = document([Plan(load(name, root)) for name in (studies | {study: None})], raw, root)
    text = HEADER + yaml.safe_dump(content, sort_keys=False, width=120)
    whole_files.write_whole(path, text.encode())
    return path


def stale(root: Path = Path()) -> list[str]:
    """Return what differs from the committed locks, in lines that say what to do.

    Commands, settings and the files in git are compared. Files that DVC stores may be missing, as in a fresh clone.

    Args:
        root: the folder of the repository.

    Raises:
        ValueError: the folder is no DVC repository, or none that git has.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    lines, repair = [], dict[str, list[str]]()
    try:
        opened = Repo(str(root))
    except DvcException as error:
        raise ValueError(
            f"dvc --check: {error}; run it in a git clone of touchstone, or first git init, dvc init"
        ) from error
    with opened as repo:
        files = [str(file) for file in (DEFAULT_FILE, STUDIES_FILE) if (root / file).is_file()]
        stages = [(file, stage) for file in files for stage in repo.stage.load_all(str(root / file))]
        data = {out.fs_path for _, stage in stages for out in stage.outs if out.use_cache}
        for file, stage in stages:
            parts = [part for part in (*stage.deps, *stage.outs) if part.fs_path not in data]
            changes = [change for part in parts for change in _changes(part.workspace_status())]
            changes += ["command (modified)"] if stage.cmd_changed else []
            if changes:
                lines.append(f"{file.removesuffix('.yaml')}.lock: {stage.name}: {', '.join(changes)}")
                target = stage.name if file == str(DEFAULT_FILE) else f"{file}:{stage.name}"
                repair.setdefault(stage.name.removesuffix(RAW), []).append(target)
    for study, targets in repair.items():
        lines.append(f"To repair: make run STUDY={study} && .venv/bin/dvc commit -f {' '.join(targets)}")
    return lines


def _changes(status: dict[str, Any]) -> list[str]:
    """Return DVC's status of a file as words: "FILE (modified)", and one for each changed setting of a settings file."""
    changes = []
    for file, change in status.items():
        settings = change if isinstance(change, dict) else {"": change}
        changes += [f"{f'{file} {name}'.strip()} ({word})" for name, word in settings.items()]
    return changes


def hidden_from_git(study: str) -> str | None:
    """Return the report's folder if git ignores it: its tables and figures are committed, and only its page is DVC's."""
    folder = f"reports/{study}"
    return folder if git.output(Path(), "check-ignore", "--quiet", f"{folder}/ROOT") is not None else None


def _studies(path: Path) -> list[str]:
    """Return the studies that have stages in a dvc.yaml, in its order."""
    return [name for name, stage in _stages(path).items() if "metrics" in stage]


def _stages(path: Path) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"] if path.is_file() else {}
    return stages


def _raw_outputs(path: Path) -> set[str]:
    """Return the raw folders that a dvc.yaml's stages write; DVC allows each file in one stage only."""
    outs = (out for stage in _stages(path).values() for entry in stage["outs"] for out in entry)
    return {str(out).rstrip("/") for out in outs if str(out).startswith("data/raw/")}


def document(plans: Iterable[Plan], fetched: set[str], root: Path = Path()) -> dict[str, Any]:
    """Return the content of a dvc.yaml: each study's stages, plots and checkpoints.

    Args:
        plans: of the studies.
        fetched: raw folders that are outputs of another dvc.yaml.
        root: the folder that the studies were loaded from.
    """
    stages: dict[str, Any] = {}
    plots: list[Any] = []
    artifacts: dict[str, Any] = {}
    for plan in plans:
        up = (
            "" if plan.study.name == DEFAULT_STUDY else "../"
        )  # paths of plots and artifacts are relative to the dvc.yaml
        where = {"wdir": ".."} if up else {}
        raw = sorted(plan.layout.raw_folders - fetched)
        fetched = fetched | set(raw)
        if raw:
            stages[plan.study.name + RAW] = where | _raw_stage(plan, raw, root)
        stages[plan.study.name] = where | _study_stage(plan, root)
        plots += _plots(plan, up)
        artifacts |= _artifacts(plan, up)
    return {"stages": stages, "plots": plots, "artifacts": artifacts}


def _command(plan: Plan, targets: list[str]) -> str:
    config = [] if plan.study.name == DEFAULT_STUDY else ["--config", f"study={plan.study.name}"]
    return " ".join([SNAKEMAKE, *targets, *config])


def _overlays(plan: Plan, root: Path) -> list[str]:
    """Return the study's own overlay and those of the studies that it is based on, also outside workflow/studies/.

    The other files of settings are params.yaml and the papers': the stage depends on the papers' whole folders.
    """
    names = [Path(os.path.relpath(file, root)) for file in plan.study.files if not Path(file).is_relative_to(PACKAGE)]
    papers = [os.path.relpath(root / folder, root) for folder in plan.study.folders]
    overlays = [name for name in names if not any(map(name.is_relative_to, ["params.yaml", *papers]))]
    return [name.as_posix() for name in overlays]


def _kept(*files: str, cached: bool) -> list[dict[str, dict[str, bool]]]:
    return [{file: {"persist": True} if cached else {"cache": False, "persist": True}} for file in files]


def _raw_stage(plan: Plan, raw: list[str], root: Path) -> dict[str, Any]:
    files = [name for folder in raw for name in (f"{folder}/", folder + sidecar_files.SIDECAR)]
    return {
        "desc": f"The raw files of the study {plan.study.name}",
        "cmd": _command(plan, raw),
        "deps": [*FETCHING, *_overlays(plan, root)],
        "params": [{"params.yaml": ["sources"]}],
        "outs": _kept(*files, cached=True),
    }


def _study_stage(plan: Plan, root: Path) -> dict[str, Any]:
    reports = f"reports/{plan.study.name}"
    metrics, figures = f"{reports}/metrics.json", f"{reports}/figures"
    tables = [page for page in plan.layout.more_pages if page not in (metrics, figures)]
    page = f"{reports}/report.html"  # several MB in each version: DVC stores it, git everything else of the report
    pages = [page + sidecar_files.SIDECAR, *tables, f"{figures}/"]
    raw = [f"{folder}/" for folder in sorted(plan.layout.raw_folders)]
    return {
        "desc": f"The study {plan.study.name}, by the same Snakemake line as `make run`",
        "cmd": _command(plan, []),
        "deps": [*WORKFLOW, "requirements.lock", "src/touchstone", *plan.study.folders, *raw],
        "params": [{file: None} for file in ("params.yaml", *_overlays(plan, root))],
        "outs": [*_kept(f"{plan.folder}/", page, cached=True), *_kept(*pages, cached=False)],
        "metrics": _kept(metrics, cached=False),
    }


def _plots(plan: Plan, up: str) -> list[Any]:
    """Return the report's figures, and one curve that DVC draws from one of its tables to compare versions."""
    reports = f"{up}reports/{plan.study.name}"
    title = f"{plan.study['study']['title']}: accuracy that is left under attack"
    robustness = [
        name
        for name, entry in plan.study["evaluations"].items()
        if entry["use"] == "evaluations/robustness" and entry["attacks"]
    ]
    tables = [up + plan.layout.file("metrics", name) for name in robustness[:1]]
    curves = [
        {f"{plan.study.name} {CURVE}": {"x": "examples", "y": {table: "value"}, "template": CURVE, "title": title}}
        for table in tables
    ]
    return [*curves, *(f"{reports}/figures/{name}.svg" for name in plan.study["figures"])]


def _artifacts(plan: Plan, up: str) -> dict[str, Any]:
    """Return each checkpoint's name, path and description, in the form of DVC's model registry."""
    artifacts = {}
    for section in ("classifiers", "translators"):
        for net in plan.layout.nets(section):
            name = f"{plan.study.name}-{net}".replace(".", "-").replace("_", "-")
            artifacts[name] = {
                "path": up + plan.layout.file("checkpoints", net),
                "type": "model",
                "desc": _description(plan, section, net),
                "labels": [section.removesuffix("s")],
            }
    return artifacts


def _description(plan: Plan, section: str, net: Net) -> str:
    entry = plan.study[section][net.entry]
    architecture, objective = (block["use"].split("/")[1] for block in (entry["model"], entry))
    return f"{architecture}, trained by {objective} on {entry['train']}, seed {net.seed}"
