"""`touchstone show WHAT`: print what a finished study found, or check an artefact and print what it holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from safetensors import deserialize

from touchstone.audit.chain.findings import altered_bytes, artefacts_named, is_artefact
from touchstone.commands import _answers, _number_table, _verdicts
from touchstone.commands._command_line import Command, Several, refuse_together, refuse_unused
from touchstone.commands._shared_arguments import claims, papers, study_argument
from touchstone.messages import nearest, say
from touchstone.pipeline.planning.layout import SUFFIX
from touchstone.provenance import chain, code, sidecar_files
from touchstone.provenance.job_folders import name_of
from touchstone.settings.study import Study, load

VERSION = "__version__"  # a definition of touchstone's own, so every report's sidecar has its digest


@click.command("show", cls=Command)
@study_argument("a study that has run, an artefact by its path or name, or the folder of a job", "what")
@click.option(
    "--number", "numbers", cls=Several, multiple=True, metavar="CLAIM...", shell_complete=claims,
    help="of a study: what the verdicts on these claims rest on",
)  # fmt: skip
@click.option("--paper", metavar="PAPER", shell_complete=papers, help="of a study: only this paper, with its numbers")
@click.option(
    "--table", nargs=2, metavar="EVALUATION METRIC", help="of a study: one metric as a table, such as: detection auroc"
)
def main(what: str, numbers: tuple[str, ...], paper: str | None, table: tuple[str, str] | None) -> int:
    """Print what a finished study found, or check an artefact and print what it holds.

    Of a study it prints what each paper's idea is worth, then every claim with its verdict. The exit code is 1 if a claim
    that the study asks for has no figures. Whether the figures agree with the claims does not change it.

    \b
    Examples:
      touchstone show digits
      touchstone show digits --number F1 G6
      touchstone show digits --table detection auroc
      touchstone show results/digits/attack/cnn.0
    """
    of_study = {"--number": bool(numbers), "--paper": paper is not None, "--table": table is not None}
    refuse_together(of_study)
    if is_artefact(what):
        refuse_unused(of_study, f"is only for a study, and {what} is an artefact")
        return _show_artefact(what)
    name = Path(what).stem
    if not _verdicts.table_of(name).is_file():  # a finished report may be of settings that are gone
        name = load(what).name
    if _is_of_another_version(name):
        say(f"touchstone: another version made these results; touchstone run {what} renews them", stream=sys.stderr)
    if numbers:
        _verdicts.print_in_full(name, list(numbers))
        return 0
    if table:
        print(_number_table.number_table(name, *table), end="")
        return 0
    title = paper and _title(load(what), paper)
    if _answers.print_answers(name, title):
        print()
    return _verdicts.print_verdicts(name, title)


def _is_of_another_version(study: str) -> bool:
    """Return whether another version of touchstone made a finished study's report, as far as its sidecar says."""
    page = Path("reports") / study / "report.html"
    if not sidecar_files.sidecar_path(page).is_file() or sidecar_files.malformed(
        record := sidecar_files.read_sidecar(page)
    ):
        return False
    here = code.code_from((("touchstone", VERSION),)).definitions
    return bool(record["definitions"].get(VERSION) != here[VERSION])


def _title(study: Study, paper: str) -> str:
    """Return the title of one of a study's papers."""
    papers = study["papers"]
    if paper not in papers:
        raise ValueError(
            f"--paper {paper}: {study.name} has no such paper; it has {', '.join(papers)}.{nearest(paper, papers)}"
        )
    return str(papers[paper]["name"])


def _show_artefact(what: str) -> int:
    """Print an artefact's step, digest, inputs and arrays, or the names of the artefacts of a job."""
    files = artefacts_named(what)
    if len(files) > 1:
        say(*map(name_of, files))
        return 0
    path = Path(files[0])
    record = sidecar_files.read_sidecar(path)
    if not path.exists():
        raise ValueError(f"{path}: is missing; run the study again")
    if problem := altered_bytes(sidecar_files.artefact_digest(path), record):
        raise ValueError(
            f"{path}: ALTERED: {problem}; delete {sidecar_files.sidecar_path(path).parent} and run the study again"
        )
    say(f"{path}  {record['artefact']}")
    say(f"step: {record['step']}")
    for link in chain.links(record):
        say(f"from: {link['file']}")
    if path.suffix == SUFFIX:
        for name, array in sorted(deserialize(path.read_bytes())):  # type: ignore[no-untyped-call]
            say(f"array: {name} {array['dtype']} {array['shape']}")
    return 0
