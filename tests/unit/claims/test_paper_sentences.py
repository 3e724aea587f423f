"""The sentences of the papers: each claim has one, with a direction, both numbers, and nothing presumed; none has a code."""

import re
from pathlib import Path

import pytest
import yaml

from touchstone.claims import contrast_files

ROOT = Path(__file__).parents[3]
FILES = [*ROOT.glob("src/touchstone/papers/*/claims.yaml"), *ROOT.glob("examples/papers/*/claims.yaml")]
EXPERIMENTS = [*ROOT.glob("src/touchstone/papers/*/experiment.yaml"), ROOT / "src/touchstone/papers/common.yaml"]
TEMPLATES = [*ROOT.glob("src/touchstone/**/*.html"), *ROOT.glob("src/touchstone/**/*.jinja")]
EMPTY = re.compile(r"\b(?:differs?|changes?)\b[^.;]*? by \{|\bdiffers? by\b|\bchanges? by\b")  # in which direction?
IDS = re.compile(r"\b[A-OQ-Z][a-z]*-?\d+\b(?=[,.;:)\s]|$)")
VERBS = r"exceed|raise|lower|gain|lose|lost|take|add|improve|drop|rise|fall"
SIGNED = re.compile(
    r"\{\w+\} (?:more|less|above|below|higher|lower|fewer)\b"
    rf"|\b(?:{VERBS})s?\b[^.;:]*? by \{{|\b(?:gain|loss|drop|rise|improvement) of \{{",
    re.ASCII,
)
PRESUMING = re.compile(rf"\b(?:{VERBS})s? (?:it )?(?:by |of )?$")  # right before a difference
DIFFERENCES = ("_minus_", "_difference", "_less_", "gain", "drop_from", "taken_by", "excess")
ONE_IS_MEASURED = ("A17",)  # of what is left without an attack, the run measures only the difference


def criteria():
    for file in FILES:
        for name, block in yaml.safe_load(file.read_text())["criteria"].items():
            yield pytest.param(block | {"id": name}, id=name)


CRITERIA = pytest.mark.parametrize("block", [*criteria()])


@CRITERIA
def test_every_criterion_has_a_sentence_with_a_number(block):
    assert re.search(r"\{(?:\d+(?::each)?|breaks)\}", block.get("says", ""))


@CRITERIA
def test_a_sentence_names_the_direction_and_no_id(block):
    assert EMPTY.findall(block["says"]) == []
    assert [word for word in IDS.findall(block["says"]) if word not in ("L1", "L2", "L8", "PGD40")] == []


@CRITERIA
def test_a_sentence_names_no_entry(block):
    assert re.findall(r"\w+_\w+", re.sub(r"\{\w*\}", "", block["says"])) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_the_opening_picture_names_no_entry_and_no_id(file):
    for one in contrast_files.read(yaml.safe_load(file.read_text())):
        words = [one.name, one.shows, *(test.name for test in one.criterion.tests)]
        assert [word for word in words if re.search(r"\w_\w", word) or IDS.search(word)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_no_prose_of_a_paper_names_a_claim_by_its_id(file):
    content = yaml.safe_load(file.read_text())
    texts = [content.get("idea", ""), content.get("change", ""), *content.get("limits", []), *content["unfair"]]
    texts += [each[key] for each in content["criteria"].values() for key in ("setting", "says")]

    assert [text for text in texts if set(re.findall(r"\w+-?\d+", text)) & content["criteria"].keys()] == []


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.parent.name)
def test_no_question_and_no_caption_names_an_entry(file):
    content = yaml.safe_load(file.read_text())
    changed = [grade.get("change", {}) for grade in content.get("grades", {}).values()]
    blocks = [
        each
        for one in (content, *changed)
        for part in ("evaluations", "figures")
        for each in one.get(part, {}).values()
    ]
    texts = [text for each in blocks for text in (each.get("question"), each.get("caption")) if text]

    assert [text for text in texts if re.search(r"\w_\w|differs? by", text)] == []
    assert [text for text in content.get("words", {}).values() if re.search(r"\w_\w", text)] == []


def differences(block):
    """Return the numbers of a sentence that are differences of two, as its places."""
    metric = block.get("rows", {}).get("metric", "")
    return {
        str(place)
        for place, one in enumerate(block["tests"])
        if any(word in one.get("metric", metric) for word in DIFFERENCES)
    }


@CRITERIA
def test_no_sentence_presumes_the_sign_of_its_number(block):
    assert SIGNED.findall(block["says"]) == []
    for place in differences(block):
        assert not [text for text in re.split(rf"\{{{place}\}}", block["says"])[:-1] if PRESUMING.search(text)]


@CRITERIA
def test_what_compares_two_numbers_says_both(block):
    """Exchanged, they must make the sentence wrong: one difference alone cannot do that."""
    places = set(re.findall(r"\{(\d+|breaks)\}", block["says"]))
    compared = places & differences(block)
    if compared:
        assert len(places - compared) >= (1 if block["id"] in ONE_IS_MEASURED else 2)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_template_says_that_something_differs_without_a_direction(file):
    assert re.findall(r"\b(?:differs|changes) by\b", file.read_text()) == []


@pytest.mark.parametrize(
    "says",
    [
        "errs {0} more often", "stays {1} above", "the error exceeds the other's by {2}", "margins exceed the smallest by {0}",
        "an AUROC of {1}, a gain of {0}",
    ],
)  # fmt: skip
def test_a_sentence_that_presumes_a_sign_is_seen(says):
    assert SIGNED.search(says)


@pytest.mark.parametrize("before", ["gradients gain ", "it loses ", "twice the steps take ", "exceeds it by "])
def test_a_verb_that_presumes_the_sign_of_a_difference_is_seen(before):
    assert PRESUMING.search(before)


@pytest.mark.parametrize(
    "says", ["the AUROC differs from that of MSP by {0}", "it changes the error by {1}", "differs by {0}"]
)
def test_a_sentence_without_a_direction_is_seen(says):
    assert EMPTY.search(says)
