"""What the files of a release bring: wheel and sdist hold what a folder without a clone needs, and it runs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

import touchstone
from projects import copy_of_repository

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/touchstone"
DATA = (".yaml", ".jinja", ".html", ".css", ".js", ".typed")  # files of the package besides Python code
NEWER = {"UV_OFFLINE": "1", "UV_NO_PROGRESS": "1", "OMP_NUM_THREADS": "1"}


def variables():
    """The environment without what would lead to the clone."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TOUCHSTONE"))} | NEWER


def run(*command, cwd):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=variables(), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with an sdist of this working tree and a wheel that is built from it, without the network."""
    folder = tmp_path_factory.mktemp("distribution")
    clone = copy_of_repository(folder / "clone").root
    uv = (sys.executable, "-m", "uv")
    run(
        *uv,
        "build",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        folder / "dist",
        clone,
        cwd=folder,
    )
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(built):
    (file,) = built.glob("*.whl")
    return file


def test_names_and_version_are_those_of_the_release(built):
    stem = f"touchstone_robustness-{touchstone.__version__}"

    assert {path.name for path in built.iterdir()} >= {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"}


def test_the_wheel_holds_every_file_of_the_package_and_the_workflow(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT / "src").as_posix() for path in PACKAGE.rglob("*") if path.suffix in (".py", *DATA)
    }
    workflow = [path for path in (ROOT / "workflow").rglob("*") if path.is_file()]
    shared = [*workflow, ROOT / "params.yaml", ROOT / "requirements.lock", ROOT / "profiles/default/config.yaml"]

    assert {"touchstone/py.typed", "touchstone/papers/aloe/claims.yaml", "touchstone/report/templates/page.js"} <= names
    assert package - names == set()
    ends = [name.partition(".data/data/share/touchstone/")[2] for name in names]
    assert {path.relative_to(ROOT).as_posix() for path in shared} - set(ends) == set()
    assert not any("tests/" in name or name.endswith(".pyc") for name in names)


def test_the_sdist_can_build_the_wheel(built):
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "params.yaml", "workflow/studies/tiny.yaml"} <= names
    assert {"src/touchstone/py.typed", "src/touchstone/papers/common.yaml", "workflow/rules/data.smk"} <= names
    assert {"API.md", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "codemeta.json"} <= names


def test_the_wheel_names_licence_extras_and_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name}

    for line in (
        "License-Expression: MIT",
        "Requires-Python: >=3.11",
        "Provides-Extra: workflow",
        "License-File: LICENSE",
    ):
        assert f"\n{line}\n" in texts["METADATA"]
    assert "touchstone = touchstone.__main__:main" in texts["entry_points.txt"]


def installed(file, folder):
    """Return a new environment with a wheel or an sdist, and with the packages that it needs but without the clone.

    They are those of this environment. Entries of .pth files are not followed twice.
    """
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    (places,) = environment.glob("lib/python*/site-packages")
    (places / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "uv", "pip", "install", "--python", environment / "bin/python", "--no-deps")
    run(*pip, "--no-build-isolation", file, cwd=folder)
    imported = run(environment / "bin/python", "-c", "import touchstone; print(touchstone.__file__)", cwd=folder)
    assert imported.startswith(str(places))
    return environment


@pytest.fixture(scope="module")
def command(wheel, tmp_path_factory):
    """The command `touchstone` of the installed wheel."""
    return installed(wheel, tmp_path_factory.mktemp("wheel")) / "bin/touchstone"


def test_the_sdist_installs_the_command_and_the_workflow(built, tmp_path):
    (file,) = built.glob("*.tar.gz")

    environment = installed(file, tmp_path)

    assert run(environment / "bin/touchstone", "--version", cwd=tmp_path).split()[1] == touchstone.__version__
    assert (environment / "share/touchstone/workflow/Snakefile").is_file()


def test_a_network_of_torchvision_is_assayed_from_the_wheel_in_an_empty_folder(command, tmp_path):
    """Its classes are what the untrained network says, so it is always right."""
    torch.manual_seed(0)
    network = models.shufflenet_v2_x0_5(num_classes=3).eval()
    levels = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3), np.uint8)
    with torch.no_grad():
        images = torch.from_numpy(levels).permute(0, 3, 1, 2) / 255
        network.fc.weight /= network(images).std(0).mean()  # logits as large as those of a trained network
        network.fc.bias -= network(images).mean(0)
        labels = network(images).argmax(1)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    folder = tmp_path / "folder"
    folder.mkdir()
    np.savez(folder / "images.npz", images=images.numpy(), labels=labels.numpy())
    model = ("shufflenet_v2_x0_5", "--weights", tmp_path / "weights.pth")

    printed = run(command, "assay", *model, "--data", "images.npz", "--quick", "--images", "10", cwd=folder)

    assert "Accuracy under the worst attack" in printed
    assert (folder / "reports/assay_shufflenet_v2_x0_5/report.html").is_file()
    shutil.rmtree(folder)


def test_a_study_runs_from_the_wheel_in_an_empty_folder(command, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    printed = run(command, "run", "tiny", cwd=folder)

    assert printed.startswith("Wrote params.yaml and workflow/studies/tiny.yaml")
    assert (folder / "reports/tiny/report.html").is_file()
    assert "FGSM" in run(command, "show", "tiny", cwd=folder)
    assert "Nothing to do" in run(command, "run", "tiny", cwd=folder)
    shutil.rmtree(folder)
