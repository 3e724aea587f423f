"""Every race runs small, and its gate lets no contestant through whose result is another."""

import copy
import cProfile
import gzip
import itertools
import json
import mmap
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import all_races
import attack_strength
import bare_loops
import bootstrap_auroc
import digits_networks
import evaluate_call
import first_convolution
import gpu_subjects
import gradient_features
import growth
import imagenet_costs
import margin_excess
import one_gpu
import pgd_speed
import pipeline_overhead
import profiles
import racing
import stored_detectors
import training_epochs
from touchstone.attacks.adversary.effort import counted
from touchstone.models.preact_resnet18 import preact_resnet18
from touchstone.models.small_cnn import small_cnn
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load


def written(race, found, folder):
    """The page of a race, after its measurements went through JSON."""
    name = race.__name__
    racing.write(folder, name, found, race.page(found))
    again = json.loads((folder / f"{name}.json").read_text())
    assert race.page(again) == (folder / f"{name}.md").read_text()
    return race.page(again)


@pytest.fixture
def no_warm_up(monkeypatch):
    """Each contestant takes one turn a round, and none before: these races are not about times."""
    monkeypatch.setattr(racing, "interleaved", partial(racing.interleaved, warm_up=False))


# --- racing -------------------------------------------------------------------------------------------------------


def test_contestants_take_turns_and_the_first_turn_does_not_count():
    called = []

    found = racing.interleaved({name: lambda name=name: called.append(name) for name in ("a", "b")}, 2)

    assert called == ["a", "b"] * 3
    assert found["a"]["rounds"] == 2 and found["a"]["least"] <= found["a"]["seconds"] <= found["a"]["greatest"]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_that_power(power):
    sizes = np.array([1, 4, 16])

    assert racing.exponent(sizes, 3 * sizes**power) == pytest.approx(power)


def test_peak_memory_sees_what_is_given_back_before_the_end():
    def needs():
        with mmap.mmap(-1, 64_000_000) as pages:  # malloc may give pages that are resident already
            pages[:: mmap.PAGESIZE] = bytes(len(range(0, len(pages), mmap.PAGESIZE)))

    assert 62e6 <= racing.peak(needs) < 80e6  # the kernel counts pages by the dozen


@pytest.mark.parametrize(("side", "met"), [("at most", [True, True, False]), ("at least", [False, True, True])])
def test_a_goal_is_met_on_its_good_side(side, met):
    assert [racing.Goal("", value, 1.0, side).met for value in (0.9, 1.0, 1.1)] == met


def test_one_page_tells_the_goals_of_all_races(tmp_path):
    goals = [racing.Goal("fast", 2.0, 1.0).as_json(), racing.Goal("equal", 0.0, 0.0).as_json()]
    found = {"command": "python benchmarks/one.py", "machine": racing.machine(), "goals": goals}
    (tmp_path / "one.json").write_text(json.dumps(found))

    page = all_races.page(tmp_path)

    assert "1 of 2 goals met" in page and "| fast | 2 | at most 1 | **no** |" in page


def test_the_picture_has_the_misses_and_the_ten_goals_that_are_met_by_most(tmp_path):
    goals = [racing.Goal(f"goal {place}", place / 100, 1.0) for place in range(1, 15)]
    goals += [racing.Goal("missed", 3.0, 1.0), racing.Goal("missed by more", 6.0, 1.0)]
    document = {"command": "c", "machine": {}, "goals": [goal.as_json() for goal in goals]}
    (tmp_path / "race.json").write_text(json.dumps(document))

    figure = all_races.picture(tmp_path)

    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["race: missed by more", "race: missed", *(f"race: goal {place}" for place in range(1, 11))]
    title = figure.get_suptitle().replace("\n", " ")
    assert title == "14 of 16 goals are met; the farthest from its goal is one of race, at 6 times what was asked"


# --- the races ----------------------------------------------------------------------------------------------------


