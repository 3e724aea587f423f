"""Components of the user's own: found, run, digested for reruns, held to the contract, and begun with one command."""

import re
import runpy
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from projects import write_study
from touchstone import plugins, registry
from touchstone.__main__ import main
from touchstone.api.detector_scores import detector_scores
from touchstone.commands import _component_check
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import code
from touchstone.provenance.job_folders import name_of
from touchstone.report import packing
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
SPREAD = yaml.safe_load("""
detectors: {spread: {use: spread}}
evaluations: {spread_seen: {use: detection, question: 'How well?', classifiers: [cnn], examples: [digits_test, uniform],
  detectors: [spread], id_examples: digits_test}}
""")


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow/studies").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plugins.use([])


def test_a_detector_begun_with_one_command_is_used_like_ours(project, capsys):
    assert main(["new", "detector", "spread", "--folder", "mine"]) == 0
    write_study(project, "own", plugins=["mine/"], change=SPREAD)

    plan = Plan(load("own"))

    scored = next(task for task in plan.tasks.values() if task.step == "score" and "/spread/" in task.output)
    before = code.code_of(scored.step, scored.settings)
    assert "detectors.spread.spread" in before.definitions
    scores = registry.load("detectors/spread")(torch.tensor([[9.0, 0.0], [0.1, 0.0]]))
    assert scores[1] > scores[0]
    path = Path("mine/detectors/spread.py")
    path.write_text(path.read_text().replace("logsumexp(dim=1)", "amax(dim=1)"))
    after = code.code_of(scored.step, scored.settings)
    assert after.digest != before.digest
    assert after.differences(before.definitions, before.packages) == ["detectors.spread.spread"]


def test_a_check_names_the_code_that_a_study_brings_and_imports_none_of_it(project, capfd):
    assert main(["new", "detector", "spread", "--folder", "mine"]) == 0
    for name in ("__init__.py", "helper.py", "detectors/__init__.py", "detectors/spread.py"):
        path = Path("mine", name)
        own = path.read_text() if path.exists() else ""
        path.write_text(f"{own}\nfrom pathlib import Path\n\nPath('sprung').touch()\n")
    write_study(project, "own", plugins=["mine/"], change=SPREAD)

    assert main(["check", "own"]) == 0

    assert "remark: this study brings Python code, which a run imports: mine/\n" in capfd.readouterr().out
    assert not Path("sprung").exists()


def snippets(page):
    """The pieces of studies that the page shows: of a detector, and of an attack."""
    return [block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if block.startswith("plugins: ")]


@pytest.mark.parametrize("fitted", [False, True])
def test_what_the_how_to_page_says_to_merge_into_a_copy_of_tiny_is_a_study(project, fitted):
    page = (ROOT / "docs/own_components.md").read_text()
    snippet = snippets(page)[0]
    if fitted:
        (entry,) = re.findall(r"# with --fitted: (.*)", snippet)
        snippet = snippet.replace("{use: spread}  ", entry)
    main(["new", "detector", "spread", *["--fitted"] * fitted])
    study = yaml.safe_load(snippet)
    write_study(project, "mine", **study)

    plan = Plan(load("mine"))

    made = {name_of(path) for path, task in plan.tasks.items() if task.step == "score"}
    assert "scores/cnn.0/spread/digits_test" in made
    assert ("fit" in study["change"]["detectors"]["spread"]) is fitted


def test_without_the_plugins_line_there_is_no_such_detector(project):
    main(["new", "detector", "spread", "--folder", "mine"])
    write_study(project, "own", change=SPREAD)

    with pytest.raises(
        ParamsError, match=r"no detectors/spread\.py.* mine/detectors/spread\.py is here: add plugins: \[mine/\]"
    ):
        load("own")


@pytest.mark.parametrize(
    ("written", "told"), [(["nowhere/"], "folder not found"), ("mine", "expected a list of folders")]
)
def test_a_plugin_folder_that_is_none_is_told(project, written, told):
    write_study(project, "own", plugins=written)

    with pytest.raises(ParamsError, match=told):
        load("own")


def test_a_plugin_cannot_hide_a_file_of_touchstone(project):
    path = Path("mine/detectors/msp.py")
    path.parent.mkdir(parents=True)
    path.write_text("")

    with pytest.raises(ValueError, match=r"has a file detectors/msp\.py, too"):
        plugins.use([Path("mine")])


