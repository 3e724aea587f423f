"""Which code built an artefact, if it is not the code here."""

import os

import pytest

from touchstone.pipeline.auditing import other_code
from touchstone.pipeline.provenance import code

FILES = {
    "records/encoding.py": "A = 1\n",
    "numerics/cpu_paths.py": "PINNED = 1\n",
    "pipeline/steps/attack.py": "STEP = 1\n",
    "attacks/pgd.py": "from touchstone.adversary.losses import loss\n\n\ndef pgd():\n    return loss()\n",
    "adversary/losses.py": "def loss():\n    return 4\n",
}
SETTINGS = {"component": {"use": "attacks/pgd", "eps": 0.1}}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / "touchstone" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "touchstone" / name).write_text(text)
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "touchstone")
    code._parsed.cache_clear()
    yield tmp_path / "touchstone"
    code._parsed.cache_clear()


def record_of(settings=SETTINGS):
    files = code.code_files(code.roots("attack", settings))
    record = {"artefact": "sha256:a", "step": "attack", "settings": settings, "inputs": {}}
    return record | {"code": code.code_digest(files), "files": files}


def edit(path, text):
    path.write_text(text)
    os.utime(path, ns=(1, 1))


def named(record, root):
    return [(each.file, each.problem) for each in other_code.notes([("data/s/x", record)], root)]


def test_the_same_code_is_no_note(package):
    assert named(record_of(), package) == []


def test_a_comment_is_the_same_code(package):
    record = record_of()

    edit(package / "attacks/pgd.py", f"# Why.\n{FILES['attacks/pgd.py']}")

    assert named(record, package) == []


@pytest.mark.parametrize("file", ["attacks/pgd.py", "adversary/losses.py", "pipeline/steps/attack.py"])
def test_changed_code_is_named(package, file):
    record = record_of()

    edit(package / file, FILES[file].replace("1", "2").replace("4", "5").replace("loss()\n", "2 * loss()\n"))

    assert named(record, package) == [("data/s/x", f"built by other code: {file}; that code is in no commit here")]


def test_a_new_import_is_named(package):
    record, names = record_of(), ["adversary/goals.py", "attacks/pgd.py"]
    (package / "adversary/goals.py").write_text("GOAL = 1\n")
    edit(package / "attacks/pgd.py", f"from touchstone.adversary import goals\n{FILES['attacks/pgd.py']}")

    assert named(record, package)[0][1].startswith(f"built by other code: {', '.join(names)};")


def test_of_much_other_code_the_first_names_are_shown_and_the_rest_is_counted(package):
    record = record_of()
    record["files"] = record["files"] | {f"attacks/a{place}.py": "sha256:0" for place in range(9)}

    ((_, problem),) = named(record, package)

    shown = ", ".join(f"attacks/a{place}.py" for place in range(other_code.SHOWN))
    assert problem.startswith(f"built by other code: {shown} and {9 - other_code.SHOWN} more;")


@pytest.mark.parametrize("use", ["../hosts", "/etc/hosts", "attacks/no_such_attack", "attacks/pgd\0"])
def test_a_record_cannot_name_code_outside_the_package(package, use):
    (package.parent / "hosts.py").write_text("not python at all(")
    record = record_of() | {"settings": {"component": {"use": use}}}

    assert "attacks/pgd.py" in other_code.names(record)


@pytest.mark.parametrize("files", [{"a\0.py": "sha256:0"}, {"\x1b[2J.py": "sha256:0"}, {"a.py": ["no", "text"]}])
def test_forged_names_and_digests_of_code_are_named_and_looked_up_nowhere(package, files):
    record = record_of()
    record["files"] = record["files"] | files

    ((_, problem),) = named(record, package)

    assert problem.endswith("; that code is in no commit here")
    assert problem.isprintable()


def test_settings_without_an_end_are_named_as_other_code(package):
    settings = {"component": {"use": "attacks/pgd"}}
    for _ in range(5000):
        settings = {"nested": settings}

    assert [problem for _, problem in named(record_of() | {"settings": settings}, package)] == [
        "cannot be compared with the code here: its settings are nested too deeply"
    ]


@pytest.mark.parametrize("damage", [{"files": None}, {"settings": []}, {"step": 3}, {"code": None}])
def test_a_malformed_record_is_left_to_the_checks_of_records(package, damage):
    assert named(record_of() | damage, package) == []
