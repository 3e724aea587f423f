"""What `touchstone check PAPER` does: read a paper's folder, remark on what it leaves unused, and run it on tiny data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from touchstone import registry
from touchstone.claims.criteria import Criterion
from touchstone.commands._verdicts import print_verdicts
from touchstone.evaluations.statistics.sanity_checks import only_checks
from touchstone.messages import say
from touchstone.pipeline.orchestration import snakemake_run
from touchstone.provenance import code
from touchstone.settings.claim_roles import ABSENT
from touchstone.settings.files import read_yaml
from touchstone.settings.paper_questions import queries_of, shipped_papers_that_use, used_evaluations
from touchstone.settings.papers import Paper, criteria_of, paper_folder, read_papers, shipped
from touchstone.settings.problems import Problem, Problems
from touchstone.settings.study import Study, load
from touchstone.settings.study_models import FULL, SMOKE
from touchstone.settings.unmeasured import unmeasured
from touchstone.settings.values import words

SMALL = Path("workflow/studies/tiny.yaml")  # the study whose data a check uses
DATA = ("data", "compute")  # its keys that say which data that is, and on which machine
STUDIES = Path(".touchstone")  # git ignores it
NAME = "check_{}"  # of the study that tries a paper; its verdicts mean nothing


def is_paper(word: str) -> bool:
    """Return whether a word of the command line is a paper: a folder, or the name of a shipped paper and of no study."""
    is_folder = (Path(word) / "claims.yaml").is_file() or ("/" in word and not word.endswith((".yaml", ".yml")))
    return is_folder or (word in shipped() and not Path(f"workflow/studies/{word}.yaml").is_file())


def check(written: str, cores: str | None) -> int:
    """Check a paper, run it on tiny data and print its verdicts.

    Args:
        written: as a study's `papers:` names it.
        cores: for the run; None to run nothing.

    Returns:
        0; the exit code of the run if that fails; 1 if a claim has no number.

    Raises:
        ParamsError: lists every mistake with file, line and key.
    """
    if "/" not in written and written not in shipped():
        written = f"./{written}"
    paper, criteria = _read(written)
    study = _write_study(written, paper)
    settings = load(str(study))
    if SMOKE not in paper.grades:  # which leaves entries out on purpose
        _check_entries(paper, settings["claims"])
    facts = [*published_unscaled(paper, criteria), *numbers_of_other_papers(paper, criteria)]
    unused = [*evaluations_unjudged(paper, criteria), *components_unused(paper)]
    remarks = [*_lines(facts, paper.claims_file), *_lines(unused, paper.file)]
    say(*(f"remark: {remark}" for remark in remarks))
    _check_numbers(paper, criteria, settings)
    say(*(f"remark: {remark}" for remark in settings.remarks))
    counts = [f"{part} {len(content.get(part) or {})}" for part, content in _parts(paper)]
    say(f"{paper.name}: no mistakes; {', '.join(counts)}")
    if cores is None:
        return 0
    print("Running it on tiny data: the verdicts only show that every number is there.")
    if code := snakemake_run.run(str(study), cores):
        return code
    return print_verdicts(study.stem)


def _check_entries(paper: Paper, claims: dict[str, Any]) -> None:
    """Refuse claims about entries that no evaluation of the paper names, although nothing is missing from tiny data."""
    problems = Problems(paper.file)
    named = set(words(paper.sections.get("evaluations"))) | set(words(paper.sections.get("figures")))
    for name in paper.sections.get("claims") or {}:
        reason = claims.get(name)
        entry, absent, _ = reason.partition(ABSENT) if isinstance(reason, str) else ("", "", "")
        if absent and entry.split()[0] not in named:
            problems.add(("claims", name), f"no evaluation names {entry}; add it to one")
    problems.stop()


def _check_numbers(paper: Paper, criteria: list[Criterion], study: Study) -> None:
    """Refuse criteria on numbers that the paper's evaluations leave out by their settings."""
    problems = Problems(paper.claims_file)
    tried = {
        block["use"] for block in study["evaluations"].values()
    }  # those of data roles that tiny data lacks are not
    for criterion in criteria:
        cast = study["claims"].get(criterion.id)
        uses = {f"evaluations/{query.evaluation}" for _, query in queries_of(criterion)}
        if isinstance(cast, dict) and uses <= tried:
            problems.extend(itertools.starmap(Problem, unmeasured(criterion, cast, study.settings)))
    problems.stop()


