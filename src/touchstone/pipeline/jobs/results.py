"""Call `evaluate` and `report` with the cells in their settings."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

from touchstone import digests, registry
from touchstone.pipeline.jobs.artefacts import METRICS
from touchstone.pipeline.jobs.job import Job, bound
from touchstone.provenance import chain, sidecar_files, whole_files
from touchstone.provenance.job_folders import job_of, name_of, split

ROLES = {
    "checkpoints": "Checkpoint",
    "detectors": "Detector",
    "outputs": "Outputs",
    "scores": "Scores",
    "crossed_scores": "Scores",
    "margins": "Margins",
    "examples": "ExampleSet",
    "fit_outputs": "Outputs",
    "fit_margins": "Margins",
    "calibration_scores": "Scores",
    "rival_outputs": "Outputs",
    "rival_scores": "Scores",
}


def _cells(job: Job, cells: list[dict[str, Any]]) -> tuple[dict[str, list[Any]], list[str]]:
    """Return {role: cells} with the noun of each cell, and why cells that were left out are missing."""
    from touchstone.records.nouns import Cell, LeftOutError

    paths = {name_of(file): file for file in job.task.input_files}
    left_out: list[str] = []
    by_role: dict[str, list[Any]] = {role: [] for role in ROLES}
    for cell in cells:
        facts = {key: value for key, value in cell.items() if key != "role"}
        try:
            noun = job.artefacts.noun(paths[cell["file"]], ROLES[cell["role"]])
        except LeftOutError as error:
            left_out.append(str(error))
        else:
            by_role[cell["role"]].append(Cell(noun=noun, **facts))
    return by_role, left_out


def run_evaluate(job: Job) -> None:
    """Compute the metric rows of one evaluation."""
    from touchstone.pipeline.steps.evaluate import evaluate

    block = job.settings["component"]
    data = registry.used(block["use"]).data
    by_role, left_out = _cells(job, job.settings["cells"])
    job.write(evaluate(job.settings["evaluation"], bound(block), [by_role[role] for role in data], left_out))


def run_report(job: Job) -> None:
    """Write the report's pages, their sidecar and the root digest."""
    from touchstone.claims.judging import StudyClaims
    from touchstone.pipeline.steps.report import report
    from touchstone.report.origins import Maker

    metrics = {Path(file).stem: job.artefacts.noun(file, METRICS) for file in job.task.roles["metrics"]}
    figures: dict[str, Any] = {}
    methods = {name for part in ("classifiers", "defences", "detectors") for name in job.settings["settings"][part]}
    questions = job.settings["settings"]["evaluations"]
    for name, figure in job.settings["figures"].items():
        block = figure["component"]
        evaluations = [figure["evaluation"], *figure["also"]]
        by_role, left_out = _cells(job, figure["cells"])
        by_role["metrics"] = [row for name in evaluations for row in metrics[name].rows]
        figures[name] = {
            "draw": functools.partial(bound(block), *(by_role[role] for role in registry.used(block["use"]).data)),
            "caption": figure["caption"],
            "evaluation": figure["evaluation"],
            "component": block["use"],
            "incomplete": bool(left_out) or any(metrics[name].left_out for name in evaluations),
            "methods": [
                name
                for value in (*block.values(), questions[figure["evaluation"]].get("classifiers"))
                if isinstance(value, list)
                for name in value
                if name in methods
            ],
            "settings": json.dumps({key: value for key, value in block.items() if key != "use"}, sort_keys=True),
            "files": [cell["file"] for cell in figure["cells"]]
            or [f"metrics/{evaluation}" for evaluation in evaluations],
        }
    behind = chain.reached(job.artefacts.plan.place, job.task.input_files)
    sources: dict[str, Any] = {
        name_of(file): _source(file, record, job.settings["study"]) for file, record in behind.items()
    }
    pages = report(
        study=job.settings["study"],
        settings=job.settings["settings"],
        papers=job.settings["papers"],
        evaluations=job.settings["evaluations"],
        metrics=metrics,
        claims=StudyClaims(**job.settings["claims"]),
        figures=figures,
        provenance=sources,
        components=job.settings["components"],
        maker=Maker(code=job.facts["code"], code_files=modules_of(job.facts), packages=job.facts["packages"]),
    )
    job.check_code()
    folder = job.output.parent
    shutil.rmtree(folder / "figures", ignore_errors=True)
    (folder / "figures").mkdir(parents=True)  # the rule has this output even in a study without figures
    for name, data in pages.items():
        whole_files.write_whole(folder / name, data)
    page_digests = {name: digests.sha256(data) for name, data in sorted(pages.items())}
    facts = job.facts | {"pages": page_digests}
    sidecar_files.write_sidecar(folder / "report.html", page_digests["report.html"], facts)
    root = chain.root_digest(job.output)
    whole_files.write_whole(folder / chain.ROOT, f"{root}\n".encode())


def _source(file: str, sidecar: dict[str, Any], study: str) -> dict[str, Any]:
    """Return the report's facts about a file, and the command to recreate it."""
    return {
        "digest": sidecar["artefact"],
        "step": sidecar["step"],
        "settings": json.dumps({k: v for k, v in sidecar["settings"].items() if k != "cells"}, sort_keys=True),
        "code": sidecar["code"],
        "code_files": modules_of(sidecar),
        "inputs": [name_of(link["file"]) for link in chain.links(sidecar)],
        "command": f"snakemake --cores all --config study={study} recompute={job_of(file)[0]} --force {_target(file)}",
    }


def _target(file: str) -> str:
    """Return what Snakemake makes: the folder of the job that makes an artefact."""
    place = split(file)
    return place[0].as_posix() if place else file


def modules_of(record: dict[str, Any]) -> list[str]:
    """Return the modules and data files that a record's definitions stand in."""
    return sorted({name if "/" in name else name.rpartition(".")[0] for name in record["definitions"]})
