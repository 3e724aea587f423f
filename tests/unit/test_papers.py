"""docs/papers: every component of a paper is named there, tables equal the claims files, and citations lead to a heading."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest

from touchstone import registry
from touchstone.claims import paper_files
from touchstone.plugins import place_of
from touchstone.settings import papers

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "papers"
PAGES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.md"))}
TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))
NAMED = {name for text in PAGES.values() for name in re.findall(r"`([a-z_]+/[a-z0-9_]+)`", text)}
BUILT = ("attacks", "adaptive", "margins", "training", "detectors", "models", "data")
THE_USERS_OWN = "reads what the user brings, no paper's method"
EXCEPTIONS = {
    "attacks/torchattacks": "another library's classes, by name: own_components.md",
    "detectors/pytorch_ood": "another library's classes, by name: own_components.md",
    "data/own_images": THE_USERS_OWN,
    "models/program_file": THE_USERS_OWN,
}
# A page, then headings in quotes, such as "Router" and "Protocol", or one without quotes.
CITATION = re.compile(r'docs/papers/(\w+\.md), ((?:"[^"]+"[\w ,]*)+|[A-Z][^.;:)]{0,60})')
WORDS = 10_000  # of the seven pages: formulas, traps, deviations, settings of attacks, and what each claim measures

ABSENT = re.compile(
    r"(?<![\w/*])(?:papers|design|peers|style|science|workflow|report|rooms)\.md\b"
)  # notes of the builders


def unresolved(text, pages):
    """Return the citations in a text, line breaks and comment marks aside, that do not start with a heading of their page."""
    flat = re.sub(r"\s*\n\s*(?:# )?", " ", text)
    headings = {name: re.findall(r"^## (.+)$", page, re.MULTILINE) for name, page in pages.items()}
    return [
        f"{found[1]}, {cited}"
        for found in CITATION.finditer(flat)
        for cited in (re.findall(r'"([^"]+)"', found[2]) if found[2].startswith('"') else [found[2]])
        if not cited.startswith(tuple(headings.get(found[1], ())))
    ]


def shipped(folder):
    """The components of a folder of the package, whatever plug-ins other tests have located."""
    files = (Path(registry.__file__).parent / place_of(folder)).glob("*.py")
    return {f"{folder}/{path.stem}" for path in files if not path.stem.startswith("_")}


@pytest.mark.parametrize("folder", BUILT)
def test_every_component_is_on_a_page_or_has_a_reason_not_to_be(folder):
    assert shipped(folder) - NAMED - set(EXCEPTIONS) == set()


def test_no_exception_is_out_of_date():
    built = set().union(*map(shipped, BUILT))

    assert set(EXCEPTIONS) <= built - NAMED


def test_every_component_on_a_page_exists():
    known = set().union(*map(shipped, registry.FOLDERS))

    assert {name for name in NAMED if name.split("/")[0] in registry.FOLDERS} <= known


@pytest.mark.parametrize("paper", papers.shipped())
def test_a_page_shows_every_measured_figure_and_every_claim_of_its_claims_file(paper):
    page = PAGES[f"{paper}.md"]
    parts = {found["part"]: found["table"] for found in TABLES["CLAIMS"].finditer(page)}

    assert parts == {part: TABLES["claims_of"](part, paper) for part in ("published", "criteria")}
    assert f"papers/{paper}.md" in (ROOT / "docs" / "README.md").read_text()


def test_a_table_holds_the_figures_that_a_study_measures_with_their_words():
    table = TABLES["claims_of"]("published", "fgsm")
    book = paper_files.book(papers.shipped_facts())
    ids = re.findall(r"^\| (P\d-\d+) \|", table, re.MULTILINE)

    assert ids == [f"P3-{number}" for number in range(1, 19) if number not in (3, 5, 7, 14, 17)]
    assert all(book.published[name].figure in table for name in ("P3-1", "P3-6", "P3-12"))


def test_a_table_holds_the_claims_and_no_number_without_a_verdict():
    table = TABLES["claims_of"]("criteria", "margin_consistency")

    assert re.findall(r"^\| (M\d+) \|", table, re.MULTILINE) == ["M1", "M2", "M3", "M4"]


def test_a_figure_says_what_it_was_read_in_if_that_was_not_the_text():
    rows = {row.split(" | ")[0]: row for row in TABLES["claims_of"]("published", "margin_consistency").splitlines()}

    assert rows["| P2-2"].endswith("| the same cell 66 (code) |")
    assert rows["| P2-4"].endswith("| abstract |") and rows["| P2-5"].endswith("| review thread |")


def test_a_table_that_no_longer_equals_the_claims_file_is_rewritten():
    page = "before\n<!-- criteria of aloe -->\n\nold\n\n<!-- end -->\nafter"

    new = TABLES["rewritten"](page)

    assert "\nold\n" not in new and "| A1 |" in new
    assert new.startswith("before\n<!-- criteria of aloe -->\n\n| ") and new.endswith("\n<!-- end -->\nafter")


def test_every_citation_of_these_pages_leads_to_a_heading():
    folders = ("src", "tests", "docs", "benchmarks", "workflow", "params.yaml", "README.md")
    listed = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if name.endswith((".py", ".md", ".yaml"))]

    assert {path.name: wrong for path in paths if (wrong := unresolved(path.read_text(), PAGES))} == {}


def tracked() -> dict[str, str]:
    """Return the text of every tracked text file by its path; reports, which runs write, hold texts of these."""
    line = ["git", "ls-files", "-z", "--", ".", ":!reports"]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = {name: ROOT / name for name in listed.split("\0") if name}
    return {name: path.read_text() for name, path in paths.items() if path.is_file()}


def test_no_file_cites_notes_that_are_not_in_the_repository():
    assert {name: set(cited) for name, text in tracked().items() if (cited := ABSENT.findall(text))} == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see papers" + ".md 2.h", 1),
        ("(design" + ".md, 3)", 1),
        ("reports/digits/report" + ".md, docs/papers/aloe.md", 0),
        ("my_style" + ".md", 0),
    ],
)
def test_a_citation_of_absent_notes_is_seen(text, count):
    assert len(ABSENT.findall(text)) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("docs/papers/aloe.md, Objective.", 0),
        ("docs/papers/aloe.md,\n    # Objective and more", 0),
        ("docs/papers/" + "aloe.md, Nowhere.", 1),
        ("docs/papers/" + "nobody.md, Objective.", 1),
        ('docs/papers/aloe.md, "Objective" and "Objective", 3', 0),
        ("docs/papers/" + 'aloe.md, "Objective" 2 to 4, and "Nowhere"; more.', 1),
    ],
)
def test_a_citation_that_leads_nowhere_is_seen(text, count):
    assert len(unresolved(text, {"aloe.md": "# ALOE\n\n## Objective\n"})) == count


def test_the_pages_are_short_enough_to_be_read():
    counts = {name: len(text.split()) for name, text in PAGES.items()}

    assert sum(counts.values()) <= WORDS, counts
