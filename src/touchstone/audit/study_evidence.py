"""Write a pack of a finished study: one file from which anybody can verify its claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import touchstone
from touchstone.audit.selection import Selection
from touchstone.provenance import archive, chain, code, sidecar_files, whole_files
from touchstone.provenance.archive import Evidence
from touchstone.report import packing
from touchstone.settings.files import NAME, read_yaml, study_file
from touchstone.settings.study import Study

KIND = "study"
PARAMS = "params.yaml"
STUDIES = "workflow/studies"
NETWORKS = ("train", "convert")  # the steps that return weights
# What `--rocrate` adds besides the report's page.
CRATE = re.compile(r"ro-crate-metadata\.json|workflow/Snakefile|workflow/rules/[a-z_]+\.smk")
PAGES = (packing.METRICS, "claims.csv", chain.ROOT)  # of the report, besides its sidecar


def write(
    selection: Selection, written: str, path: Path, weights: bool = True, root: Path = Path(), crate: bool = False
) -> Evidence:
    """Write a pack of a study's claims.

    Args:
        selection: The claims.
        written: The study as the user wrote it: a name, or the path of its file.
        path: The file to write.
        weights: Whether to include the networks. Without them a verifier needs them from elsewhere.
        root: The project's folder.
        crate: Whether to include the report's page, the workflow and the metadata of an RO-Crate.

    Returns:
        The manifest of the pack.

    Raises:
        ValueError: The study is not finished, a file does not match its sidecar or changed meanwhile, or the study runs
            code of its own, or leaves the choice of its device open. A file that was there before stays as it is.
    """
    study = selection.plan.study
    settings = dict(settings_files(written, study.folders, root))
    _check_device(study, settings.values())
    report = selection.report.output
    if not sidecar_files.sidecar_path(root / report).is_file():
        raise ValueError(f"{report}: there is no report yet; run the study first: touchstone run {written}")
    records = chain.reached(lambda file: root / file, [report])
    names = [file for file in sorted(selection.stated) if weights or selection.tasks[file].step not in NETWORKS]
    sidecars = [sidecar_files.sidecar_path(Path(file)).as_posix() for file in (*records, *names)]
    pages = [f"reports/{study.name}/{name}" for name in PAGES]
    every = {name: root / name for name in (*names, *dict.fromkeys(sidecars), *pages)} | settings
    if crate:
        from touchstone.audit import run_crate  # a verifier need not have the library

        every |= {report: root / report} | run_crate.workflow_files()
    times = _times(every)
    for name in (*names, *([report] if crate else [])):
        if sidecar_files.artefact_digest(root / name) != sidecar_files.read_sidecar(root / name)["artefact"]:
            raise ValueError(f"{name}: its bytes do not match its sidecar; see touchstone audit {written}")
    about = {
        "study": study.name,
        "claims": list(selection.claims),
        "root": chain.root_digest(root / report),
        "touchstone": touchstone.__version__,
        "verdict_code": code.code_of(selection.report.step, selection.report.settings).digest,
        "weights": weights,
    }
    files = [(name, file.read_bytes) for name, file in every.items()]
    if crate:
        files.append((run_crate.METADATA, lambda: run_crate.describe(selection.plan, records, every, root / "logs")))
    with whole_files.replaced(path) as temporary:
        evidence = archive.write(temporary, KIND, about, files)
        if changed := [name for name, time in _times(every).items() if time != times[name]]:
            raise ValueError(
                f"{changed[0]}: changed while the pack was written; wait until no run is active, and repeat"
            )
    return evidence


def _times(files: dict[str, Path]) -> dict[str, int]:
    """Return when each file was last changed; 0 if it is missing."""
    return {name: file.stat().st_mtime_ns if file.exists() else 0 for name, file in files.items()}


def settings_files(written: str, folders: tuple[str, ...], root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that a study's settings come from: their names in the pack, and their paths.

    Raises:
        ValueError: The study runs code of its own, or has its base or a paper outside the project.
    """
    own = study_file(written, root)
    yield f"{STUDIES}/{own.stem}.yaml", own
    if base := read_yaml(own).get("base"):
        _check_inside(base)
        yield (Path(base).as_posix() if Path(base).suffix else f"{STUDIES}/{base}.yaml"), study_file(base, root)
    if (root / PARAMS).is_file():
        yield PARAMS, root / PARAMS
    for folder in folders:
        _check_inside(folder)
        paper = Path(folder)
        if any((root / paper).rglob("*.py")):
            reason = "brings Python code, which no reviewer should have to run; a pack holds data only"
            raise ValueError(f"{folder}: {reason}. Move its components into touchstone, or leave its claims out")
        for name in ("claims.yaml", "experiment.yaml"):
            yield (paper / name).as_posix(), root / paper / name


def _check_device(study: Study, files: Iterable[Path]) -> None:
    """Raise ValueError if the first of some settings files that names a device leaves the choice to the machine."""
    named = ((file, (read_yaml(file).get("compute") or {}).get("device")) for file in files)
    file, device = next((pair for pair in named if pair[1]), (None, ""))
    if device == "auto":
        raise ValueError(
            f"{file}: compute.device is auto, which may be another device where the pack is verified. Write the one that"
            f" the study ran on, device: {study['study']['device']}; nothing is computed again"
        )


def _check_inside(name: str) -> None:
    """Raise ValueError if a path of a study's settings is outside the project."""
    if is_outside(name):
        raise ValueError(f"{name}: is outside the project, so a pack cannot hold it; move it into the project")


def is_outside(name: str) -> bool:
    """Return whether a path of a study's settings may lead out of the project."""
    return name.startswith(("/", "~")) or ".." in Path(name).parts


def about_study(evidence: Evidence) -> dict[str, Any]:
    """Return what the manifest says of a study, each value of its own type.

    Raises:
        ValueError: A value is missing or has another type.
    """
    kinds = {"study": str, "claims": list, "root": str, "touchstone": str, "verdict_code": str, "weights": bool}
    about = evidence.about
    if about.keys() != kinds.keys() or any(not isinstance(about[name], kind) for name, kind in kinds.items()):
        raise archive.EvidenceError(f"its manifest is not that of a study: it needs {', '.join(kinds)}")
    if not NAME.fullmatch(about["study"]):
        raise archive.EvidenceError(f"its manifest names the study {about['study']!a}, which no study can be called")
    if not all(isinstance(claim, str) for claim in about["claims"]):
        raise archive.EvidenceError("its manifest lists claims that are no text")
    return about