def test_gradient_norms_run_on_layer_norm_attention_and_shared_weights(tmp_path):
    sizes = {"small CNN": 4, "ResNet-18": 0, "attention": 4}

    found = gradient_features.measured(sizes, 1, ["loop", "BackPACK", "Opacus"], memory=False)

    assert "attention" in written(gradient_features, found, tmp_path)
    mine = [line for one in found["races"] for line in one["lines"] if line["contestant"].startswith("touchstone")]
    assert [(line["missing"], line["error"] < gradient_features.TOLERANCE) for line in mine] == [(0, True)] * 2


def test_a_contestant_with_wrong_norms_takes_no_turn(monkeypatch):
    def wrong(model, images, labels):
        return {name: 1.01 * norms for name, norms in gradient_features.touchstone(model, images, labels).items()}

    monkeypatch.setitem(gradient_features.MAKERS, "wrong", lambda model: wrong)
    model = small_cnn((1, 28, 28), 10)

    found = gradient_features.race("small CNN", model, torch.rand(4, 1, 28, 28), 1, ["loop", "P", "O"], memory=False)

    line = found["lines"][-1]
    assert line["seconds"] is None and line["why"].startswith("wrong: relative error")


@pytest.mark.usefixtures("no_warm_up")
def test_pgd_runs_small(tmp_path, monkeypatch):
    monkeypatch.setattr(pgd_speed, "STEPS", 12)
    monkeypatch.setitem(pgd_speed.ours.__kwdefaults__, "steps", 12)
    monkeypatch.setitem(digits_networks.ARCHITECTURES, "resnet", (partial(preact_resnet18, width=2), "preact_resnet18"))
    measured = pgd_speed.measured(images=8, rounds=1, epochs=1, resnet_images=2)

    assert "adv-lib pgd_linf" in written(pgd_speed, measured, tmp_path)
    assert len(measured["goals"]) == 9


def test_the_bare_passes_of_stopping_are_those_of_the_images_that_still_stand():
    model, rows = digits_networks.digits_network("clean", 48, epochs=4)
    run = partial(pgd_speed.ours, stop=True)

    sizes = pgd_speed.passes_of_stopping(model, rows)

    with counted(model) as effort:
        attacked = pgd_speed.attacked(run, model, rows)
    assert effort.gradient == sum(sizes) < pgd_speed.STEPS * len(rows.images)
    assert sizes == sorted(sizes, reverse=True)
    standing = int(rows.withstood(model, attacked, pgd_speed.EPS).sum())
    assert sizes[-1] >= standing and len(sizes) == pgd_speed.STEPS


def test_pgd_that_is_weaker_than_the_peers_is_not_timed(monkeypatch):
    model, rows = digits_networks.digits_network("clean", 64, epochs=4)
    monkeypatch.setitem(pgd_speed.TO_EQUAL_ACCURACY, "touchstone pgd", lambda model, images, *_: images)

    with pytest.raises(racing.NotEqual, match="touchstone pgd leaves"):
        pgd_speed.race("clean", model, rows, 1)


def test_pgd_beyond_its_budget_is_not_timed(monkeypatch):
    model, rows = digits_networks.digits_network("clean", 8, epochs=1)
    monkeypatch.setitem(pgd_speed.TO_EQUAL_ACCURACY, "torchattacks PGD", lambda model, images, *_: 1 - images)

    with pytest.raises(racing.NotEqual, match="left its budget"):
        pgd_speed.race("clean", model, rows, 1)


