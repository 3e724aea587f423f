"""The digest of a Python file covers its code, and its imports are those that lead into touchstone."""

import pytest

from touchstone.pipeline.provenance import parsed_code

SOURCE = b'"""A docstring."""\nfrom touchstone.adversary import losses\nimport os\nx = 1  # why\n'


def test_the_digest_covers_the_code_and_the_imports_are_those_of_touchstone():
    digest, modules = parsed_code.parsed(SOURCE)

    assert modules == ("touchstone.adversary", "touchstone.adversary.losses")
    assert digest == parsed_code.parsed(SOURCE.replace(b"A docstring", b"Another").replace(b"why", b"why not"))[0]
    assert digest != parsed_code.parsed(SOURCE.replace(b"x = 1", b"x = 2"))[0]


def test_a_relative_import_is_refused_because_the_digest_would_not_cover_it():
    with pytest.raises(ValueError, match=r"a relative import; write `from touchstone\.NAME import"):
        parsed_code.parsed(b"from ..scale import SCALE\n")
