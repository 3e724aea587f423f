"""Papers: folders with the published claims, and with the experiment that tests them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from touchstone.claims import contrast_files, paper_files
from touchstone.claims.criteria import SHARED, Book, Criterion
from touchstone.claims.file_checks import ClaimError
from touchstone.messages import nearest
from touchstone.plugins import PACKAGE
from touchstone.settings.files import KEPT, NAME, content_of, read_yaml, text_of, typed_path
from touchstone.settings.problems import Problems
from touchstone.settings.shared_roles import blocks_of, unknown_shared, without_shared
from touchstone.settings.shorthand import DEFAULTS
from touchstone.settings.study_models import CHOSEN, FULL, MULTIVERSE, Experiment, Grade, read_model
from touchstone.settings.values import shown

SHIPPED = PACKAGE / "papers"


@dataclass(frozen=True)
class Experimental:
    """The content of one experiment.yaml, or of common.yaml, which all papers share.

    Attributes:
        name: of the paper; "shared" for what papers share.
        file: its path.
        sections: section -> entry -> its settings; each evaluation has the paper as its `system`.
        groups: name -> the entries that it stands for.
        grades: smoke, quick, full or multiverse -> what it asks and changes.
        data_roles: role that a study's data plays -> a sentence; only common.yaml has them.
        words: entry -> what people call it.
    """

    name: str
    file: Path
    sections: dict[str, Any]
    groups: dict[str, Any]
    grades: dict[str, Grade]
    data_roles: dict[str, str]
    words: dict[str, str]

    def grade(self, word: str) -> Grade:
        """Return what a grade asks and changes; without a block of its own it asks everything and changes nothing.

        `chosen` asks nothing of a paper: a study asks what it changes. Of what papers share, multiverse asks what full asks.
        """
        if word == CHOSEN and self.name != SHARED:
            return Grade(evaluations=[])
        return self.grades.get(FULL if word == MULTIVERSE and self.name == SHARED else word) or Grade()

    def changes(self, word: str) -> list[tuple[str, Grade]]:
        """Return the grades whose groups and settings apply, with their names.

        A multiverse adds to full, so that the networks and attacks of the claim that it tries are those of the study of
        full, and are found in its store.
        """
        if word == MULTIVERSE and self.name != SHARED:
            return [(FULL, self.grade(FULL)), (word, self.grade(word))]
        return [(FULL if word == MULTIVERSE else word, self.grade(word))]

    def with_system(self, sections: dict[str, Any]) -> dict[str, Any]:
        """Return sections with the paper as the system of each new evaluation."""
        evaluations = sections.get("evaluations")
        if not isinstance(evaluations, dict) or self.name == SHARED:
            return sections
        named = {
            name: block | {"system": self.name} if isinstance(block, dict) and "use" in block else block
            for name, block in evaluations.items()
        }
        return sections | {"evaluations": named}


@dataclass(frozen=True)
class Paper(Experimental):
    """One paper's folder, read.

    Attributes:
        folder: its path.
        facts: the content of claims.yaml, checked.
    """

    folder: Path
    facts: dict[str, Any]

    @property
    def claims_file(self) -> Path:
        """The path of its claims.yaml."""
        return self.folder / "claims.yaml"

    @property
    def is_shipped(self) -> bool:
        """Whether it comes with touchstone; the others are the user's own."""
        return self.folder.parent == SHIPPED

    @property
    def components(self) -> Path | None:
        """The folder of the paper's own components, if it has one."""
        folder = self.folder / "components"
        return folder if folder.is_dir() else None


def common(problems: Problems) -> Experimental:
    """Return what papers share."""
    file = SHIPPED / "common.yaml"
    return Experimental(SHARED, file, *_experiment(file, SHARED, problems))


