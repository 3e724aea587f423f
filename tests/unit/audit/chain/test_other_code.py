"""Which code built an artefact, if it is not the code here."""

import os

import pytest

from touchstone.audit.chain import other_code
from touchstone.provenance import code

FILES = {
    "__init__.py": "",
    "pipeline/jobs/run.py": "def run_in_own_process():\n    return 1\n",
    "pipeline/jobs/adapters.py": "def run_attack():\n    return 1\n",
    "attacks/pgd.py": "from touchstone.attacks.adversary.losses import loss\n\n\ndef pgd():\n    return loss()\n",
    "attacks/adversary/losses.py": "def loss():\n    return 4\n",
}
SETTINGS = {"component": {"use": "attacks/pgd", "eps": 0.1}}


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "touchstone"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(code, "PACKAGE", folder)
    monkeypatch.setattr(code, "_read", [])
    return folder


def record_of(settings=SETTINGS):
    made = code.code_of("attack", settings)
    record = {"artefact": "sha256:a", "step": "attack", "settings": settings, "inputs": {}}
    return record | {"code": made.digest, "definitions": made.definitions, "packages": made.packages}


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


@pytest.mark.parametrize("file", ["attacks/pgd.py", "attacks/adversary/losses.py", "pipeline/jobs/run.py"])
def test_changed_code_is_named(package, file):
    record = record_of()

    edit(package / file, FILES[file].replace("1", "2").replace("4", "5").replace("loss()\n", "2 * loss()\n"))

    name = {"attacks/pgd.py": "attacks.pgd.pgd", "attacks/adversary/losses.py": "attacks.adversary.losses.loss"}
    wanted = name.get(file, "pipeline.jobs.run.run_in_own_process")
    assert named(record, package) == [("data/s/x", f"built by other code: {wanted}; that code is in no commit here")]


def test_a_new_definition_is_named(package):
    record = record_of()
    (package / "attacks/adversary/goals.py").write_text("GOAL = 1\n")
    edit(
        package / "attacks/pgd.py",
        "from touchstone.attacks.adversary.goals import GOAL\n\n\ndef pgd():\n    return GOAL\n",
    )

    names = "attacks.adversary.goals.GOAL, attacks.adversary.losses.loss, attacks.pgd.pgd"
    assert named(record, package)[0][1].startswith(f"built by other code: {names};")


def test_another_version_of_a_package_is_named(package):
    edit(package / "attacks/adversary/losses.py", "import numpy\n\n\ndef loss():\n    return numpy.pi\n")
    record = record_of()

    older = record | {"code": "sha256:0", "packages": record["packages"] | {"numpy": "1.0"}}

    assert record["packages"].keys() == {"numpy"}
    assert named(older, package)[0][1].startswith("built by other code: numpy 1.0;")


def test_of_much_other_code_the_first_names_are_shown_and_the_rest_is_counted(package):
    record = record_of() | {"code": "sha256:0"}
    record["definitions"] = record["definitions"] | {f"attacks.a{place}.f": "0" for place in range(9)}

    ((_, problem),) = named(record, package)

    shown = ", ".join(f"attacks.a{place}.f" for place in range(other_code.SHOWN))
    assert problem.startswith(f"built by other code: {shown} and {9 - other_code.SHOWN} more;")


@pytest.mark.parametrize("use", ["../hosts", "/etc/hosts", "attacks/no_such_attack", "attacks/pgd\0"])
def test_a_record_cannot_name_code_outside_the_package(package, use):
    (package.parent / "hosts.py").write_text("not python at all(")
    record = record_of() | {"settings": {"component": {"use": use}}}

    assert "attacks.pgd.pgd" in other_code.names(record, {})


@pytest.mark.parametrize("forged", [{"a\0.f": "0"}, {"\x1b[2J.f": "0"}, {"a.f": ["no", "text"]}])
def test_forged_names_and_digests_of_code_are_named_and_looked_up_nowhere(package, forged):
    record = record_of() | {"code": "sha256:0"}
    record["definitions"] = record["definitions"] | forged

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


@pytest.mark.parametrize("damage", [{"definitions": None}, {"settings": []}, {"step": 3}, {"code": None}])
def test_a_malformed_record_is_left_to_the_checks_of_records(package, damage):
    assert named(record_of() | damage, package) == []
