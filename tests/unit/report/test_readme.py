"""The report as a README: the answers, the picture, the claims with a sentence each, and links that open."""

import re
from types import SimpleNamespace

import pytest

import synthetic_study
from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.report.answers import answers, opening_claims, outcome
from touchstone.report.readme import index, readme
from touchstone.report.tables import Line, Number, Table

FACTS = {
    "name": "Nine",
    "title": "Nine lives",
    "cite": "Cat. On lives. 2009.",
    "url": "https://example.org",
    "idea": "It lives <on>.",
    "answers": ["N6", "N2", "N1"],
    "unfair": ["Eight of them.", "No | cats."],
    "fixed": {"commit": "abc", "date": "2026-11-29"},
}


def line(claim, kind="claim", status="holds", attacker="broken", says=None, known=""):
    says = f"What {claim} found" if says is None else says
    return {
        "claim": claim, "paper": "Nine", "kind": kind, "status": status, "attacker": attacker, "says": says, "setting": "a setting",
        "known": known, "published": "",
    }  # fmt: skip


LINES = [line("N1"), line("N2"), line("N6", "counter", attacker="does not apply"), line("N11", "number", "", "")]


def made(**more):
    given = {"study": "digits", "title": "Digits", "studied": "Tested.", "papers": {"nine": FACTS}, "lines": LINES}
    return readme(**given | more)


def test_a_paper_is_answered_by_its_first_claim_and_the_first_counter_claim_against_it():
    kinds = {each["claim"]: each["kind"] for each in LINES}

    assert opening_claims(FACTS, kinds) == ["N2", "N6"]
    assert opening_claims({}, kinds) == ["N1", "N6"]
    assert opening_claims(FACTS, {"N6": "counter"}) == ["N6"]
    assert opening_claims({}, {"N11": "number"}) == []


def test_the_papers_file_may_name_the_claims_that_open_but_no_number():
    facts = FACTS | {"opening": ["N6", "N11", "N1", "N9"]}

    assert opening_claims(facts, {"N1": "claim", "N2": "claim", "N6": "counter", "N11": "number"}) == ["N6", "N1"]
    assert opening_claims(facts, {"N2": "claim", "N11": "number"}) == ["N2"]


def test_other_claims_open_where_none_of_the_answers_was_measured():
    kinds = {"N3": "claim", "N4": "claim", "N7": "counter"}

    assert opening_claims(FACTS, kinds) == ["N3", "N7"]
    assert opening_claims({"answers": ["N4"]}, kinds) == ["N4", "N7"]


def test_what_was_not_run_answers_nothing():
    lines = [line("N1", status="not run", says=""), line("N2"), line("N6", "counter", "not run", says="")]

    (answer,) = answers({"nine": FACTS}, lines)

    assert answer.title == "Nine lives" and [each["claim"] for each in answer.lines] == ["N2"]
    assert answers({"nine": FACTS}, lines[:1]) == []


def test_a_counter_claim_is_not_read_as_one_of_the_paper():
    assert outcome(line("N1")) == "holds; attacker who knows: broken"
    assert outcome(line("N1", attacker="does not apply")) == "holds"
    assert outcome(line("N6", "counter", attacker="upper bound only")) == "counter-claim holds"


def test_it_opens_with_the_sentences_of_the_answer_and_their_verdicts():
    head = made().split("## Claims")[0]

    lead = 'Tested. Brackets are 95 % intervals; with "to", the least and the greatest network.'
    assert head.startswith(f"# Digits\n\n{lead}\n\n## In short\n\n- **Nine lives. The promise holds here; a")
    first, second = re.findall("  - (.*)", head)
    assert first == "What N2 found. **N2: holds; attacker who knows: broken**"
    assert second == "What N6 found. **N6: counter-claim holds**"
    assert "AUROC says how well" in head and "AUROC says" not in made(papers={}, lines=[])


def test_every_claim_has_its_sentence_and_both_words_and_numbers_are_folded():
    text = made()

    assert "| N1 | What N1 found. | holds | broken |" in text
    assert "| N6 | What N6 found. | counter-claim holds |  |" in text
    assert "Numbers without a bound (1)" in text.split("| N11 | ")[0]
    assert "- No \\| cats." in text and "It lives \\<on>." in text
    assert "commit `abc` on 2026-11-29" in text


