"""Compare the files and records of a pack with each other and with the study's plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.audit.chain import report_pages
from touchstone.audit.chain.other_code import Codes
from touchstone.audit.chain.other_code import names as names_of_other_code
from touchstone.audit.chain.study_records import prepared_sets
from touchstone.audit.problems import CHAIN, PLAN, ROOT, SPLITS, Result, counted
from touchstone.audit.selection import Selection
from touchstone.audit.study_evidence import CRATE, PAGES, STUDIES, settings_files
from touchstone.pipeline.jobs import leakage
from touchstone.pipeline.planning import apart
from touchstone.provenance import chain, job_folders, sidecar_files
from touchstone.records import encoding
from touchstone.records.nouns import ExampleSet

Records = dict[str, dict[str, Any]]
DUPLICATES = 0.01  # share of a set that may be in another part of its source, too: some publishers have images twice


def read_records(selection: Selection, folder: Path, result: Result) -> Records:
    """Return the record of every artefact behind the report, as far as they can be read.

    Args:
        selection: The claims to verify.
        folder: The files of the pack.
        result: Receives the problems.
    """
    records: Records = {}
    waiting, seen = [selection.report.output], set[str]()
    waiting += [file for file in selection.files if sidecar_files.exists(folder / file)]
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        if file not in selection.tasks:  # its name, which is a path, is not trusted either
            result.add(PLAN, ascii(file)[1:-1], "is not part of the study that the settings describe")
            continue
        with result.reading(CHAIN, file, "its record cannot be read"):
            record = sidecar_files.read_sidecar(folder / file)
            if problem := sidecar_files.malformed(record):
                raise ValueError(problem)
            records[file] = record
            waiting += [link["file"] for link in chain.links(record)]
    return records


def check_chain(records: Records, folder: Path, unpacked: Mapping[str, str], result: Result) -> None:
    """Check that each record has the digests of its inputs' records, and each file that is here its record's digest.

    Args:
        records: Of every artefact behind the report.
        folder: The files of the pack.
        unpacked: The digest that each file had when it was unpacked.
        result: Receives the problems.
    """
    links = 0

    @cache
    def digest_of(file: str) -> str:
        return sidecar_files.digest_of_record(records[file])

    for file, record in records.items():
        with result.reading(CHAIN, file, "its record cannot be checked"):
            for link in chain.links(record):
                links += 1
                other = records.get(link["file"])
                if other is None:
                    continue  # reported when it was read
                if digest_of(link["file"]) != link["sidecar"]:
                    result.add(CHAIN, file, f"was created from {link['file']} when that had another record")
                elif other["artefact"] != link["artefact"]:
                    result.add(CHAIN, file, f"was created from {link['file']} when that had other bytes")
    here = [file for file in records if sidecar_files.exists(folder / file)]
    for file in here:
        with result.reading(CHAIN, file, "its bytes cannot be checked"):
            digest = unpacked.get(file) or sidecar_files.artefact_digest(folder / file)
            if digest != records[file]["artefact"]:
                stated = records[file]["artefact"]
                result.add(CHAIN, file, f"its bytes have digest {digest}, its record says {stated}")
    splits = map(job_folders.split, records)
    for job in dict.fromkeys(split[0] for split in splits if split is not None):
        with result.reading(CHAIN, job.as_posix(), "its records cannot be checked"):
            if problem := sidecar_files.folder_problem(folder / job):
                result.add(CHAIN, (job / job_folders.SIDECAR).as_posix(), problem)
    result.proved.append(
        f"{len(records):,} records link to each other, and {len(here):,} files match theirs ({links:,} links)"
    )


def check_pages(selection: Selection, records: Records, folder: Path, stated: str, expected: str | None,
                result: Result) -> None:  # fmt: skip
    """Check the report's pages against its record, and its root digest.

    Args:
        selection: The claims to verify.
        records: Of the chain.
        folder: The files of the pack.
        stated: The root digest in the manifest.
        expected: The root digest that the verifier knows from elsewhere; None for none.
        result: Receives the problems.
    """
    report = selection.report.output
    directory = folder / Path(report).parent
    with result.reading(ROOT, report, "its root digest cannot be checked"):
        actual = chain.root_digest(folder / report)
        said = (directory / chain.ROOT).read_text().strip()
        for where, digest in ((f"{Path(report).parent}/{chain.ROOT}", said), ("evidence.json", stated)):
            if digest != actual:
                result.add(ROOT, where, f"says {digest}, the records give {actual}")
        if expected is not None and expected != actual:
            result.add(ROOT, report, f"has root digest {actual}, not {expected}: it is not the study that --root names")
        elif expected is not None:
            result.proved.append("the report has the root digest that you gave")
        pages = records.get(report, {}).get("pages", {})
        for path in sorted(directory.iterdir()):
            if path.name in pages and digests.file_digest(path) != pages[path.name]:
                result.add(
                    CHAIN, f"{Path(report).parent}/{path.name}", "is not the page that the report's record lists"
                )
    if (folder / report).is_file():
        with result.reading(CHAIN, report, "its numbers cannot be compared with its tables"):
            for problem in report_pages.contradictions(folder / report):
                result.add(CHAIN, report, problem)
        result.trusted.append(
            f"the words and the figures of {report}: only its numbers and verdicts were compared, with the tables"
        )


def check_entries(selection: Selection, records: Records, folder: Path, names: Iterable[str], result: Result) -> None:
    """Check that a pack holds only what belongs to its study.

    Args:
        selection: The claims to verify.
        records: Of the chain.
        folder: The files of the pack.
        names: Of its files.
        result: Receives the problems.
    """
    study = selection.plan.study
    own = {*records, *selection.stated, *(f"reports/{study.name}/{name}" for name in PAGES)}
    own |= {sidecar_files.sidecar_path(Path(file)).as_posix() for file in selection.tasks}
    own |= dict(settings_files(f"{STUDIES}/{study.name}.yaml", study.folders, folder)).keys()
    others = sorted(set(names) - own)
    if more := [name for name in others if CRATE.fullmatch(name)]:
        result.trusted.append(
            f"{counted(len(more), 'file')} about the crate and the workflow, such as {more[0]}: nothing is computed from"
            " them"
        )
    for name in others:
        if name not in more:
            result.add(
                CHAIN, name, "belongs to no record and to no settings of the study, so no `touchstone pack` added it"
            )


def check_plan(selection: Selection, records: Records, result: Result) -> None:
    """Check that every record is that of the study's own task: its step, settings and inputs."""
    for file, record in records.items():
        task = selection.tasks[file]
        inputs = {role: [link["file"] for link in links] for role, links in record["inputs"].items()}
        with result.reading(PLAN, file, "its record cannot be read"):
            if record["step"] != task.step:
                result.add(PLAN, file, f"was created by the step {record['step']}, the study plans {task.step}")
            elif words := differing(record["settings"], task.settings):
                result.add(PLAN, file, f"was created under other settings than the study's: {words}")
            elif inputs != task.roles:
                result.add(PLAN, file, "was created from other files than the study's settings name")
    missing = [file for file in selection.files if file not in records]
    if missing:
        others = f" and {len(missing) - 1:,} others" if len(missing) > 1 else ""
        result.add(PLAN, missing[0], f"belongs to the study, but no record leads to it{others}")
    result.proved.append(f"{len(records):,} records are those of the study's own tasks")