def _read(written: str) -> tuple[Paper, list[Criterion]]:
    """Return a paper and its criteria, checked also against the shipped papers: a study may want both."""
    folder = paper_folder(written, Path())
    others = [name for name in shipped() if paper_folder(name, Path()).resolve() != folder.resolve()]
    (*_, paper), book = read_papers(dict.fromkeys([*others, written], "full"), Path(), Problems(Path("params.yaml")))
    return paper, criteria_of(paper, book)


def _write_study(written: str, paper: Paper) -> Path:
    """Write the study that runs a paper on tiny data; return its path.

    It asks all of the paper, unless the paper's own grade `smoke` says what such data is enough for.
    """
    small = read_yaml(SMALL)
    content: dict[str, Any] = {"title": f"{paper.facts['name']} on tiny data"}
    content |= {key: small[key] for key in DATA if key in small}
    content["papers"] = {written: SMOKE if SMOKE in paper.grades else FULL}
    sheet = {"use": "data_sheet", "question": "What is in the example sets?", "examples": "all"}
    content["change"] = {"evaluations": {"data_sheet": sheet}}  # it uses all sets, also those that the paper does not
    STUDIES.mkdir(exist_ok=True)
    path = STUDIES / f"{NAME.format(paper.name)}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def published_unscaled(paper: Paper, criteria: list[Criterion]) -> Iterator[Problem]:
    """Yield the published figures that no criterion scales down."""
    scaled = {name for criterion in criteria for name in criterion.scales}
    for name, figure in (paper.facts.get("published") or {}).items():
        if name not in scaled and not figure.get("unmeasured"):
            yield Problem(("published", name), "no criterion scales it down; name it in a criterion's scales")


def numbers_of_other_papers(paper: Paper, criteria: list[Criterion]) -> Iterator[Problem]:
    """Yield the criteria that need an evaluation of another paper."""
    used = used_evaluations(paper.sections.get("evaluations"))
    for criterion in criteria:
        others = {query.evaluation: place for place, query in queries_of(criterion) if query.evaluation not in used}
        for evaluation, place in others.items():
            papers = shipped_papers_that_use(evaluation)
            what = f"a study must list {' or '.join(papers)}, too" if papers else "add one"
            yield Problem(place, f"no evaluation here uses {evaluation}; {what}")


def evaluations_unjudged(paper: Paper, criteria: list[Criterion]) -> Iterator[Problem]:
    """Yield the evaluations whose numbers no criterion needs."""
    needed = {query.evaluation for criterion in criteria for _, query in queries_of(criterion)}
    for name, block in (paper.sections.get("evaluations") or {}).items():
        use = block.get("use", "")
        if use not in needed and not only_checks(use):  # checks of attacks judge no claim
            yield Problem(("evaluations", name), f"no criterion needs a number of {block.get('use')}")


def components_unused(paper: Paper) -> Iterator[Problem]:
    """Yield the components of the paper's own that nothing in its experiment uses."""
    used = set(code.uses(paper.sections))
    for path in sorted(paper.components.glob("*/[a-z]*.py")) if paper.components else ():
        if path.parent.name in registry.FOLDERS and path.stem not in used:
            yield Problem(("components", path.parent.name, path.name), "no entry in experiment.yaml uses it")


def _parts(paper: Paper) -> list[tuple[str, dict[str, Any]]]:
    """Return the parts of a paper that a check counts, each with the content of its file."""
    return [("published", paper.facts), ("criteria", paper.facts), ("evaluations", paper.sections)]


def _lines(remarks: Iterable[Problem], file: Path) -> list[str]:
    """Return remarks with file and line."""
    problems = Problems(file)
    problems.extend(remarks)
    return problems.messages
