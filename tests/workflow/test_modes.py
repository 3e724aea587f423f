"""Whose files are they: what a study writes obeys the umask, and a folder that is read-only is refused before any job."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LINE = ("run", "workflow/studies/few.yaml", "--cores", "1")


def modes(root, *folders):
    """{mode: a file of it} of all files and folders below some folders."""
    paths = (path for folder in folders for path in (root / folder).rglob("*"))
    return {(path.is_dir(), oct(path.stat().st_mode & 0o777)): path for path in paths if not path.is_symlink()}


def test_every_file_of_a_study_obeys_the_umask(clone, study):
    """Under this one no file and no folder has a usual mode, so none has it from a program."""
    path, mask = study(), 0o026
    shutil.rmtree(clone.root / ".touchstone")  # a fixture wrote it

    clone.run(["sh", "-c", f'umask {mask:o}; exec "$@"', "sh", *clone.touchstone("run", path, "--cores", "1")])

    found = modes(clone.root, "data/few", "data/raw", "results", "reports", "logs", ".touchstone")
    assert found.keys() == {(True, oct(0o777 & ~mask)), (False, oct(0o666 & ~mask))}, found


@pytest.fixture
def finished(few, tmp_path):
    """A copy of a clone in which a study was run, and the line that runs it."""
    project = few.copy(tmp_path / "a clone")
    return project, project.touchstone(*LINE)


@pytest.fixture
def read_only():
    """A function that makes a folder read-only: root may write anywhere else, so for it the folder is mounted so."""
    mounted, closed = [], []

    def close(folder):
        if os.geteuid() == 0:
            mounted.append(folder)
            subprocess.run(["mount", "--bind", folder, folder], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
            return
        for path in [folder, *Path(folder).rglob("*")]:
            if path.is_dir():
                closed.append(path)
                path.chmod(0o555)

    yield close
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
    for path in closed:
        path.chmod(0o755)


@pytest.mark.parametrize("folder", ["", "data/few", "results/few"])
def test_a_study_that_is_not_finished_cannot_run_in_a_read_only_folder_and_says_which(finished, read_only, folder):
    project, line = finished
    shutil.rmtree(project.root / "results/few/evaluate")
    read_only(project.root / folder)

    done = project.run(line, check=False)

    assert done.returncode == 1
    assert done.stderr == f"touchstone: {folder or 'data/raw'}: this folder is not writable; nothing was run\n"


def test_a_study_that_never_ran_in_a_read_only_folder_is_refused_before_any_job(clone, study, read_only):
    study()
    line = clone.touchstone(*LINE)
    read_only(clone.root)

    done = clone.run(line, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "touchstone: data: this folder is not writable; nothing was run\n"
