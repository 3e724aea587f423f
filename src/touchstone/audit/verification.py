"""Verify the pack of a study's claims without its author, its machine or its attacks."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import touchstone
from touchstone.audit import chain_checks, challenge, own_models, verdict_checks
from touchstone.audit.artefact_checks import check_artefacts
from touchstone.audit.problems import (
    BYTES,
    PLAN,
    SETTINGS,
    UNREADABLE,
    Result,
    counted,
)
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.audit.study_evidence import STUDIES, about_study, is_outside
from touchstone.evaluations.statistics.margin_cells import CERTIFIED
from touchstone.messages import first_line
from touchstone.models.networks.programs import RISK
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import archive, code, sidecar_files
from touchstone.settings.files import read_yaml
from touchstone.settings.study import Study, load

# What an evaluation reads that nobody can compute again.
RECORDED = {
    "evaluations/effort": "the numbers of passes that attacks took: only the attacks counted them",
    "evaluations/training_length": "the accuracies after each epoch of a training: only the training measured them",
}


@dataclass(frozen=True)
class Options:
    """What a verifier brings.

    Attributes:
        root: The root digest of the study, from a place that the author cannot change.
        networks: Networks of the verifier's own, by name: "cnn.0", or "" if the study has only one. A file is a checkpoint,
            or anything that `touchstone assay` opens.
        raw: Folders of raw files, by the name of their source. With them, clean images are prepared again.
        study: A study of the verifier's own whose settings the pack must have.
        device: What to compute on.
        share: Of each file's rows that are computed again, drawn at random; above 0 and at most 1. None for all rows, but of
            margins a few of each file.
        trust_code: Whether networks whose code is in their file may run: the study's, and the verifier's own.
        challenge: Images of each attacked set that are attacked again; 0 for none, None for the default.
        seed: Of that sample; None for one from the system, which no author can foresee.
    """

    root: str | None = None
    networks: dict[str, Path] = field(default_factory=dict)
    raw: dict[str, Path] = field(default_factory=dict)
    study: Study | None = None
    device: str = "cpu"
    share: float | None = None
    trust_code: bool = False
    challenge: int | None = None
    seed: int | None = None


def verify(path: Path, options: Options, folder: Path | None = None) -> Result:
    """Return what holds of a pack and what does not.

    Args:
        path: The pack.
        options: What the verifier brings.
        folder: An empty folder to unpack into; by default a temporary one.

    Raises:
        EvidenceError: The file is no whole pack of a study, or one of another version that cannot be checked here.
        ValueError: A network of the study is a program, and `trust_code` is not set.
        FileNotFoundError: There is no such file.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="touchstone-verify-") as name:
            return verify(path, options, Path(name))
    started = time.monotonic()
    evidence, damaged = archive.unpack(path, folder)
    about = about_study(evidence)
    result = Result(evidence.digest)
    for name, problem in damaged:
        result.add(BYTES, name, problem)
    selection = _selection(path, about, folder, result)
    if selection is not None:
        if not options.trust_code:
            _refuse_programs(path, selection)
        _check(path, selection, evidence, folder, options, result)
    names = {name for name, _ in damaged}  # not unpacked, so every other check finds them missing
    found = [problem for problem in result.problems if problem.check == BYTES or problem.file not in names]
    result.problems = list(dict.fromkeys(found))
    result.seconds = time.monotonic() - started
    return result


def _selection(path: Path, about: dict[str, Any], folder: Path, result: Result) -> Selection | None:
    """Return the claims of the study that the pack describes; None if its settings cannot be used.

    Raises:
        EvidenceError: They cannot be planned here, and the pack says that other code wrote it. Any author can say so:
            nothing is proved, and nobody is accused.
    """
    written, is_data = f"{STUDIES}/{about['study']}.yaml", False
    try:
        _refuse_code(folder)
        is_data = True
        selection = Selection(Plan(load(written, folder)), tuple(about["claims"]))
        _ = selection.files
    except UNREADABLE as error:
        reason = str(error).replace(f"{folder}/", "") or first_line(error)
        if is_data and not result.problems and (writer := _other_writer(about, folder)):
            raise _unchecked(path, writer, f"cannot use its settings ({reason.splitlines()[0]})") from error
        result.add(SETTINGS, written, reason)
        return None
    return selection


def _unchecked(path: Path, writer: str, why: str) -> archive.EvidenceError:
    here = f"touchstone {touchstone.__version__} here"
    return archive.EvidenceError(
        f"{path}: cannot be checked: it says that {writer} wrote it, and {here} {why}. Verify it with that version"
    )


def _other_writer(about: dict[str, Any], folder: Path) -> str:
    """Return which version of touchstone a pack says that it is from; "" if it is the version and the code here."""
    writer = f"touchstone {about['touchstone'][:20]!a}"
    if about["touchstone"] != touchstone.__version__:
        return writer
    with suppress(*UNREADABLE):
        record = sidecar_files.read_sidecar(folder / f"reports/{about['study']}/report.html")
        if about["verdict_code"] != code.code_of(record["step"], record["settings"]).digest:
            return f"other code of {writer}"
    return ""