def test_two_plugin_folders_may_share_the_name_of_a_test_but_of_no_component(project):
    for name in (
        "first/tests/test_spread.py",
        "second/tests/test_spread.py",
        "first/__init__.py",
        "second/__init__.py",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("")
    plugins.use(["first", "second", "first"])

    for folder in ("first", "second"):
        Path(folder, "detectors").mkdir()
        Path(folder, "detectors/spread.py").write_text("")

    both = r"second/detectors/spread\.py: .*/first/detectors/spread\.py has the same name; rename one of them"
    with pytest.raises(ValueError, match=both):
        plugins.use(["first", "second"])


@pytest.fixture
def contract(monkeypatch, capsys, forking):
    """A function that holds a file to the contract of its kind: (exit code, what was printed)."""
    monkeypatch.chdir(ROOT)
    forking(_component_check)

    def held(path):
        capsys.readouterr()
        code = main(["check", str(path)])
        return code, capsys.readouterr().out

    yield held
    plugins.use([])


@pytest.mark.parametrize(("change", "code"), [("", 0), ("-(", 1)])
def test_the_contract_takes_the_beginning_and_refuses_it_with_its_sign_turned(contract, tmp_path, change, code):
    assert main(["new", "detector", "spread", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "detectors/spread.py"
    path.write_text(path.read_text().replace(change, "(") if change else path.read_text())

    ended, text = contract(path)

    assert ended == code, text
    assert ("keeps the contract" if code == 0 else "does not keep") in text


def test_a_fitted_beginning_keeps_the_contract_and_what_breaks_it_is_told_in_words(contract, tmp_path):
    assert main(["new", "detector", "spread", "--fitted", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "detectors/spread.py"

    kept, whole = contract(path)
    path.write_text(
        path.read_text().replace(
            "    return ((features",
            "    mean = mean.float()\n    return (features @ mean[:, None])[:, 0]\n    return ((features",
        )
    )
    broken, text = contract(path)

    assert kept == 0 and ", 0 broken" in whole
    assert broken == 1 and "does not keep the contract" in text
    assert "Hint: convert the state to the type of the data: state[...].to(features)" in text
    assert "Traceback" not in text and "def test" not in text


SECOND = '''"""A detector that asks a helper."""

from torch import Tensor

from touchstone import sign


def second(logits: Tensor) -> Tensor:
    """Return the greatest logit, turned."""
    return sign.TURN * logits.amax(1)
'''


def test_a_plugin_that_is_written_or_changed_after_the_first_was_used_is_found_as_it_is_now(project):
    """As in a notebook: one process, `plugins.use` once, files that come and change meanwhile."""
    model, images = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)), torch.rand(5, 1, 2, 2)
    greatest = model(images).amax(1)
    main(["new", "detector", "first"])
    plugins.use(["plugins"])
    detector_scores("first", model, images)

    Path("plugins/sign.py").write_text("TURN = -1.0\n")
    Path("plugins/detectors/second.py").write_text(SECOND)
    torch.testing.assert_close(detector_scores("second", model, images), -greatest)

    Path("plugins/sign.py").write_text("TURN = -20.0\n")
    torch.testing.assert_close(detector_scores("second", model, images), -20 * greatest)

    settings = SECOND.replace("logits: Tensor)", "logits: Tensor, *, shift: float = 3.0)").replace("(1)", "(1) + shift")
    Path("plugins/detectors/second.py").write_text(settings)
    torch.testing.assert_close(detector_scores("second", model, images, shift=1.0), -20 * greatest + 1)

    Path("plugins/detectors/second.py").unlink()
    with pytest.raises(ValueError, match="detectors/second: no such component"):
        detector_scores("second", model, images)


BEGINNINGS = {"detector": [()], "fitted detector": [("--fitted",)], "attack": [()]}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_every_beginning_passes_the_test_that_is_written_beside_it(project, beginning):
    (flags,) = BEGINNINGS[beginning]

    assert main(["new", beginning.split()[-1], "mine", *flags]) == 0

    (written,) = Path("plugins/tests").glob("test_*.py")
    tests = {name: test for name, test in runpy.run_path(str(written.resolve())).items() if name.startswith("test_")}
    assert tests
    for test in tests.values():
        test()


@pytest.mark.parametrize(("name", "flags"), [
    ("class", []), ("torch", []), ("frozen", []), ("fit", ["--fitted"]), ("été", []), ("2nd", []), ("Mine", []), ("yes", []), ("null", []),
])  # fmt: skip
def test_a_name_that_a_file_could_not_be_imported_under_is_refused(project, capsys, name, flags):
    assert main(["new", "detector" if flags else "attack", name, *flags]) == 1

    assert f"touchstone: new: {name}: " in capsys.readouterr().err
    assert not Path("plugins").exists()


def test_nothing_is_written_where_one_of_its_files_is_there_already(project, capsys):
    main(["new", "detector", "mine"])

    assert main(["new", "attack", "mine"]) == 1

    assert "plugins/tests/test_mine.py is there already" in capsys.readouterr().err
    assert not Path("plugins/attacks").exists()


def test_every_kind_that_new_knows_is_held_to_its_own_test_here():
    from touchstone.commands import new

    assert {beginning.split()[-1] for beginning in BEGINNINGS} | {"paper"} == set(
        new.KINDS
    )  # papers: test_own_paper.py


@pytest.mark.parametrize(("change", "code", "told"), [
    ("", 0, "keeps the contract"),
    ("eps * gradient.sign()", 1, "every attack keeps the contract"),
])  # fmt: skip
def test_the_contract_takes_the_attack_that_new_begins_and_refuses_it_with_twice_its_budget(
    contract, tmp_path, change, code, told
):
    assert main(["new", "attack", "nudge", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "attacks/nudge.py"
    assert change in path.read_text()
    path.write_text(path.read_text().replace(change, f"2 * {change}") if change else path.read_text())

    ended, text = contract(path)

    assert ended == code, text
    assert told in text


def test_an_attack_without_a_gradient_under_no_grad_is_told_what_helps(contract, tmp_path):
    assert main(["new", "attack", "nudge", "--folder", str(tmp_path)]) == 0
    path = tmp_path / "attacks/nudge.py"
    taken = "_, gradient = loss_and_input_gradient(of(model, labels), images)"
    assert taken in path.read_text()
    path.write_text(
        path.read_text()
        .replace(
            taken,
            "moved = images.detach().requires_grad_()\n"
            "        (gradient,) = torch.autograd.grad(of(model, labels)(moved).sum(), moved)",
        )
        .replace("from torch import Tensor", "import torch\nfrom torch import Tensor")
    )

    ended, text = contract(path)

    assert ended == 1
    assert "Hint: attacks are called under torch.no_grad()" in text


@pytest.mark.parametrize(("kind", "name"), [("detector", "spread"), ("attack", "nudge")])
def test_the_code_on_the_how_to_page_is_what_new_writes(project, kind, name):
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "docs/own_components.md").read_text(), re.DOTALL)
    (shown,) = (block for block in blocks if block.startswith(f"def {name}("))

    main(["new", kind, name])

    written = {line.rstrip('"') for line in Path(f"plugins/{kind}s/{name}.py").read_text().splitlines()}
    assert [line for line in shown.splitlines() if line.rstrip('"') not in written] == []


def test_every_beginning_runs_in_an_evaluation_as_the_how_to_page_shows_it(bare, tmp_path):
    """As it is written, the attack is FGSM and the detector the energy score, so their numbers have to be those of ours."""
    shutil.copytree(bare.root, tmp_path / "clone", symlinks=True)
    project = type(bare)(tmp_path / "clone")
    for kind, name, *flags in (("detector", "spread"), ("detector", "scatter", "--fitted"), ("attack", "nudge")):
        project.forked_touchstone("new", kind, name, *flags)
    first, second = (yaml.safe_load(each)["change"] for each in snippets((ROOT / "docs/own_components.md").read_text()))
    change = {section: first.get(section, {}) | second.get(section, {}) for section in {**first, **second}}
    change["detectors"]["scatter"] = {"use": "scatter", "fit": "digits_train"}
    change["evaluations"]["spread_seen"]["detectors"] += ["energy", "scatter"]
    change["evaluations"]["nudged"]["attacks"] += ["fgsm"]
    chosen = {"gradient_detection": "chosen", "fgsm": "chosen"}
    papers = dict.fromkeys(("aloe", "margin_consistency", "translation")) | chosen
    write_study(project.root, "mine", plugins=["plugins/"], papers=papers, change=change)

    done = project.forked_touchstone("run", "mine", "--cores", "2")

    assert "The report: reports/mine/report.html" in done.stdout
    assert (project.root / "results/mine/attack/cnn.0/attacked/digits_test/cnn.0/nudge.safetensors").is_file()
    rows = packing.rows_of((project.root / "reports/mine/metrics.csv.gz").read_bytes())
    numbers = {(row["entry"], row["examples"].rpartition("/")[2], row["metric"]): float(row["value"]) for row in rows}
    attacked = [numbers["cnn", attack, "robust_accuracy"] for attack in ("nudge", "fgsm")]
    assert attacked[0] == attacked[1] < numbers["cnn", "digits_test", "clean_accuracy"]
    seen = {detector: numbers[f"cnn+{detector}", "uniform", "auroc"] for detector in ("spread", "energy", "scatter")}
    assert seen["spread"] == seen["energy"]
    assert seen["scatter"] > 0.5
    table = project.forked_touchstone("show", "mine", "--table", "nudged", "robust_accuracy").stdout
    assert "nudge" in table