def test_what_was_not_run_has_no_line_of_the_table():
    assert "| N3 |" not in made(lines=[*LINES, line("N3", status="not run", says="")])


def contrast():
    row = vars(synthetic_study)["metric_row"]("robust_accuracy", 0.5, 0.5, 0.5)
    parts = [SimpleNamespace(name=name, bound=0.0, quantity=Quantity(value, value, value, row)) for name, value in
             (("one step", 0.9), ("a suite: worst", 0.1), ("no training: one step", 0.05))]  # fmt: skip
    return Contrast("Nine on a CNN", "accuracy", *parts, False)


def test_the_picture_has_its_finding_as_words_and_its_numbers_as_a_table():
    text = made(contrasts=[contrast()])

    assert (
        "![Under the strongest attack tried, Nine on a CNN loses more than half of its gain.](figures/overview.svg)"
        in text
    )
    assert "| Nine on a CNN: accuracy | 90 % (one step) | 10 % (a suite) | 5 % (no training) |" in text
    assert "figures/" not in made()


def test_a_study_without_claims_shows_what_it_measured():
    measured = Table("", ("measured",), ("value",), (Line(("Accuracy",), (Number(0.5, "50 %", "[40, 60]", 2),)),))

    text = made(papers={}, lines=[], measured=measured)

    assert "| Accuracy | 50 % [40, 60] |" in text and "## Claims" not in text and "claims.csv" not in text


@pytest.mark.parametrize("lines", [LINES, []])
def test_its_links_are_files_of_the_report(lines):
    links = re.findall(r"\]\(([^)]+)\)", made(lines=lines, contrasts=[contrast()]))

    assert set(links) <= {"report.html", "metrics.csv.gz", "claims.csv", "figures/overview.svg", "https://example.org"}


def test_the_index_has_the_answers_and_the_picture_of_each_study_with_links_into_their_folders():
    text = index({"big": made(title="Big", contrasts=[contrast()]), "small": made(title="Small")})

    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## [Big](big/README.md)",
        "## [Small](small/README.md)",
    ]
    assert text.count("What N2 found. **N2: holds; attacker who knows: broken**") == 2
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    assert links == {
        *("big/README.md", "big/README.md#claims", "big/report.html", "big/figures/overview.svg"),
        *("small/README.md", "small/README.md#claims", "small/report.html"),
    }
    assert "N1 found" not in text and "| " not in text


def test_it_counts_verdicts_names_what_was_not_run_and_says_how_often_an_outcome_was_known():
    lines = [line("N1", known="yes"), line("N2"), line("N3", status="not run"), line("N6", "counter", "fails")]

    counted = made(lines=lines).split("## Claims")[1]

    assert "Of 3 claims: holds 2, not run 1 (N3)." in counted
    assert "N1, N2 and N3: our own questions, for which no figure of the papers was read." in counted
    assert "Of those that hold, 1 have a bound fixed or changed after an earlier run" in counted
    assert "earlier run" not in made(lines=[line("N1")])


def test_a_claim_that_was_tried_in_variants_says_in_how_many_it_holds_and_where_it_turns():
    counts = "holds 5, turns 2, inconclusive 1 of 8"
    note = (
        "x; in a variant, 5 epochs, not 15: turns, -0.2 [-0.3, -0.1]; in a variant, an MLP: holds, 0.1; in a variant, a CNN:"
        " turns, -1"
    )
    lines = [line("N1") | {"variants": counts, "note": note}, line("N2"), line("N6", "counter")]

    text = made(lines=lines, papers={"nine": FACTS | {"opening": ["N1"]}})

    turns = "It turns with 5 epochs, not 15 (-0.2 [-0.3, -0.1]) and a CNN (-1)."
    carried = f"In variants of the experiment, one change each: {counts}. {turns}"
    assert text.count(carried) == 2
    assert f"![N1. {carried}](figures/variants_n1.svg)" in text
    assert "variants_n2" not in text


def test_no_text_of_a_study_becomes_a_link_and_no_address_that_is_code_is_one():
    facts = FACTS | {"url": "javascript:alert(1)", "cite": "Nine [x](http://evil.example) &lt;b&gt;"}

    text = made(papers={"nine": facts})

    assert "](javascript" not in text and "](http://evil" not in text
    assert r"Nine [x]\(http://evil.example) \&lt;b\&gt;" in text