def test_the_attack_suites_run_small(tmp_path, monkeypatch):
    # So large that both suites are soon done: AutoAttack on one survivor takes 15 s.
    monkeypatch.setattr(attack_strength, "EPS", {"linf": (0.3,), "l2": (3.0,)})
    found = attack_strength.measured(8, ["plain", "aloe"], ["linf", "l2"], epochs=1)

    assert [line["network"] for line in found["lines"]] == ["plain", "plain", "aloe", "aloe"]
    assert "passes: AutoAttack" in written(attack_strength, found, tmp_path)
    for line in found["lines"]:
        for suite in attack_strength.SUITES:
            passes, left = zip(*line[suite]["curve"], strict=True)
            assert list(passes) == sorted(passes) and list(left) == sorted(left, reverse=True)
            assert (passes[-1], left[-1]) == (line[suite]["passes"], line[suite]["robust_accuracy"])
    assert len(attack_strength.picture(found).axes) == 2
    assert all(line["share_of_passes"] < 1 for line in found["lines"] if line["AutoAttack"]["robust_accuracy"])


def test_a_race_of_attack_suites_goes_on_from_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(attack_strength, "EPS", {"linf": (0.3,)})
    first = attack_strength.measured(8, ["plain"], ["linf"], epochs=1, keep=tmp_path)
    monkeypatch.setitem(attack_strength.SUITES, attack_strength.THEIRS, lambda *_: 1 / 0)

    assert attack_strength.measured(8, ["plain"], ["linf"], epochs=1, keep=tmp_path)["lines"] == first["lines"]
    with pytest.raises(ZeroDivisionError):  # other images are another race
        attack_strength.measured(9, ["plain"], ["linf"], epochs=1, keep=tmp_path)


def test_networks_are_added_to_a_table_of_the_same_suites_only(tmp_path, monkeypatch):
    monkeypatch.setattr(attack_strength, "EPS", {"linf": (0.3,)})
    first, second = (
        attack_strength.measured(8, [name], ["linf"], epochs=1, keep=tmp_path) for name in ("plain", "fgsm")
    )

    both = attack_strength.joined(attack_strength.same_race(first, 8), second)

    assert both["lines"] == first["lines"] + second["lines"]
    assert set(both["clean_accuracy"]) == {"plain linf", "fgsm linf"}
    assert both["goals"][0]["value"] == max(line["more_left"] for line in both["lines"])
    assert attack_strength.joined(both, second)["lines"] == both["lines"]  # a line replaces itself
    other_eps = {**second, "lines": [second["lines"][0] | {"eps": 0.1}]}
    assert len(attack_strength.joined(both, other_eps)["lines"]) == 3  # and no other of its network
    with pytest.raises(ValueError, match="images: 8, now 9"):
        attack_strength.same_race(first, 9)
    with pytest.raises(ValueError, match="the code of attack_suite: of yesterday, now sha256:"):
        attack_strength.same_race(first | {"suite": "of yesterday"}, 8)


@pytest.mark.usefixtures("no_warm_up")
def test_margins_run_small_and_the_linear_ones_are_the_optimum(tmp_path, monkeypatch):
    names = (margin_excess.OURS, margin_excess.THOROUGH, margin_excess.PEER)
    peers = {"adv-lib FMN": margin_excess.adv_lib(partial(margin_excess.fmn, steps=5))}
    monkeypatch.setattr(margin_excess, "CONTESTANTS", {name: margin_excess.CONTESTANTS[name] for name in names} | peers)

    measured = margin_excess.measured(images=8, rounds=1, epochs=1)

    assert "adv-lib FMN" in written(margin_excess, measured, tmp_path)
    thorough = next(line for line in measured["races"][1]["lines"] if line["contestant"] == margin_excess.THOROUGH)
    assert 0 <= thorough["mean_excess"] + 1e-6 < 1e-3 and thorough["passes"] < 2000


def test_optimality_is_the_area_above_the_curve_of_robust_accuracy():
    smallest = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)

    assert margin_excess.optimality(smallest, smallest) == 1
    # By hand: areas above the curve up to .3 are (.2 + .1 + 0) / 3 and, with a miss and an excess, (.2 + 0 + 0) / 3.
    assert abs(margin_excess.optimality(torch.tensor([0.1, torch.inf, 0.4]).double(), smallest) - 2 / 3) < 1e-6