def differing(stated: dict[str, Any], planned: dict[str, Any], place: str = "") -> str:
    """Return the first setting that differs, with both values, or "".

    Args:
        stated: Settings in the pack.
        planned: Settings as they have to be.
        place: The keys that lead to them.
    """
    for name in sorted(stated.keys() | planned.keys()):
        first, second = stated.get(name), planned.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            if inner := differing(first, second, f"{place}{name}."):
                return inner
        elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
            pairs = ({str(number): value for number, value in enumerate(each)} for each in (first, second))
            if inner := differing(next(pairs), next(pairs), f"{place}{name}."):
                return inner
        elif digests.canonical(first) != digests.canonical(second):
            return f"{place}{name} is {_short(first)}, planned {_short(second)}"
    return ""


def _short(value: object) -> str:
    text = digests.canonical(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def check_splits(selection: Selection, records: Records, folder: Path, result: Result) -> None:
    """Check that no image that the study learned from, or took a threshold from, is among those that it tests on.

    Images are compared by their digests, so an image is found under another id, too. Some published data holds an image
    twice, in two of its parts. So equal images in two parts of one source count if they are more than `DUPLICATES`.

    What a network learned from that was trained elsewhere is not in the pack, so that is said to be unchecked.
    """
    clean = 0

    def read(path: str) -> ExampleSet | None:
        place = folder / path
        examples: ExampleSet | None = encoding.decode(place.read_bytes(), ExampleSet) if place.is_file() else None
        return examples

    with result.reading(SPLITS, selection.plan.folder, "its splits cannot be compared"):
        pairs = apart.pairs(selection.plan.study)
        prepared = prepared_sets(selection.plan, records, read)
        every = leakage.overlaps(((*names, reason) for names, reason in pairs.items()), prepared)
        leaks = [overlap for overlap in every if overlap.leaks or _too_many(overlap, prepared)]
        for overlap in leaks:
            result.add(SPLITS, selection.set_file(overlap.tested), str(overlap))
        compared = {names for names in pairs if all((folder / selection.set_file(name)).is_file() for name in names)}
        clean = len(compared - {(overlap.tested, overlap.learned) for overlap in leaks})
    result.proved.append(f"{clean:,} pairs of sets that must share no image share none")
    if elsewhere := [Path(file).stem for file in records if selection.tasks[file].step == "convert"]:
        names = ", ".join(elsewhere)
        result.unchecked.append(f"whether {names} learned from test images: the pack lacks what they learned from")


def _too_many(overlap: leakage.Overlap, prepared: leakage.Prepared) -> bool:
    """Return whether two parts of one source share more images than a publisher has twice."""
    sizes = [len(rows) for name in (overlap.tested, overlap.learned) if (rows := prepared.rows(name)) is not None]
    return len(overlap.rows) > max(1, DUPLICATES * min(sizes))


def other_code(selection: Selection, records: Records, result: Result) -> Iterator[str]:
    """Yield a sentence for each step whose code differs from the installed one, although its result is taken on trust."""
    by_step: dict[str, set[str]] = {}
    here: Codes = {}
    for file, record in records.items():
        task = selection.tasks[file]
        if task.step in ("evaluate", "report", "infer", "score", "fit", "translate"):
            continue
        with result.reading(PLAN, file, "the code that its record names cannot be read"):
            if changed := names_of_other_code(record, here):
                by_step.setdefault(task.step, set()).update(changed)
    for step, names in sorted(by_step.items()):
        yield f"the step {step} ran other code than is installed here: {', '.join(sorted(names))}"
