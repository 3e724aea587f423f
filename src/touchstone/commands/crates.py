"""`touchstone crate`: a study as a Provenance Run Crate (0.5, RO-Crate 1.1): its files, and which step made each from which.

Everything comes from the sidecars, and no clock, host or user enters, so one study gives one zip, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from touchstone import digests
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import chain, sidecar_files
from touchstone.pipeline.provenance.addresses import Address, files_of

Entity = dict[str, Any]
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
METADATA = "ro-crate-metadata.json"
LICENCE = "https://spdx.org/licenses/MIT"
SOURCES = (
    "Snakefile",
    "params.yaml",
    "requirements.lock",
    "pyproject.toml",
    "LICENSE",
    "profiles",
    "workflow",
    "src/touchstone",
)
FORMATS = {
    ".html": "text/html", ".csv": "text/csv", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png",
    ".yaml": "application/yaml", ".py": "text/x-python", ".safetensors": "application/octet-stream",
}  # fmt: skip
STEPS = (
    "fetch",
    "prepare",
    "convert",
    "train",
    "cut",
    "attack",
    "attack_part",
    "translate",
    "measure",
    "infer",
    "gather",
    "fit",
    "score",
    "evaluate",
    "report",
)
ZERO_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold


def write(plan: Plan, target: Path, root: Path = Path()) -> int:
    """Write a finished study's crate as a zip and return how many files it holds.

    ValueError where a file is missing or is not what its sidecar vouches for.
    """
    report = f"reports/{plan.study.name}/report.html"
    sidecars = _by_file(root, chain.reached(root, [report]))
    files = sorted({*_artefacts(root, sidecars), *_pages(root, plan), *_sources(root)})
    content = {name: digests.file_digest(root / name) for name in files}
    for name, sidecar in sidecars.items():
        found = digests.folder_digest(root / name) if (root / name).is_dir() else content[name]
        if found != sidecar["artefact"]:
            raise ValueError(
                f"{name}: its bytes do not match its sidecar; touchstone audit {plan.study.name} tells more"
            )
    sizes = {name: (root / name).stat().st_size for name in files}
    graph = _graph(plan, report, sidecars, content, sizes, published(root, plan))
    metadata = {"@context": CONTEXT, "@graph": sorted(graph, key=lambda entity: str(entity["@id"]))}
    text = json.dumps(metadata, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    _zip(target, root, files, sorted(set(sidecars) - set(content)), text.encode())
    return len(files) + 1


def _by_file(root: Path, records: dict[str, Entity]) -> dict[str, Entity]:
    """Return {file: what made it}; the records of a bundle's members, which one job made, as one."""
    found: dict[str, Entity] = {}
    for address, record in records.items():
        place = Address.parse(address)
        links = [{"file": file} for file in files_of(link["file"] for link in chain.links(record))]
        if not place.member:
            found[place.file] = record | {"inputs": {"files": links}}
            continue
        whole = found.setdefault(place.file, {
            "step": record["step"], "settings": {}, "inputs": {"files": []},
            "artefact": sidecar_files.read_sidecar(root / place.file)["artefact"],
        })  # fmt: skip
        whole["settings"][place.member] = record["settings"]
        whole["inputs"]["files"] += links
    return found


def published(root: Path, plan: Plan) -> str:
    """Return the crate's date: of the commit that last changed the study's ROOT, else SOURCE_DATE_EPOCH, else zip's zero."""
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        return datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    line = ["git", "log", "-1", "--format=%cs", "--", f"reports/{plan.study.name}/{chain.ROOT}"]
    try:
        done = subprocess.run(line, cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        return date(*ZERO_DATE[:3]).isoformat()
    return done.stdout.strip() or date(*ZERO_DATE[:3]).isoformat()


# --- what goes in -------------------------------------------------------------------------------------------------


def _artefacts(root: Path, sidecars: Iterable[str]) -> Iterator[str]:
    for name in sidecars:
        yield name + sidecar_files.SIDECAR
        if (root / name).is_dir():
            yield from _inside(root, name)
        else:
            yield name


def _inside(root: Path, folder: str) -> Iterator[str]:
    for path in sorted((root / folder).rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(root / folder).parts)
        if path.is_file() and not hidden:
            yield path.relative_to(root).as_posix()


def _pages(root: Path, plan: Plan) -> Iterator[str]:
    for name in plan.more_pages:
        if (root / name).is_dir():
            yield from _inside(root, name)
        else:
            yield name


def _sources(root: Path) -> Iterator[str]:
    for name in SOURCES:
        if (root / name).is_dir():
            yield from _inside(root, name)
        elif (root / name).is_file():
            yield name


# --- what is said of it -------------------------------------------------------------------------------------------


def _id(name: str) -> dict[str, str]:
    return {"@id": quote(name, safe="/#+@:")}


def _ids(names: Iterable[str]) -> list[dict[str, str]]:
    return [_id(name) for name in names]


def _graph(
    plan: Plan, report: str, sidecars: dict[str, Entity], content: dict[str, str], sizes: dict[str, int], day: str
) -> Iterator[Entity]:
    """Yield the entities of the crate."""
    name, folders = plan.study.name, sorted(file + "/" for file in sidecars if file not in content)
    steps = [step for step in STEPS if any(sidecar["step"] == step for sidecar in sidecars.values())]
    actions = {file: f"#make-{file}" for file in sidecars}
    outer = [file for file in content if not file.startswith(tuple(folders))]
    profiles = _ids(PROFILES)
    yield {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, profiles[-1]],
    }
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{plan.study['study']['title']}: a run of touchstone's study {name}",
        "description": f"Every file of the study {name}, from raw data to report, and which step made it from which.",
        "datePublished": day,
        "license": {"@id": LICENCE},
        "conformsTo": profiles,
        "mainEntity": {"@id": "Snakefile"},
        "hasPart": _ids([*outer, *folders]),
        "mentions": _ids(["#run", *actions.values()]),
    }
    for profile, (title, version) in PROFILES.items():
        yield {"@id": profile, "@type": "CreativeWork", "name": title, "version": version}
    yield {"@id": LICENCE, "@type": "CreativeWork", "name": "MIT", "url": LICENCE}
    yield from _workflow(steps)
    for file, digest in content.items():
        if file != "Snakefile":
            yield _file(file, digest, sizes[file])
    for folder in folders:
        yield _id(folder) | {
            "@type": "Dataset",
            "name": folder,
            "hasPart": _ids(f for f in content if f.startswith(folder)),
        }
    for file, action in actions.items():
        yield from _action(file, action, sidecars[file], content)
    yield _id("#run") | _done() | {
        "name": f"The run of the study {name}",
        "description": f"snakemake --cores all --config study={name}",
        "instrument": {"@id": "Snakefile"},
        "object": _ids([*folders, "params.yaml"]),
        "result": _ids([report]),
    }  # fmt: skip
    yield _id("#organize") | {
        "@type": "OrganizeAction",
        "name": "Snakemake's run of the jobs",
        "instrument": {"@id": "#snakemake-engine"},
        "object": _ids(f"#control-{file}" for file in sidecars),
        "result": {"@id": "#run"},
    }