def test_margins_below_the_optimum_are_not_timed(monkeypatch):
    model, rows = digits_networks.digits_network("linear", 8, epochs=1)
    kept = {
        name: margin_excess.CONTESTANTS[name]
        for name in (margin_excess.OURS, margin_excess.THOROUGH, margin_excess.PEER)
    }
    too_good = {"too good": lambda *data: 0.9 * margin_excess.ours(*data)}
    monkeypatch.setattr(margin_excess, "CONTESTANTS", kept | too_good)

    with pytest.raises(racing.NotEqual, match="below the exact optimum"):
        margin_excess.race("linear", model, rows.right(model), 1)


def test_detectors_run_small(tmp_path):
    found = stored_detectors.measured(rows=300, width=32, rounds=1)

    assert "relative_mahalanobis" in written(stored_detectors, found, tmp_path)


def test_detectors_with_other_scores_are_not_timed(monkeypatch):
    name, component, settings, peer, _ = stored_detectors.PAIRS[0]
    other = stored_detectors.Pair(name, component, settings, peer, lambda stored: 1.5)
    monkeypatch.setattr(stored_detectors, "PAIRS", (other,))

    with pytest.raises(racing.NotEqual, match="msp: scores differ"):
        stored_detectors.measured(rows=300, width=32, rounds=1)


def test_training_runs_small(tmp_path):
    found = training_epochs.measured(images=200, epochs=2, rounds=1)

    assert "FGSM" in written(training_epochs, found, tmp_path)


def test_loops_that_end_in_other_weights_are_not_timed(monkeypatch):
    monkeypatch.setattr(training_epochs, "EPS", 0.1)
    whole = training_epochs.by_hand
    monkeypatch.setattr(training_epochs, "by_hand", lambda kind, *data: whole("FGSM", *data))

    with pytest.raises(racing.NotEqual, match="clean: weights differ"):
        training_epochs.measured(images=200, epochs=1, rounds=1)


def test_the_bootstrap_runs_small(tmp_path):
    found = bootstrap_auroc.measured(count=301, resamples=40, looped=10, rounds=1)

    assert "40 bootstrap AUROCs" in written(bootstrap_auroc, found, tmp_path)


def test_aurocs_of_other_resamples_are_not_timed(monkeypatch):
    draws = bootstrap_auroc.draws
    monkeypatch.setattr(bootstrap_auroc, "draws", lambda count, looped: draws(count, looped)[::-1])

    with pytest.raises(racing.NotEqual, match="AUROCs differ"):
        bootstrap_auroc.measured(count=300, resamples=40, looped=10, rounds=1)


def test_the_costs_of_imagenet_run_small(tmp_path):
    found = imagenet_costs.measured(1, 32, 1)

    assert "hours on all GPUs" in written(imagenet_costs, found, tmp_path)


def test_growth_runs_small(tmp_path, monkeypatch):
    monkeypatch.setattr(racing, "elsewhere", lambda function, **arguments: 1000 * arguments["images"])

    found = growth.measured(4, [1, 2], 1, epochs=1)

    assert "measure" in written(growth, found, tmp_path)
    assert [one["memory_exponent"] for one in found["races"]] == [pytest.approx(1.0)] * 4


def test_a_step_whose_images_depend_on_each_other_is_not_timed(monkeypatch):
    monkeypatch.setitem(growth.STEPS, "score", lambda model, examples: lambda: np.full(len(examples), len(examples)))
    sets = {size: growth.example_set(growth.noise(size)) for size in (2, 4)}

    with pytest.raises(racing.NotEqual, match="score: more images change"):
        growth.race("score", small_cnn((1, 28, 28), 10), sets, 1)


