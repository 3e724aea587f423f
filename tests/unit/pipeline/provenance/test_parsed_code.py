"""What was parsed is remembered by a file's bytes and never believed if another parser wrote it."""

import json

import pytest

from touchstone.pipeline.provenance import parsed_code

SOURCE = b'"""A docstring."""\nfrom touchstone.adversary import losses\nimport os\nx = 1  # why\n'


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


def forget():
    parsed_code._store.cache_clear()
    parsed_code._saved[0] = 0


def test_the_digest_covers_the_code_and_the_imports_are_those_of_touchstone():
    digest, modules = parsed_code.parsed(SOURCE)

    assert modules == ("touchstone.adversary", "touchstone.adversary.losses")
    assert digest == parsed_code.parsed(SOURCE.replace(b"A docstring", b"Another").replace(b"why", b"why not"))[0]
    assert digest != parsed_code.parsed(SOURCE.replace(b"x = 1", b"x = 2"))[0]


def test_a_relative_import_is_refused_because_the_digest_would_not_cover_it():
    with pytest.raises(ValueError, match=r"a relative import; write `from touchstone\.NAME import"):
        parsed_code.parsed(b"from ..scale import SCALE\n")


def test_without_the_folder_of_a_run_nothing_is_written(tmp_path):
    parsed_code.parsed(SOURCE)
    parsed_code.save()

    assert list(tmp_path.iterdir()) == []


def test_another_process_need_not_parse_again(tmp_path, monkeypatch):
    parsed_code.STORE.parent.mkdir()
    first = parsed_code.parsed(SOURCE)
    parsed_code.save()
    forget()
    monkeypatch.setattr(parsed_code.ast, "parse", None)

    assert parsed_code.parsed(SOURCE) == first


@pytest.mark.parametrize("damage", ["another parser", "not JSON", "another shape"])
def test_a_store_that_cannot_be_believed_is_not(damage):
    parsed_code.STORE.parent.mkdir()
    first = parsed_code.parsed(SOURCE)
    parsed_code.save()
    content = json.loads(parsed_code.STORE.read_text())
    content["files"] = {key: ["sha256:forged", []] for key in content["files"]}
    text = {
        "another parser": json.dumps(content | {"by": "sha256:other"}),
        "not JSON": "{",
        "another shape": json.dumps({"by": content["by"], "files": [1]}),
    }[damage]
    parsed_code.STORE.write_text(text)
    forget()

    assert parsed_code.parsed(SOURCE) == first
