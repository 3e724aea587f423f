"""Old code is found in the history, whatever its comments said."""

import subprocess

import pytest

from touchstone.provenance import definitions, git


@pytest.fixture
def history(tmp_path):
    """A repository in which one package file was first 1, then 2."""

    def run_git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run_git("init", "-q")
    path = tmp_path / "src/touchstone/detectors/msp.py"
    path.parent.mkdir(parents=True)
    made = []
    for text in ("x = 1  # one\n", "x = 2\n"):
        path.write_text(text)
        run_git("add", "-A")
        run_git("commit", "-qm", "change")
        made.append(run_git("rev-parse", "--short", "HEAD"))
    return tmp_path, made


def digest(source):
    return definitions.parse(source).definitions["x"].digest()


def test_the_commit_that_holds_the_code_is_named_with_its_date(history):
    root, (first, _) = history
    wanted = ("detectors.msp.x", digest(b"x = 1  # another comment\n"))

    assert git.commit_of_code(root, (wanted,)).startswith(f"{first} of 20")


def test_code_that_was_never_committed_is_in_no_commit(history):
    root, _ = history

    assert git.commit_of_code(root, (("detectors.msp.x", digest(b"x = 3\n")),)) is None


def test_a_file_that_did_not_exist_yet_counts(history):
    root, (_, second) = history
    files = (("detectors.msp.x", digest(b"x = 2\n")), ("detectors.knn.knn", None))

    assert git.commit_of_code(root, files).startswith(second)


def test_without_git_there_is_no_commit(tmp_path):
    assert git.commit_of_code(tmp_path, (("detectors.msp.x", "0"),)) is None
