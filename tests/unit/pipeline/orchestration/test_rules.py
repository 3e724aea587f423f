"""What the rule files start: the command of a job, and the script that fills a conda environment."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from touchstone import plugins
from touchstone.digests import file_digest
from touchstone.pipeline.orchestration import rules

SCRIPT = Path(__file__).parents[4] / "workflow/envs/touchstone.post-deploy.sh"
HOSTILE = 'a {clone} of $HOME\'s "own"'


@pytest.fixture
def programs(tmp_path):
    """An environment without PYTHONPATH, whose python prints the PYTHONPATH and the arguments that it gets."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    python.chmod(0o755)
    return {"PATH": f"{python.parent}:{os.environ['PATH']}"}


def test_the_command_of_a_job_names_its_package_itself_whatever_the_path(programs, monkeypatch, tmp_path):
    package = tmp_path / HOSTILE / "src/touchstone"
    monkeypatch.setattr(plugins, "PACKAGE", package)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    params = SimpleNamespace(settings="fetch:sha256:0", code="sha256:1")

    command = rules.command(f"{HOSTILE}.yaml", deployed=False).format(
        params=params, wildcards="source=x", log=tmp_path / "log"
    )
    # Snakemake gives jobs in conda no PYTHONPATH.
    done = subprocess.run(["bash", "-c", command], env=programs, capture_output=True, text=True, check=True)

    words = ["-m", "touchstone", "job", "fetch:sha256:0", "source=x", f"--study={HOSTILE}.yaml", "--code", "sha256:1"]
    assert done.stdout.splitlines() == [str(package.parent), *words]


def test_jobs_find_the_users_packages_after_touchstones_own(monkeypatch):
    own = str(plugins.PACKAGE.parent)
    monkeypatch.setenv("PYTHONPATH", f"mine:{own}::other")
    for name in ("PATH", "TOUCHSTONE_ROOT"):
        monkeypatch.setenv(name, "x")

    rules.set_environment("x", 1)

    assert os.environ["PYTHONPATH"] == f"{own}:mine:other"
    assert rules.command("x", deployed=False).startswith(f"PYTHONPATH={own}:mine:other python ")


def test_jobs_in_conda_or_a_container_do_not_get_the_users_packages(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "mine")

    assert rules.command("x", deployed=True).startswith(f"PYTHONPATH={plugins.PACKAGE.parent} python ")


@pytest.mark.parametrize(("root", "lock"), [("touchstone", "touchstone"), ("nowhere", "user"), (None, "user")])
def test_the_conda_environment_is_filled_from_touchstones_lock_not_from_the_users(programs, tmp_path, root, lock):
    copy = tmp_path / "user/.snakemake/conda/x.post-deploy.sh"
    for folder in (copy.parent, tmp_path / "touchstone"):
        folder.mkdir(parents=True)
    copy.write_text(SCRIPT.read_text())
    for project in ("user", "touchstone"):
        (tmp_path / project / "requirements.lock").touch()
    variables = programs | ({} if root is None else {"TOUCHSTONE_ROOT": str(tmp_path / root)})

    done = subprocess.run(["bash", str(copy)], env=variables, capture_output=True, text=True, check=True)

    assert Path(done.stdout.splitlines()[-1]).resolve() == tmp_path / lock / "requirements.lock"


def test_a_new_lock_makes_a_new_conda_environment():
    digest = file_digest(SCRIPT.parents[2] / "requirements.lock")

    assert f"\n# requirements.lock: {digest}\n" in SCRIPT.read_text(), "renew it: `make locks` does, by sed"