def _experiment(
    file: Path, name: str, problems: Problems
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Grade], dict[str, str], dict[str, str]]:
    """Return the sections, groups, grades, data roles and words of an experiment.yaml; mistakes go to `problems`."""
    content = read_yaml(file)
    read = read_model(Experiment, content, file, problems) or Experiment()
    sections = {key: block for key, block in content.items() if key not in Experiment.model_fields}
    for evaluation, block in blocks_of(sections.get("evaluations")).items():
        if name != SHARED:
            if "system" in block:
                problems.add(("evaluations", evaluation, "system"), "leave it out; it is the paper's name", file)
            block["system"] = name
    for grade, asked in read.grades.items():
        for key in ("claim", "gate", "variants") if grade != MULTIVERSE else ():
            if getattr(asked, key):
                problems.add(("grades", grade, key), f"only the grade {MULTIVERSE} tries a claim in variants", file)
        added = read.grades[FULL].change if grade == MULTIVERSE and FULL in read.grades else {}
        for section, names in (("evaluations", asked.evaluations), ("figures", asked.figures)):
            for place, word in enumerate(names or ()):
                if word not in (known := blocks_of(sections.get(section)) | blocks_of(added.get(section))):
                    reason = f"no {section[:-1]} called {word}.{nearest(word, known)}"
                    problems.add(("grades", grade, section, str(place)), reason, file)
    changed = (block for asked in read.grades.values() for block in asked.change.values())
    entries = [entry for block in (*sections.values(), *changed) for entry in blocks_of(block)]
    for entry in read.words:
        if entry not in entries:
            problems.add(("words", entry), f"no entry called {entry} in this file.{nearest(entry, entries)}", file)
    return sections, read.groups, dict(read.grades), read.data_roles, read.words


def shipped() -> list[str]:
    """Return the names of the papers that come with touchstone, sorted."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/claims.yaml"))


def shipped_facts() -> dict[str, dict[str, Any]]:
    """Return {paper: the content of its claims.yaml} of the shipped papers, in the order of their ids."""
    facts = {name: read_yaml(SHIPPED / name / "claims.yaml") for name in shipped()}
    return dict(sorted(facts.items(), key=lambda item: min(item[1]["published"])))


def paper_folder(written: str, root: Path) -> Path:
    """Return the folder of a paper: a shipped one by its name, another by its path.

    Raises:
        ValueError: There is no such paper.
    """
    if "/" not in written:
        if written not in shipped():
            listed = ", ".join(shipped())
            raise ValueError(
                f"no paper called {shown(written)}. There are {listed}; write a folder of your own as ./NAME."
                f"{nearest(written, shipped())}"
            )
        return SHIPPED / written
    folder = root / typed_path(written)
    if not NAME.fullmatch(folder.resolve().name) or folder.resolve().name == SHARED:
        raise ValueError(f"{written}: a paper's folder is named [a-z][a-z0-9_]*, and not {SHARED}")
    for file in ("claims.yaml", "experiment.yaml"):
        if not (folder / file).is_file():
            place = folder.resolve()
            raise ValueError(
                f"{written}: {file} is missing in {place}; paths start from the folder of the Snakefile, and "
                "`touchstone new paper NAME` begins a paper"
            )
    return folder


def read_papers(listed: Mapping[str, str], root: Path, problems: Problems) -> tuple[list[Paper], Book]:
    """Return the papers that a study lists, and their claims; every mistake goes to `problems`.

    Args:
        listed: paper, as written -> its grade.
        root: the folder of the Snakefile.
        problems: receives every mistake.

    Raises:
        ParamsError: a paper is wrong.
    """
    papers: list[Paper] = []
    for written, grade in listed.items():
        try:
            folder = paper_folder(written, root)
        except ValueError as error:
            problems.add(("papers", written), str(error), problems.own)
            continue
        paper = read_paper(folder, problems)
        if grade not in (CHOSEN, *paper.grades, FULL):
            known = ", ".join(dict.fromkeys([CHOSEN, *paper.grades, FULL]))
            problems.add(("papers", written), f"it has no grade {grade}; its grades are {known}", problems.own)
        for other in papers:
            _compare(paper, other, problems)
        papers.append(paper)
    problems.stop()
    book = Book({}, {})
    try:
        book = _book(tuple(_read(paper.folder) for paper in papers))
    except ClaimError as error:
        (owner,) = [paper for paper in papers if error.place[1] in (paper.facts.get("criteria") or {})]
        problems.add(error.place, error.message, owner.claims_file)
    problems.stop()
    return papers, book


def criteria_of(paper: Paper, book: Book) -> list[Criterion]:
    """Return the criteria of one paper, from the claims of all papers of a study."""
    return [book.criteria[name] for name in paper.facts.get("criteria") or {}]


def _read(folder: Path) -> tuple[Path, str]:
    """Return the file of a paper's claims and its text."""
    return folder / "claims.yaml", text_of(folder / "claims.yaml")