@pytest.fixture
def computes_as_before():
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.usefixtures("computes_as_before", "no_warm_up")
def test_the_race_of_one_gpu_runs_small_on_a_cpu(tmp_path, monkeypatch):
    def shallow(input_shape, classes, *, width):  # the ResNet takes a minute, and runs in `make bench`
        return small_cnn(input_shape, classes, width=width)

    monkeypatch.setattr(one_gpu, "resnet18", shallow)
    monkeypatch.setattr(gpu_subjects, "STEPS", 8)
    pgd = (gpu_subjects.our_pgd, partial(bare_loops.pgd, eps=one_gpu.EPS, steps=8))
    monkeypatch.setattr(one_gpu, "BARE_LOOPS", one_gpu.BARE_LOOPS | {"PGD": pgd})
    kept = ("float32", "bfloat16, channels_last")
    monkeypatch.setattr(one_gpu, "FORMATS", {name: one_gpu.FORMATS[name] for name in kept})

    *parts, found = (copy.deepcopy(part) for part in one_gpu.measured(8, [8], 1, "cpu", width=2))
    (alone,) = one_gpu.measured(8, [8], 1, "cpu", width=2, parts=["formats"])
    assert alone["races"] == alone["verdicts"] == [] and len(alone["formats"]) == 4
    assert [len(part["races"]) for part in parts] == [*range(1, 11), 10, 10] and parts[0]["verdicts"] == []

    page = written(one_gpu, found, tmp_path)
    assert "| PGD training, ResNet-18 of width 2 | bfloat16, channels_last |" in page
    assert found["goals"] == []  # they are a GPU's
    goals = one_gpu.goals(found["races"], found["verdicts"], "cpu")
    assert [goal.value for goal in goals if goal.text.startswith("verdicts")] == [0, 0] and len(goals) == 12
    waits = {line["contestant"]: line["waits"] for line in found["races"][0]["lines"]}
    assert waits[one_gpu.BARE] == 0 < waits[one_gpu.OURS]


@pytest.mark.usefixtures("computes_as_before")
def test_loops_of_one_gpu_that_give_something_else_are_not_timed(monkeypatch):
    subject = gpu_subjects.subject("small CNN", one_gpu.small_cnn, (1, 28), 64, "cpu")
    model, rows = subject.model("cpu"), gpu_subjects.rows_of(subject.test, "cpu", 64)
    twice = {
        work: (lambda *data, ours=ours: 2 * ours(*data), bare) for work, (ours, bare) in one_gpu.BARE_LOOPS.items()
    }
    unmoved = {"PGD": (gpu_subjects.our_pgd, lambda model, rows, start: rows.images)}
    monkeypatch.setattr(one_gpu, "BARE_LOOPS", twice | unmoved)
    monkeypatch.setattr(one_gpu, "RATE", 2 * one_gpu.RATE)

    with pytest.raises(racing.NotEqual, match="robust accuracies differ"):
        one_gpu.compare("PGD", model, rows)
    with pytest.raises(racing.NotEqual, match=r"our margins are 0\.69 larger"):
        one_gpu.compare("margins", model, rows)
    with pytest.raises(racing.NotEqual, match="weights differ"):
        one_gpu.compare_training(subject, False, "cpu")


def test_one_call_of_evaluate_runs_small_and_is_not_timed_where_it_leaves_more_than_autoattack(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_call, "EPOCHS", 1)
    monkeypatch.setattr(evaluate_call, "TRAINING_IMAGES", 32)
    monkeypatch.setattr(attack_strength, "theirs", attack_strength.ours)  # theirs takes seconds

    found = evaluate_call.measured(images=4, rounds=1)

    page = written(evaluate_call, found, tmp_path)
    assert "| clean, eps 0.1 |" in page and len(found["goals"]) == 4
    passes = [line["passes"] for line in found["lines"]]
    assert all(one["forward_passes"] > one["gradient_passes"] > 0 for one in passes)
    monkeypatch.setattr(attack_strength, "theirs", lambda model, rows, *_: 1 - rows.images)
    monkeypatch.setattr(evaluate_call, "evaluate", lambda model, images, *_, **__: SimpleNamespace(attacked=images))
    monkeypatch.setattr(racing.Rows, "withstood", lambda rows, model, attacked, eps: attacked.mean((1, 2, 3)) < 0.5)
    with pytest.raises(racing.NotEqual, match="evaluate leaves"):
        evaluate_call.measured(images=4, rounds=1)


