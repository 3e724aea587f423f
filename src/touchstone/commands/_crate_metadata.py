"""The metadata of a crate: an entity for each file, for the action that made it, and for the workflow.

References:
    Provenance Run Crate 0.5, https://w3id.org/ro/wfrun/provenance/0.5, on RO-Crate 1.1.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from touchstone import digests
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.planning.steps import STEPS
from touchstone.pipeline.provenance import chain, sidecar_files

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
TEXT = (
    ".txt", ".md", ".rst", ".sh", ".tex", ".bib", ".lock", ".smk", ".jinja", ".typed", "LICENSE", "ROOT", "Snakefile",
)  # fmt: skip
BYTES = "application/octet-stream"  # .safetensors, .npy, and what is not listed
FORMATS = dict.fromkeys(TEXT, "text/plain") | {
    ".html": "text/html", ".csv": "text/csv", ".css": "text/css", ".js": "text/javascript", ".py": "text/x-python",
    ".json": "application/json", ".yaml": "application/yaml", ".toml": "application/toml", ".pdf": "application/pdf",
    ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
    ".zip": "application/zip", ".gz": "application/gzip",
}  # fmt: skip


def metadata(plan: Plan, records: dict[str, Entity], content: dict[str, str], sizes: dict[str, int], day: str) -> bytes:
    """Return the crate's ro-crate-metadata.json.

    Args:
        plan: the study's.
        records: of each artefact that the report was made from, by its path.
        content: the digest of each file of the crate, by its name.
        sizes: the bytes of each file.
        day: the crate's date of publication.
    """
    entities = sorted(_graph(plan, records, content, sizes, day), key=lambda entity: str(entity["@id"]))
    document = {"@context": CONTEXT, "@graph": entities}
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _id(name: str) -> dict[str, str]:
    return {"@id": quote(name, safe="/#+@:")}


def _ids(names: Iterable[str]) -> list[dict[str, str]]:
    return [_id(name) for name in names]


def _graph(
    plan: Plan, records: dict[str, Entity], content: dict[str, str], sizes: dict[str, int], day: str
) -> Iterator[Entity]:
    """Yield the entities of the crate."""
    name, folders = plan.study.name, sorted(file + "/" for file in records if file not in content)
    steps = [step for step in STEPS if any(record["step"] == step for record in records.values())]
    actions = {file: f"#make-{file}" for file in records}
    described: dict[str, list[str]] = defaultdict(list)  # {sidecar: the artefacts whose records it has}
    for file in records:
        described[sidecar_files.sidecar_path(Path(file)).as_posix()].append(_entity(file, content))
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
            yield _file(file, digest, sizes[file], described[file])
    for folder in folders:
        yield _id(folder) | {
            "@type": "Dataset",
            "name": folder,
            "hasPart": _ids(f for f in content if f.startswith(folder)),
        }
    for file, action in actions.items():
        yield from _action(file, action, records[file], content)
    yield _id("#run") | _done() | {
        "name": f"The run of the study {name}",
        "description": f"snakemake --cores all --config study={name}",
        "instrument": {"@id": "Snakefile"},
        "object": _ids([*folders, "params.yaml"]),
        "result": _ids([plan.layout.page]),
    }  # fmt: skip
    yield _id("#organize") | {
        "@type": "OrganizeAction",
        "name": "Snakemake's run of the jobs",
        "instrument": {"@id": "#snakemake-engine"},
        "object": _ids(f"#control-{file}" for file in records),
        "result": {"@id": "#run"},
    }


def _workflow(steps: list[str]) -> Iterator[Entity]:
    """Yield the workflow, its language and engine, and for each step its tool and its position."""
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


def _file(name: str, digest: str, size: int, about: list[str]) -> Entity:
    entity: Entity = _id(name) | {
        "@type": "File",
        "name": name,
        "sha256": digest.removeprefix("sha256:"),
        "contentSize": str(size),
        "encodingFormat": FORMATS.get(Path(name).suffix or Path(name).name, BYTES),
    }
    return entity | {"about": _ids(about)} if about else entity


def _entity(name: str, content: Container[str]) -> str:
    """Return the name of an artefact's entity: a folder's ends with a slash."""
    return name if name in content else name + "/"


def _done() -> Entity:
    return {"@type": "CreateAction", "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"}}


def _action(file: str, action: str, record: Entity, content: dict[str, str]) -> Iterator[Entity]:
    """Yield the action that made one file, with inputs, tool and settings, and the Snakemake job that controlled it."""
    inputs = [_entity(link["file"], content) for link in chain.links(record)]
    settings = f"#settings-{file}"
    yield _id(action) | _done() | {
        "name": f"{record['step']}: {file}",
        "instrument": _id(f"#tool-{record['step']}"),
        "object": _ids([*dict.fromkeys(inputs), settings]),
        "result": _ids([_entity(file, content)]),
    }  # fmt: skip
    shown = {key: value for key, value in record["settings"].items() if key != "cells"}  # the cells repeat the inputs
    yield _id(settings) | {"@type": "PropertyValue", "name": "settings", "value": digests.canonical(shown)}
    yield _id(f"#control-{file}") | {
        "@type": "ControlAction",
        "name": f"Snakemake's job for {file}",
        "instrument": _id(f"#step-{record['step']}"),
        "object": _id(action),
    }
