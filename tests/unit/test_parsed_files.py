"""What was parsed is remembered by a file's bytes, and never read if another parser wrote it or if it is not whole."""

from pathlib import Path

import pytest

from touchstone import parsed_files, registry, signatures
from touchstone.provenance import code
from touchstone.registry import FOLDERS, component, names
from touchstone.signatures import ComponentError, read_signature

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parsed_files, "_trusted", True)
    forget()
    yield
    forget()


def forget():
    """Do as the next process does."""
    parsed_files._store.cache_clear()
    parsed_files._added.clear()
    registry._component.cache_clear()
    signatures._statements.cache_clear()


def refuse(source):
    raise AssertionError("parsed again")


def kept():
    parsed_files.STORE.parent.mkdir(exist_ok=True)
    code.save()
    forget()


def test_without_the_folder_of_a_run_nothing_is_written(tmp_path):
    assert parsed_files.remembered("length", b"four", len) == 4
    code.save()

    assert list(tmp_path.iterdir()) == []


def test_another_process_need_not_parse_the_same_bytes_again():
    parsed_files.remembered("length", b"four", len)
    kept()

    assert parsed_files.remembered("length", b"four", refuse) == 4
    with pytest.raises(AssertionError, match="parsed again"):
        parsed_files.remembered("length", b"five!", refuse)
    with pytest.raises(AssertionError, match="parsed again"):
        parsed_files.remembered("length of another version", b"four", refuse)


def test_a_store_with_nothing_new_is_not_written_again():
    parsed_files.remembered("length", b"four", len)
    kept()
    parsed_files.STORE.chmod(0o400)
    before = parsed_files.STORE.stat().st_ino
    parsed_files.remembered("length", b"four", len)
    code.save()

    assert parsed_files.STORE.stat().st_ino == before
    assert [path.name for path in parsed_files.STORE.parent.iterdir()] == [parsed_files.STORE.name]


@pytest.mark.parametrize("damage", ["a changed value", "cut off", "empty", "no text", "too large"])
def test_a_store_that_is_not_whole_is_not_read(damage, monkeypatch):
    parsed_files.remembered("length", b"four", len)
    kept()
    whole = parsed_files.STORE.read_bytes()
    damaged = {
        "a changed value": whole.replace(b": 4", b": 5"),
        "cut off": whole[:-1],
        "empty": b"",
        "no text": b"\xff\x00",
        "too large": whole,
    }[damage]
    assert damage == "too large" or damaged != whole
    parsed_files.STORE.write_bytes(damaged)
    if damage == "too large":
        monkeypatch.setattr(parsed_files, "LARGEST", 10)

    assert parsed_files.remembered("length", b"four", lambda source: "parsed again") == "parsed again"


def test_a_store_that_is_distrusted_is_neither_read_nor_written():
    parsed_files.remembered("length", b"four", len)
    kept()
    before = parsed_files.STORE.read_bytes()
    assert parsed_files.remembered("length", b"four", refuse) == 4
    parsed_files.disable_cache()

    assert parsed_files.remembered("length", b"four", lambda source: "parsed again") == "parsed again"
    assert parsed_files.remembered("length", b"four", refuse) == "parsed again"  # once in this process
    code.save()
    assert parsed_files.STORE.read_bytes() == before


def test_a_parser_of_other_code_has_another_version(tmp_path):
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text("x = 1\n")
    (tmp_path / "b.py").write_text("x = 2\n")

    assert len({parsed_files.version(str(file)) for file in files}) == 2
    assert parsed_files.version(*map(str, files)) != parsed_files.version(str(files[0]))


def test_every_component_is_the_same_from_the_store(monkeypatch):
    everything = [(folder, name) for folder in FOLDERS for name in names(folder)]
    parsed = [component(*one) for one in everything]
    kept()
    monkeypatch.setattr(signatures.ast, "parse", refuse)

    assert [component(*one) for one in everything] == parsed
    assert len(parsed) > 150


def test_what_is_refused_is_refused_again(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("def own(*, size=3): ...\n")

    for _ in range(2):
        with pytest.raises(ComponentError, match="size: a setting needs a type"):
            read_signature(file, "own")
        kept()