def test_without_a_gpu_nothing_is_raced_or_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["one_gpu.py", "--out", str(tmp_path)])

    one_gpu.main()

    assert "no GPU here" in capsys.readouterr().out and not list(tmp_path.iterdir())


# --- the pipeline -------------------------------------------------------------------------------------------------


def clone_that_says(monkeypatch, **says):
    """Let each contestant of a study find this value in the metrics of its clone, and run nothing."""

    def clone(folder, revision):
        (folder / "reports/tiny").mkdir(parents=True)
        text = f"evaluation,entry,examples,metric,value,low,high\nrobustness,cnn,test,accuracy,{says[folder.name]},,\n"
        (folder / "reports/tiny/metrics.csv.gz").write_bytes(gzip.compress(text.encode()))

    monkeypatch.setattr(pipeline_overhead, "clone", clone)
    monkeypatch.setattr(pipeline_overhead, "started", lambda words, folder: None)


def runs_of(folder, *names):
    return pipeline_overhead.runs(folder, "tiny", dict.fromkeys(names, "HEAD"), cores=2, rounds=2)


def test_times_of_a_study_are_compared_only_if_all_its_values_are_equal(tmp_path, monkeypatch):
    clone_that_says(monkeypatch, conda=0.5, plain=0.5, make=0.5, before=0.6)

    lines = runs_of(tmp_path, *pipeline_overhead.FOLDERS)

    assert {line["name"]: line["differ"] for line in lines} == {
        pipeline_overhead.CONDA: 0,
        pipeline_overhead.PLAIN: 0,
        pipeline_overhead.MAKE: 0,
        pipeline_overhead.BEFORE: 1,
    }
    clone_that_says(monkeypatch, plain=0.4, make=0.5)
    with pytest.raises(racing.NotEqual, match="snakemake: 1 rows of tiny have other values"):
        runs_of(tmp_path, pipeline_overhead.PLAIN, pipeline_overhead.MAKE)


def test_a_contestant_that_fails_is_named_with_what_it_said(tmp_path):
    with pytest.raises(racing.NotEqual, match=r"ends with exit code 3: no conda\n"):
        pipeline_overhead.started([sys.executable, "-c", "import sys; print('no conda'); sys.exit(3)"], tmp_path)


def test_a_clone_has_the_committed_files_and_the_python_of_the_benchmark(tmp_path, monkeypatch):
    repository = tmp_path / "repository"
    (repository / "data/raw/source").mkdir(parents=True)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(repository)]
    for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message", "empty"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(pipeline_overhead, "ROOT", repository)

    pipeline_overhead.clone(tmp_path / "clone", "HEAD")

    assert (tmp_path / "clone/data/raw/source").is_dir() and (tmp_path / "clone/.venv/bin/python").exists()


def test_more_seeds_are_more_jobs_of_the_same_study(tmp_path):
    (tmp_path / "workflow").mkdir()
    shutil.copytree(pipeline_overhead.ROOT / "workflow/studies", tmp_path / "workflow/studies")
    shutil.copy(pipeline_overhead.ROOT / "params.yaml", tmp_path)

    name = pipeline_overhead.with_more_seeds(tmp_path, "tiny", 3)

    few, many = (Plan(load(study, tmp_path)).jobs for study in ("tiny", name))
    assert [len([job for job in jobs if job[0] == "train"]) for jobs in (few, many)] == [
        8,
        22,
    ]  # one translator has one seed