def _refuse_code(folder: Path) -> None:
    """Refuse settings that would make this process read or import files from outside the pack.

    Raises:
        ValueError: The settings name such files.
    """
    for file in sorted(folder.rglob("*.yaml")):
        content = read_yaml(file)
        if content.get("plugins"):
            raise ValueError(
                "plugins: the study brings Python code; verifying runs only the code that is installed here"
            )
        papers, base = content.get("papers"), content.get("base")
        for paper in papers if isinstance(papers, dict) else ():
            if is_outside(paper):
                raise ValueError(f"papers: {paper} is outside the pack")
        if isinstance(base, str) and is_outside(base):
            raise ValueError(f"base: {base} is outside the pack")


def _refuse_programs(path: Path, selection: Selection) -> None:
    """Raise ValueError if a network of the study is a program, because to open one can run any code of its author."""
    for task in selection.tasks.values():
        if _trusts_code(task.settings):
            raise ValueError(
                f"{path}: its network {Path(task.output).stem} is a program, and opening one {RISK}. If you trust it, add"
                " --trust-code. If you do not, use a container"
            )


def _trusts_code(settings: Any) -> bool:
    if isinstance(settings, dict):
        return settings.get("trust_code") is True or any(_trusts_code(value) for value in settings.values())
    return isinstance(settings, list) and any(_trusts_code(value) for value in settings)


def _check(
    path: Path, selection: Selection, evidence: archive.Evidence, folder: Path, options: Options, result: Result
) -> None:
    """Check everything that a pack holds.

    Raises:
        EvidenceError: Nothing is wrong but that its records have other settings than are planned here, and the pack says
            that other code wrote it: a default may have changed since.
    """
    about, unpacked = evidence.about, {name: entry.digest for name, entry in evidence.entries.items()}
    if options.study is not None and (problem := _other_study(selection, options.study)):
        result.add(SETTINGS, selection.plan.study.name, problem)
    records = chain_checks.read_records(selection, folder, result)
    chain_checks.check_plan(selection, records, result)
    if {problem.check for problem in result.problems} == {PLAN} and (writer := _other_writer(about, folder)):
        first = result.problems[0]
        raise _unchecked(path, writer, f"plans it otherwise ({first.file}: {first.message})")
    chain_checks.check_chain(records, folder, unpacked, result)
    chain_checks.check_pages(selection, records, folder, about["root"], options.root, result)
    chain_checks.check_entries(selection, records, folder, unpacked, result)
    chain_checks.check_splits(selection, records, folder, result)
    reader = Recomputation(selection, folder, options.device, options.raw, options.share)
    for name, path in options.networks.items():
        own_models.check(reader, name, path, records, result, trust_code=options.trust_code)
    check_artefacts(reader, result)
    challenge.challenge(reader, result, options.challenge, options.seed)
    verdict_checks.check_verdicts(selection, folder, result)
    _say_what_is_trusted(selection, records, options, result)
    if about["verdict_code"] != code.code_of(selection.report.step, selection.report.settings).digest:
        version = f"{about['touchstone'][:20]!a}, here it is {touchstone.__version__!r}"
        result.trusted.append(f"that no difference comes from other code: it was written by touchstone {version}")


def _other_study(selection: Selection, study: Study) -> str:
    """Return the first setting in which the pack differs from the verifier's study, or ""."""
    stated, own = (each.settings for each in (selection.plan.study, study))
    differing = chain_checks.differing(stated, own)
    return f"its settings are not those of your study {study.name}: {differing}" if differing else ""


def _say_what_is_trusted(selection: Selection, records: chain_checks.Records, options: Options, result: Result) -> None:
    tasks = [selection.tasks[file] for file in selection.files]
    steps = Counter(task.step for task in tasks)
    say = result.trusted.append
    if steps["attack"]:
        say(
            "that no stronger attack exists: each robust number is an upper bound, and a better attack can only lower it"
        )
    if steps["train"] + steps["convert"]:
        networks = counted(steps["train"] + steps["convert"], "network")
        say(f"the training of {networks}: the predictions were recomputed, the weights were not trained again")
    folders = {
        Path(str(task.inputs["folder"])).name for task in tasks if task.step == "prepare" and "folder" in task.inputs
    }
    if absent := sorted(folders - options.raw.keys()):
        say(f"that the clean images and labels are those of {', '.join(absent)}: bring the raw files, --raw FOLDER")
    asked = {task.settings["component"]["use"] for task in tasks if task.step == "evaluate"}
    result.trusted += [sentence for use, sentence in RECORDED.items() if use in asked]
    methods = {task.settings["component"]["use"].split("/")[1] for task in tasks if task.step == "measure"}
    if not all(method.startswith(CERTIFIED) for method in methods):
        say("that no other search finds nearer points: each margin is an upper bound, as a robust number is")
    if other := len(selection.plan.study["evaluations"]) - len(selection.evaluations):
        say(
            f"the rows of {counted(other, 'evaluation')} of other claims: Holm's correction is over all claims of a paper"
        )
    for name in verdict_checks.own_criteria(selection):
        say(f"that the criteria of the paper {name} were fixed before the run: they come with the pack")
    if options.root is None:
        say("that this is the published pack: compare the study's root digest, --root DIGEST, or a signature")
    result.trusted += chain_checks.other_code(selection, records, result)
