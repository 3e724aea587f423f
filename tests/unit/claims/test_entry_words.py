"""What people call an entry: by words for it, for its pattern or its kind, or else by its name with spaces."""

import pytest
from hand_made_claims import ASKED, ROLES, asks, book, networks

from touchstone.claims.entry_words import called
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.sentences import open_because, said

WORDS = {
    "pgd": "PGD",
    "cnn_oe": "outlier exposure",
    "gradients_on_*": "gradients fitted on *",
    "layered_*": "the distance",
}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("cnn_oe", "outlier exposure"),
        ("cnn_oe_0", "outlier exposure"),
        ("pgd_10", "PGD"),
        ("gradients_on_pgd_10", "gradients fitted on PGD"),
        ("gradients_on_shot_noise", "gradients fitted on shot noise"),
        ("layered_outliers", "the distance"),
        ("few_faces", "few faces"),
        ("fgsm_10", "fgsm 10"),
        ("msp", "msp"),
    ],
)
def test_an_entry_is_called_by_its_words_or_those_of_its_kind(entry, words):
    assert called(entry, WORDS) == words


def test_an_entry_without_words_keeps_no_code_name():
    assert called("cnn_known_5", {}) == "cnn known 5"


def judged(value, **more):
    """Return the verdict on a claim about two networks, with its sentence."""
    block = asks(at_least=0.8) | {"says": "right on at least {0}", "roles": ROLES | {"net": "each classifiers"}} | more
    rows = [*networks(value, entry="cnn_oe_0"), *networks(0.95, entry="cnn")]
    study = StudyClaims({"main": "robustness"}, {"S9-1": ASKED | {"net": ["cnn_oe_0", "cnn"]}}, words=WORDS)
    return judge(book(S9_1=block), study, rows)[0]


def test_a_sentence_and_the_reason_of_an_open_verdict_call_networks_as_people_do():
    assert said(judged(0.9)).endswith("(outlier exposure)")
    reason = open_because(judged(0.8))
    assert "outlier exposure" in reason and "cnn_oe" not in reason


def test_the_entry_in_the_name_of_a_number_is_called_as_people_do():
    tests = [{"name": "accuracy of {net}", "at_least": 0.8}]

    assert judged(0.9, tests=tests).parts[0].title == "accuracy of outlier exposure"