def test_the_page_of_the_workflow_compares_each_contestant_with_make_run(tmp_path):
    times = {
        pipeline_overhead.CONDA: 12.0,
        pipeline_overhead.PLAIN: 11.5,
        pipeline_overhead.MAKE: 10.0,
        pipeline_overhead.BEFORE: 20.0,
    }
    lines = [
        {"name": name, "wall": racing.times([wall]), "processor": racing.times([2 * wall]), "differ": 0}
        for name, wall in times.items()
    ]
    planned = [
        {"kind": kind, "jobs": 20, "artefacts": 100, **racing.times([seconds])}
        for kind, seconds in ((pipeline_overhead.DONE, 2.0), (pipeline_overhead.MORE, 7.0))
    ]
    goals = pipeline_overhead.goals("tiny", lines, planned)
    found = {"command": "", "machine": racing.machine(), "study": "tiny", "cores": 2, "times": 10, "runs": lines}

    page = written(
        pipeline_overhead, found | {"planning": planned, "goals": [goal.as_json() for goal in goals]}, tmp_path
    )

    assert [goal.met for goal in goals] == [True, False, True, True, False]
    assert "| snakemake --use-conda | 12 (12 to 12) | 1.20 | 24 (24 to 24) | 0 |" in page


def test_first_convolutions_are_the_same_function_or_are_refused(tmp_path):
    networks = first_convolution.contestants(small_cnn((1, 28, 28), 10))
    images, labels = torch.rand(3, 1, 28, 28), torch.tensor([0, 1, 2])

    first_convolution.compare(networks, images, labels)
    with pytest.raises(racing.NotEqual, match="another: logits"):
        first_convolution.compare(networks | {"another": small_cnn((1, 28, 28), 10)}, images, labels)

    layers = first_convolution.LAYERS[:1] + first_convolution.LAYERS[-1:]
    page = written(first_convolution, first_convolution.measured(1, batches=(4,), layers=layers), tmp_path)
    assert "| 1 x 28 x 28 | 4 |" in page and "| 3 x 32 x 32 | 4 |" in page
    used, unused = (line for line in page.splitlines() if " stride " in line)
    assert used.startswith("| 1 to 16, 3x3, stride 2, 28x28 | 9 |") and used.endswith("| yes |")
    assert unused.startswith("| 16 to 32, 3x3, stride 2, 14x14 | 144 |") and unused.endswith("| no |")


# --- profiles -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_warm_up")
def test_every_profile_runs_small(tmp_path, forking):
    forking(racing)  # peaks of memory are those of forks then

    found = profiles.measured(images=16, rows=40, width=32, scores=40, rounds=1, epochs=1, batch=4)

    page = written(profiles, found, tmp_path)
    assert "ours: step and projection" in page and "attacks/fgsm.py: fgsm" in page and "### vim" in page


def test_the_passes_of_an_attack_that_stops_are_those_of_the_images_that_stand(monkeypatch):
    model, rows = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)), torch.rand(8, 1, 2, 2)
    labels = model(rows).argmax(1)

    def stopping(model, images, labels, ids, *, stop):
        for standing in (8, 2):  # six fall at the first of forty steps
            model(images[:standing].requires_grad_())
        with torch.no_grad():
            model(images)
        return images

    monkeypatch.setattr(profiles.pgd_speed, "ours", stopping)

    found = profiles.passes(model, racing.Rows(rows, labels, torch.arange(8)))

    assert found == {"survive": 1.0, "with gradients": 10 / 320, "without": 8 / 320}


def test_the_function_that_takes_longest_stands_first(monkeypatch):
    clock = partial(next, itertools.count())  # each call or return takes one tick, whatever else this machine does
    monkeypatch.setattr(cProfile, "Profile", partial(cProfile.Profile, clock, 1.0))

    def often(times):
        return often(times - 1) if times else 0

    def slow():
        return often(200)

    found = profiles.functions(slow)

    assert "test_races.py: often" in found[0]["function"] and found[0]["share"] > 0.9
    assert [line["share"] for line in found] == sorted((line["share"] for line in found), reverse=True)
    (whole, part) = profiles.functions(slow, within=f"/{Path(__file__).parent.name}/")
    assert "slow" in whole["function"] and whole["with_called"] > part["with_called"] and whole["share"] < 0.4
