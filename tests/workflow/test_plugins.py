"""Components of the user's own: found, run, digested for reruns, held to the contract, and begun with one command."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from touchstone import plugins, registry
from touchstone.__main__ import main
from touchstone.params import load
from touchstone.plan import Plan, code_files
from touchstone.settings_files import ParamsError

ROOT = Path(__file__).parents[2]
STUDY = """
plugins: [mine/]
detectors: {spread: {use: spread}}
evaluations: {spread_seen: {use: detection, question: 'How well?', classifiers: [cnn], examples: [digits_test, uniform],
  detectors: [spread], id_examples: digits_test}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow/studies").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    registry.use_plugins([])


def test_a_detector_begun_with_one_command_is_used_like_ours(project, capsys):
    assert main(["new", "detector", "spread", "--folder", "mine"]) == 0
    Path("workflow/studies/own.yaml").write_text(STUDY)

    plan = Plan(load("own"))

    tasks = [
        t for rule, w in plan.jobs() if rule.step == "score" for t in plan.tasks(rule, **w) if "/spread/" in t.output
    ]
    before = code_files((tasks[0],))
    assert "detectors/spread.py" in before
    scores = registry.load("detectors/spread")(torch.tensor([[9.0, 0.0], [0.1, 0.0]]))
    assert scores[1] > scores[0]
    path = Path("mine/detectors/spread.py")
    path.write_text(path.read_text().replace("logsumexp(dim=1)", "amax(dim=1)"))
    assert code_files((tasks[0],))["detectors/spread.py"] != before["detectors/spread.py"]


@pytest.mark.parametrize("fitted", [False, True])
def test_what_the_how_to_page_says_to_merge_into_a_copy_of_tiny_is_a_study(project, fitted):
    page = (ROOT / "docs/own_detector.md").read_text()
    (snippet,) = (block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if block.startswith("plugins: "))
    if fitted:
        (entry,) = re.findall(r"# with --fitted: (.*)", snippet)
        snippet = snippet.replace("{use: spread}  ", entry)
    main(["new", "detector", "spread", *["--fitted"] * fitted])
    study, more = yaml.safe_load((ROOT / "workflow/studies/tiny.yaml").read_text()), yaml.safe_load(snippet)
    study |= {name: study.get(name, {}) | block if isinstance(block, dict) else block for name, block in more.items()}
    Path("workflow/studies/mine.yaml").write_text(yaml.safe_dump(study))

    plan = Plan(load("mine"))

    made = {t.output for rule, w in plan.jobs() if rule.step == "score" for t in plan.tasks(rule, **w)}
    assert "data/mine/scores/cnn.0/spread/digits_test.safetensors" in made
    assert ("fit" in study["detectors"]["spread"]) is fitted


def test_without_the_plugins_line_there_is_no_such_detector(project):
    main(["new", "detector", "spread", "--folder", "mine"])
    Path("workflow/studies/own.yaml").write_text(STUDY.replace("plugins: [mine/]", ""))

    with pytest.raises(
        ParamsError, match=r"no detectors/spread\.py.* mine/detectors/spread\.py is here: add plugins: \[mine/\]"
    ):
        load("own")


@pytest.mark.parametrize(
    ("line", "told"),
    [("plugins: [nowhere/]", "there is no folder"), ("plugins: mine", "expected a list of folders")],
)
def test_a_plugin_folder_that_is_none_is_told(project, line, told):
    Path("workflow/studies/own.yaml").write_text(f"{line}\n")

    with pytest.raises(ParamsError, match=told):
        load("own")


def test_a_plugin_cannot_hide_a_file_of_touchstone(project):
    path = Path("mine/detectors/msp.py")
    path.parent.mkdir(parents=True)
    path.write_text("")

    with pytest.raises(ValueError, match=r"has a file detectors/msp\.py of its own"):
        plugins.use([Path("mine")])


@pytest.mark.parametrize(("change", "code"), [("", 0), ("-(", 1)])
def test_the_contract_takes_the_beginning_and_refuses_it_with_its_sign_turned(tmp_path, change, code):
    command, env = [sys.executable, "-m", "touchstone"], os.environ | {"PYTHONPATH": str(ROOT / "src")}
    made = subprocess.run(
        [*command, "new", "detector", "spread", "--folder", str(tmp_path)], cwd=ROOT, env=env, check=False
    )
    assert made.returncode == 0
    path = tmp_path / "detectors/spread.py"
    path.write_text(path.read_text().replace(change, "(") if change else path.read_text())

    done = subprocess.run(
        [*command, "contract", str(path)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    assert ("keeps the contract" if code == 0 else "does not keep") in done.stdout


def test_a_fitted_beginning_keeps_the_contract_and_what_breaks_it_is_told_in_words(tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "touchstone"]
    subprocess.run(
        [*command, "new", "detector", "spread", "--fitted", "--folder", str(tmp_path)], cwd=ROOT, env=env, check=True
    )
    path = tmp_path / "detectors/spread.py"

    kept = subprocess.run([*command, "contract", str(path)], cwd=ROOT, env=env, capture_output=True, text=True)
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q", str(tmp_path / "tests")], env=env)
    path.write_text(
        path.read_text().replace(
            "    return ((features",
            "    mean = mean.float()\n    return (features @ mean[:, None])[:, 0]\n    return ((features",
        )
    )
    broken = subprocess.run([*command, "contract", str(path)], cwd=ROOT, env=env, capture_output=True, text=True)

    assert kept.returncode == 0 and ", 0 broken" in kept.stdout
    assert tested.returncode == 0
    assert broken.returncode == 1 and "does not keep the contract" in broken.stdout
    assert "Hint: make the state what the data is: state[...].to(features)" in broken.stdout
    assert "Traceback" not in broken.stdout and "def test" not in broken.stdout
