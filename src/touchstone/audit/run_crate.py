"""Describe a pack as an RO-Crate: which job of the workflow made each file, from which files, when and by whom.

References:
    Provenance Run Crate 0.5, https://w3id.org/ro/wfrun/provenance/0.5, on RO-Crate 1.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity, SoftwareApplication
from rocrate.rocrate import ROCrate

from touchstone.digests import file_digest
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.orchestration import shipped_studies
from touchstone.pipeline.planning.parts import RULES
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import chain, job_folders, sidecar_files
from touchstone.provenance.archive import MANIFEST

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENCE = "https://spdx.org/licenses/MIT"
COMPLETED = "http://schema.org/CompletedActionStatus"
FORMATS = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".json": "application/json",
    ".safetensors": "application/octet-stream",
    ".yaml": "application/yaml",
}
Record = dict[str, Any]


def describe(plan: Plan, records: Mapping[str, Record], files: Mapping[str, Path], logs: Path) -> bytes:
    """Return the crate's ro-crate-metadata.json. One study with its logs gives equal bytes, whenever and wherever.

    Args:
        plan: Of the study.
        records: Of each artefact that the report was made from, by its path.
        files: The files of the crate, by their names in it. An artefact that is not among them is named with its digest.
        logs: The project's folder of logs, with the run records of its jobs.
    """
    runs = [run for name in ("raw", plan.study.name) for run in run_records.read(logs / name)]
    ended = {(run["rule"], run["name"]): run for run in runs if run.get("failed") is False and "end" in run}
    return _Description(plan, records, files, ended).as_bytes()


def workflow_files() -> dict[str, Path]:
    """Return the files of the workflow: their names in the crate, and their paths."""
    folder = shipped_studies.workflow_folder()
    files = [folder / "Snakefile", *sorted((folder / "rules").glob("*.smk"))]
    return {f"workflow/{file.relative_to(folder).as_posix()}": file for file in files}


class _Description:
    """A crate as it is put together.

    Attributes:
        records, files: As for `describe`.
        page: The path of the report's page.
        jobs: The artefacts of each job, by its rule and its name, in the order of the rules.
        runs: The run records of those jobs that have a complete one.
        crate: The library's crate.
        entities: The entity of each file and of each artefact, by its path.
    """

    def __init__(
        self,
        plan: Plan,
        records: Mapping[str, Record],
        files: Mapping[str, Path],
        runs: Mapping[tuple[str, str], Record],
    ) -> None:
        self.study, self.page = plan.study, plan.layout.page
        self.records, self.files = records, files
        self.jobs: dict[tuple[str, str], list[str]] = {}
        for file in sorted(records):
            self.jobs.setdefault(job_folders.job_of(file), []).append(file)
        self.jobs = dict(sorted(self.jobs.items(), key=lambda job: (RULES.index(job[0][0]), job[0][1])))
        self.runs = {job: runs[job] for job in self.jobs if job in runs}
        self.crate = ROCrate(version="1.1")
        self.entities = {name: self._file(name) for name in sorted({*files, *records} - {WORKFLOW})}

    def as_bytes(self) -> bytes:
        """Add the workflow, its run and its jobs, and return the metadata."""
        rules = list(dict.fromkeys(rule for rule, _ in self.jobs))
        tools = {rule: self._tool(rule) for rule in rules}
        steps = {
            rule: self._add(f"#step-{rule}", "HowToStep", name=rule, position=str(place), workExample=tools[rule])
            for place, rule in enumerate(rules)
        }
        workflow = self._workflow(tools, steps)
        run = self._run(workflow)
        actions = {job: self._action(job, tools[job[0]]) for job in self.jobs}
        engine = self._engine()
        self._add(
            "#orchestration",
            "OrganizeAction",
            name="Snakemake's run of the jobs",
            instrument=engine,
            object=[
                self._add(
                    f"#control-{_name(job)}",
                    "ControlAction",
                    name=f"Snakemake's control of the job {_name(job)}",
                    instrument=steps[job[0]],
                    object=action,
                )
                for job, action in actions.items()
            ],
            result=run,
        )
        self._describe_root([run, *actions.values()])
        return json.dumps(self.crate.metadata.generate(), indent=1, ensure_ascii=False).encode()

    def _add(self, identifier: str, kind: str, **properties: Any) -> Any:
        return self.crate.add(ContextEntity(self.crate, quote(identifier, safe="/#:"), {"@type": kind, **properties}))

    def _file(self, name: str) -> Any:
        """Return the entity of a file, or of an artefact that the crate does not hold."""
        record, source = self.records.get(name), self.files.get(name)
        if source is not None:
            return self.crate.add_file(source, name, properties=_properties(name, source, record))
        assert record is not None
        kind = "Dataset" if record["step"] == "fetch" else "File"
        absent = f"This crate does not hold it. Its digest is {record['artefact']}."
        return self._add(f"#{name}", kind, name=name, description=absent)

    def _tool(self, rule: str) -> Any:
        properties = {"name": f"touchstone's rule {rule}"} | self._version("touchstone", rule)
        return self.crate.add(SoftwareApplication(self.crate, f"#tool-{rule}", properties))

    def _engine(self) -> Any:
        properties = {"name": "Snakemake", "url": "https://snakemake.github.io"} | self._version("snakemake")
        return self.crate.add(SoftwareApplication(self.crate, "https://snakemake.github.io", properties))

    def _version(self, package: str, rule: str | None = None) -> dict[str, str]:
        """Return which versions of a package the jobs ran with, as a property; nothing if no run record says it."""
        runs = [run for job, run in self.runs.items() if rule in (None, job[0])]
        versions = {run["versions"][package] for run in runs if package in run["versions"]}
        return {"softwareVersion": ", ".join(sorted(versions))} if versions else {}

    def _packages(self) -> str:
        """Return which packages the jobs ran with, as the end of a phrase."""
        pairs = sorted({pair for run in self.runs.values() for pair in run["versions"].items()})
        return ", with " + ", ".join(f"{package} {version}" for package, version in pairs) if pairs else ""

    def _workflow(self, tools: Mapping[str, Any], steps: Mapping[str, Any]) -> Any:
        properties = _properties(WORKFLOW, self.files[WORKFLOW], None) | {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],  # HowTo: it has steps
            "name": "touchstone",
            "hasPart": list(tools.values()),
            "step": list(steps.values()),
        }
        if commits := {_commit(run) for run in self.runs.values() if run.get("commit")}:
            properties["version"] = ", ".join(sorted(commits))
        source = self.files[WORKFLOW]
        return self.crate.add_workflow(source, WORKFLOW, properties=properties, main=True, lang="snakemake")

    def _run(self, workflow: Any) -> Any:
        """Add the run of the whole workflow."""
        settings = [name for name in self.files if name.endswith(".yaml")]
        raw = [file for file, record in self.records.items() if record["step"] == "fetch"]
        pages = [name for name in self.files if Path(name).parent == Path(self.page).parent]
        return self._done(
            "#run",
            f"The run of the study {self.study.name}",
            f"touchstone run {self.study.name}{self._packages()}",
            workflow,
            [*settings, *raw],
            pages,
            list(self.runs.values()) if len(self.runs) == len(self.jobs) else [],
        )

    def _action(self, job: tuple[str, str], tool: Any) -> Any:
        """Add the run of a job."""
        made, run = self.jobs[job], self.runs.get(job)
        read = dict.fromkeys(link["file"] for file in made for link in chain.links(self.records[file]))
        text = f"Snakemake's job {_name(job)}"
        if run:
            computed = min(run["computed"], len(made))
            text += f" computed {computed} of {len(made)} results"
            text += ", and took the others from the store" if computed < len(made) else ""
            text += f". Its code is that of commit {_commit(run)}." if run.get("commit") else "."
        inputs, runs = [file for file in read if file not in made], [run] if run else []
        sidecars = {sidecar_files.sidecar_path(Path(file)).as_posix() for file in made}
        return self._done(f"#job-{_name(job)}", " ".join(job), text, tool, inputs, [*made, *sorted(sidecars)], runs)

    def _done(
        self,
        identifier: str,
        name: str,
        text: str,
        instrument: Any,
        read: Iterable[str],
        made: Iterable[str],
        runs: list[Record],
    ) -> Any:
        """Add a completed action, with its times and its agents if there are run records."""
        properties: dict[str, Any] = {"name": name, "description": text, "actionStatus": COMPLETED}
        if runs:
            properties["startTime"] = min(run["start"] for run in runs)
            properties["endTime"] = max(run["end"] for run in runs)
        if agents := self._agents(runs):
            properties["agent"] = agents
        objects, results = (_few([self.entities[file] for file in files]) for files in (read, made))
        return self.crate.add_action(instrument, quote(identifier, safe="/#"), objects, results, properties)

    def _agents(self, runs: Iterable[Record]) -> Any:
        """Add the people who ran jobs, and return them."""
        names = sorted({run["agent"] for run in runs if run.get("agent")})
        return _few([self._add(f"#agent-{name}", "Person", name=name) for name in names])

    def _describe_root(self, actions: list[Any]) -> None:
        study, root = self.study.name, self.crate.root_dataset
        self.crate.metadata.extra_contexts.append(TERMS)
        self.crate.add_file(
            dest_path=MANIFEST,
            properties={
                "name": MANIFEST,
                "description": "The digests of all other files, by which `touchstone verify` checks this crate.",
                "encodingFormat": FORMATS[".json"],
            },
        )
        root["name"] = f"{self.study['study']['title']}: a run of touchstone's study {study}"
        root["description"] = (
            f"What others need to verify the claims of the study {study}, and which job made each file from which."
        )
        root["datePublished"] = self._date()
        terms = "The images have the licences of their sources."
        root["license"] = self._add(LICENCE, "CreativeWork", name="MIT", url=LICENCE, description=terms)
        root["conformsTo"] = [
            self._add(profile, "CreativeWork", name=name, version=version)
            for profile, (name, version) in PROFILES.items()
        ]
        root["mentions"] = actions
        if agents := self._agents(self.runs.values()):
            root["author"] = agents

    def _date(self) -> str:
        """Return the day on which the last job ended; without run records, the day of the report's file."""
        if self.runs:
            last: str = max(run["end"] for run in self.runs.values())
            return last[:10]
        return datetime.fromtimestamp(self.files[self.page].stat().st_mtime, UTC).date().isoformat()


def _name(job: tuple[str, str]) -> str:
    return "/".join(job)


def _few(values: list[Any]) -> Any:
    """Return one value as it is, which RO-Crate recommends, and more as a list."""
    return values[0] if len(values) == 1 else values


def _commit(run: Record) -> str:
    return f"{run['commit']}{' with uncommitted changes' if run['dirty'] else ''}"


def _properties(name: str, source: Path, record: Record | None) -> dict[str, Any]:
    """Return the properties of a file: its size, its format and its digest, which is that of its record if it has one."""
    digest = file_digest(source) if record is None else record["artefact"]
    return {
        "name": name,
        "sha256": digest.removeprefix("sha256:"),
        "contentSize": str(source.stat().st_size),
        "encodingFormat": FORMATS.get(Path(name).suffix, "text/plain"),
    }
