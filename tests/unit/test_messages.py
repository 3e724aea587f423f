"""Pieces of messages read as a sentence does."""

import pytest

from touchstone.messages import listed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_listed_as_in_a_sentence(words, sentence):
    assert listed(words) == sentence
