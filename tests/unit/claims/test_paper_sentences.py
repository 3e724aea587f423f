"""The sentences of the papers' claims: each has one, it names a direction, and it presumes nothing of its numbers."""

import re
from pathlib import Path

import pytest
import yaml

from touchstone.claims import contrast_files
from touchstone.claims.criteria import CLAIM, COUNTER

ROOT = Path(__file__).parents[3]
FILES = [*ROOT.glob("src/touchstone/papers/*/claims.yaml"), *ROOT.glob("examples/papers/*/claims.yaml")]
TEMPLATES = [*ROOT.glob("src/touchstone/**/*.html"), *ROOT.glob("src/touchstone/**/*.jinja")]
EMPTY = re.compile(r"\b(?:differs?|changes?)\b[^.;]*? by \{|\bdiffers? by\b|\bchanges? by\b")  # in which direction?
IDS = re.compile(r"\b[A-OQ-Z][a-z]*-?\d+\b(?=[,.;:)\s]|$)")
SIGNED = re.compile(
    r"\{\w+\} (?:more|less|above|below|higher|lower|fewer)\b|(?:exceeds|raises|lowers)\b[^.;]*? by \{", re.ASCII
)


def criteria():
    for file in FILES:
        for name, block in yaml.safe_load(file.read_text())["criteria"].items():
            yield pytest.param(block, id=name)


CRITERIA = pytest.mark.parametrize("block", [*criteria()])


@CRITERIA
def test_every_criterion_has_a_sentence_with_a_number(block):
    assert re.search(r"\{(?:\d+|breaks)\}", block.get("says", ""))


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


@CRITERIA
def test_no_sentence_presumes_the_sign_of_its_number(block):
    assert SIGNED.findall(block["says"]) == []


@CRITERIA
def test_what_compares_two_numbers_says_both(block):
    """Exchanged, they must make the sentence wrong: one difference alone cannot do that."""
    differences = ("_minus_", "_difference", "_less_", "gain")
    rows = block.get("rows", {})
    compared = [
        one for one in block["tests"] if any(word in one.get("metric", rows.get("metric", "")) for word in differences)
    ]
    if compared and block.get("kind", CLAIM) in (CLAIM, COUNTER):
        assert len(set(re.findall(r"\{(?:\d+|breaks)\}", block["says"]))) >= 2


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_no_template_says_that_something_differs_without_a_direction(file):
    assert re.findall(r"\b(?:differs|changes) by\b", file.read_text()) == []


@pytest.mark.parametrize("says", ["errs {0} more often", "stays {1} above", "the error exceeds the other's by {2}"])
def test_a_sentence_that_presumes_a_sign_is_seen(says):
    assert SIGNED.search(says)


@pytest.mark.parametrize(
    "says", ["the AUROC differs from that of MSP by {0}", "it changes the error by {1}", "differs by {0}"]
)
def test_a_sentence_without_a_direction_is_seen(says):
    assert EMPTY.search(says)