@lru_cache(KEPT)  # otherwise a quarter of the time of reading a second study would go into checks of the same papers
def _mistakes(file: Path, text: str) -> tuple[ClaimError, ...]:
    """Return what is wrong with the claims of a paper."""
    facts = content_of(file, text)
    return (*paper_files.mistakes(facts), *contrast_files.mistakes(facts))


@lru_cache(KEPT)
def _book(files: tuple[tuple[Path, str], ...]) -> Book:
    """Return the claims of several papers.

    Raises:
        ClaimError: a claim is wrong.
    """
    return paper_files.book({str(file): content_of(file, text) for file, text in files})


def read_paper(folder: Path, problems: Problems) -> Paper:
    """Return one paper; every mistake goes to `problems`."""
    name = folder.resolve().name
    claims_file, text = _read(folder)
    facts, file = content_of(claims_file, text), folder / "experiment.yaml"
    for mistake in _mistakes(claims_file, text):
        problems.add(mistake.place, mistake.message, claims_file)
    sections, groups, grades, roles, words = _experiment(file, name, problems)
    if roles:
        problems.add(("data_roles",), "only common.yaml has data roles", file)
    for claim in blocks_of(sections.get("claims")):
        if claim != "shared" and claim not in blocks_of(facts.get("criteria")):
            reason = f"claims.yaml has no such criterion.{nearest(claim, blocks_of(facts.get('criteria')))}"
            problems.add(("claims", claim), reason, file)
    for role in unknown_shared(facts, sections):
        problems.add(("claims", "shared", role), "no criterion of the paper has such a role", file)
    return Paper(name, file, without_shared(facts, sections), groups, grades, {}, words, folder, facts)


def _compare(paper: Paper, other: Paper, problems: Problems) -> None:
    """Record what two papers of a study both define."""
    if paper.name == other.name:
        same = paper.folder.resolve() == other.folder.resolve()
        reason = f"lists {paper.name} twice" if same else f"names two papers called {paper.name}; rename a folder"
        problems.add(("papers",), reason, problems.own)
        return
    for key in ("name", "title"):
        if key in paper.facts and paper.facts[key] == other.facts.get(key):
            reason = f"{other.name} has it, too; the report tells papers apart by it"
            problems.add((key,), reason, paper.claims_file)
    for part in ("published", "criteria"):
        both = blocks_of(paper.facts.get(part)).keys() & blocks_of(other.facts.get(part)).keys()
        one, first = (other, paper) if paper.is_shipped else (paper, other)  # a shipped one cannot change
        for name in sorted(both):
            reason = f"{first.name} has a claim of this id, too; ids are unique in a study"
            problems.add((part, name), reason, one.claims_file)
    compare_entries(paper, other, other.name, problems)


def compare_entries(paper: Paper, other: Experimental, called: str, problems: Problems) -> None:
    """Record the entries of a paper that another paper, or what papers share, defines, too."""
    for section, block in paper.sections.items():
        others = other.sections.get(section)
        if section != "claims" and isinstance(block, dict) and isinstance(others, dict):
            for name in block.keys() & others.keys() - {DEFAULTS}:
                problems.add((section, name), f"{called} defines it, too; choose another name", paper.file)


def compare_additions(graded: Sequence[tuple[Experimental, str]], problems: Problems) -> None:
    """Record the entries that the grade of a paper adds and another paper of the study has or adds, too."""
    papers = [(one, word) for one, word in graded if isinstance(one, Paper)]
    owners = {
        (section, name): one
        for one, _ in papers
        for section, block in one.sections.items()
        for name in blocks_of(block)
    }
    for one, word in papers:
        for grade, changed in one.changes(word):
            for section, block in changed.change.items():
                for name, entry in blocks_of(block).items():
                    owner = owners.setdefault((section, name), one)
                    if isinstance(entry, dict) and "use" in entry and owner is not one:
                        place = ("grades", grade, "change", section, name)
                        problems.add(place, f"{owner.name} defines it, too; choose another name", one.file)