def _workflow(steps: list[str]) -> Iterator[Entity]:
    """Yield the workflow, its language and engine, and per step the tool and its place in the workflow."""
    snakemake = {"name": "Snakemake", "url": {"@id": "https://snakemake.github.io"}}
    yield {
        "@id": "Snakefile",
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "touchstone",
        "programmingLanguage": {"@id": "#snakemake"},
        "hasPart": _ids(f"#tool-{step}" for step in steps),
        "step": _ids(f"#step-{step}" for step in steps),
    }
    yield {"@id": "#snakemake", "@type": "ComputerLanguage", **snakemake, "identifier": snakemake["url"]}
    yield {"@id": "#snakemake-engine", "@type": "SoftwareApplication", **snakemake}
    for place, step in enumerate(steps):
        tool = f"touchstone {step}"
        yield _id(f"#tool-{step}") | {"@type": "SoftwareApplication", "name": tool}
        yield _id(f"#step-{step}") | {
            "@type": "HowToStep",
            "name": step,
            "position": str(place),
            "workExample": _id(f"#tool-{step}"),
        }


def _file(name: str, digest: str, size: int) -> Entity:
    found: Entity = _id(name) | {
        "@type": "File",
        "name": name,
        "sha256": digest.removeprefix("sha256:"),
        "contentSize": str(size),
        "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain"),
    }
    if name.endswith(sidecar_files.SIDECAR):
        found["about"] = _id(name.removesuffix(sidecar_files.SIDECAR))
    return found


def _done() -> Entity:
    return {"@type": "CreateAction", "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"}}


def _action(file: str, action: str, sidecar: Entity, content: dict[str, str]) -> Iterator[Entity]:
    """Yield the making of one file: from what, by which tool, under which settings; and Snakemake's part in it."""

    def entity(name: str) -> str:
        return name if name in content else name + "/"

    inputs = [entity(link["file"]) for link in chain.links(sidecar)]
    settings = f"#settings-{file}"
    yield _id(action) | _done() | {
        "name": f"{sidecar['step']}: {file}",
        "instrument": _id(f"#tool-{sidecar['step']}"),
        "object": _ids([*dict.fromkeys(inputs), settings]),
        "result": _ids([entity(file)]),
    }  # fmt: skip
    shown = {key: value for key, value in sidecar["settings"].items() if key != "cells"}  # the cells are the inputs
    yield _id(settings) | {"@type": "PropertyValue", "name": "settings", "value": digests.canonical(shown)}
    yield _id(f"#control-{file}") | {
        "@type": "ControlAction",
        "name": f"Snakemake's job for {file}",
        "instrument": _id(f"#step-{sidecar['step']}"),
        "object": _id(action),
    }


# --- the zip ------------------------------------------------------------------------------------------------------


def _zip(target: Path, root: Path, files: list[str], folders: list[str], metadata: bytes) -> None:
    """Write the zip whole or not at all. Nothing is compressed: what zlib gives differs between its versions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w") as made:
            made.writestr(_entry(METADATA, len(metadata)), metadata)
            for folder in folders:
                made.writestr(_entry(folder + "/", 0), b"")
            for name in files:
                path = root / name
                with path.open("rb") as source, made.open(_entry(name, path.stat().st_size), "w") as part:
                    shutil.copyfileobj(source, part)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, ZERO_DATE)
    entry.external_attr, entry.create_system, entry.file_size = 0o644 << 16, 3, size
    return entry
