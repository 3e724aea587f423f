from touchstone.report.docstrings import sections

DOCSTRING = """Measure how much is left.

The union counts an input
as right once.

Args:
    outputs: clean ones, and
        attacked ones: all of them.
    eps, norm: the budget.

Returns:
    Rows robust_accuracy: per
    attack.

Raises:
    ValueError: there is nothing.

References:
    Madry et al. 2018.
"""


def test_a_docstring_becomes_titled_parts_without_line_breaks_or_errors():
    first, arguments, returns, references = sections(DOCSTRING)

    assert first == ("", ["Measure how much is left.", "The union counts an input as right once."], [])
    assert arguments.items == [
        ("outputs", "clean ones, and attacked ones: all of them."),
        ("eps, norm", "the budget."),
    ]
    assert (returns.title, returns.paragraphs) == ("What is measured", ["Rows robust_accuracy: per attack."])
    assert references.paragraphs == ["Madry et al. 2018."]


def test_bullets_are_paragraphs_of_their_own():
    (section,) = sections("Returns:\n    Rows of `a`:\n\n    - one,\n      as usual\n    - two\n")

    assert section.paragraphs == ["Rows of a:", "• one, as usual", "• two"]


def test_a_docstring_without_sections_is_its_paragraphs():
    assert sections("Return rows.\n\nscores: of\ndetectors.") == [("", ["Return rows.", "scores: of detectors."], [])]
    assert sections("") == []
