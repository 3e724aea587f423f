"""Fallen defences: rebuilds that keep their budget, stand-ins that change no answer, and verdicts as section 6 asks."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import attack_strength
from fallen_defences import __main__ as command
from fallen_defences import attacks, honest, judges, rebuilds, table
from fallen_defences.defence import Defence, Hidden, stand_ins
from fallen_defences.judges import Cell, Subject
from fallen_defences.lab import Base, Lab
from racing import Rows

COUNT = 6


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab of a few digits at 28 x 28 pixels in place of clothes, and trainings of one epoch."""
    known, unseen = attack_strength.split(200, 28)
    part = replace(known, images=unseen.images.numpy(), labels=unseen.labels.numpy(), example_ids=unseen.ids.numpy())

    class Small(Lab):
        def part(self, name, count):
            whole = part if name == "test" else known
            rows = slice(0, min(count, 250))
            return replace(
                whole, images=whole.images[rows], labels=whole.labels[rows], example_ids=whole.example_ids[rows]
            )

    return Small(tmp_path_factory.mktemp("lab"), images=COUNT, training=250, epochs=1)


@pytest.fixture
def brief(monkeypatch):
    """Attacks of few steps, for rules on which they suffice."""
    evaluate, suite = judges.touchstone.evaluate, judges.evasion_suite
    monkeypatch.setattr(judges.touchstone, "evaluate", partial(evaluate, steps=5, restarts=1, queries=20))
    monkeypatch.setattr(judges, "evasion_suite", partial(suite, steps=5, restarts=1, queries=20))
    monkeypatch.setattr(judges, "attack_suite", partial(judges.attack_suite, steps=5, restarts=1, queries=20))


class Rounded(Hidden):
    def hard(self, values):
        return values.round()


class Rule(nn.Module):
    """Class 1 exactly if the mean pixel is above .5, by a lead of `slope` times the distance."""

    def __init__(self, slope=20.0):
        super().__init__()
        self.slope = slope

    def forward(self, images):
        lead = self.slope * (images.flatten(1).mean(1) - 0.5)
        return torch.stack([-lead, lead], 1)


def points(*levels):
    images = torch.stack([torch.full((1, 4, 4), level) for level in levels])
    return Rows(images, (images.flatten(1).mean(1) > 0.5).long(), torch.arange(len(images)))


def cells(**left):
    return {name: {"left": rows, "says": [], "passes": 1.0, "gap": False} for name, rows in left.items()}


# --- rebuilds -----------------------------------------------------------------------------------------------------------


def test_each_mechanism_has_two_rebuilds_of_at_most_eighty_lines():
    names = rebuilds.in_order()
    kinds = [rebuilds.module(name).PAPER.mechanism for name in names]

    assert len(names) >= 16
    assert all(kinds.count(kind) >= 2 for kind in rebuilds.MECHANISMS)
    assert kinds[: len(rebuilds.MECHANISMS)] == list(rebuilds.MECHANISMS)
    assert {name: lines for name in names if (lines := len(rebuilds.file(name).read_text().splitlines())) > 80} == {}


@pytest.mark.parametrize("name", rebuilds.in_order())
def test_each_rebuild_is_attacked_within_its_budget(lab, name, monkeypatch):
    rebuild, base = rebuilds.module(name), Base(lab)
    monkeypatch.setattr(
        rebuild, "climb", lambda *given, **kept: attacks.climb(*given, **kept | {"steps": 2, "restarts": 2})
    )
    defence = rebuild.build(base)
    images, labels, _ = lab.rows

    for attacked in (
        defence.weak(defence.seen or defence.model, images, labels, rebuild.PAPER.eps),
        defence.weak(base.plain, images, labels, rebuild.PAPER.eps),
        defence.felling(images, labels, rebuild.PAPER.eps),
    ):
        assert attacked.shape == images.shape
        assert float((attacked - images).abs().max()) <= rebuild.PAPER.eps + 1e-6
        assert float(attacked.min()) >= 0 and float(attacked.max()) <= 1
        assert defence.right(attacked, labels).shape == (COUNT,)
    assert len(list((lab.folder / "weights").glob("*.safetensors"))) > 0


@pytest.mark.parametrize("name", honest.NETWORKS)
def test_each_honest_network_classifies_and_rejects_nothing(lab, name):
    network = honest.build(Base(lab), name)
    images, labels, _ = lab.rows

    with torch.no_grad():
        assert network.model(images).shape == (COUNT, 10)
    assert network.score is None
    assert torch.equal(network.felling(images, labels, 0.1), images)


def test_weights_are_trained_once(lab, monkeypatch):
    first = Base(lab).network
    monkeypatch.setattr("fallen_defences.lab.train", None)

    again = Base(lab).network

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


# --- attacks ------------------------------------------------------------------------------------------------------------


def test_a_stand_in_gives_a_gradient_and_changes_no_answer():
    model = nn.Sequential(Rounded(), nn.Flatten(), nn.Linear(4, 2))
    images = torch.rand(3, 1, 2, 2, requires_grad=True)

    hidden = torch.autograd.grad(model(images).sum(), images)[0]
    with stand_ins(model):
        answers = model(images)
        shown = torch.autograd.grad(answers.sum(), images)[0]

    assert torch.allclose(answers, model(images), atol=1e-6)
    assert not bool(hidden.any())
    assert torch.allclose(shown.flatten(1), model[2].weight.sum(0).expand(3, -1))


def test_deepfool_steps_just_over_the_boundary_of_a_linear_rule():
    images, labels, _ = points(0.55, 0.9)

    moved = attacks.deepfool(Rule(), images, labels, 0.1)

    assert float(moved[0].mean()) == pytest.approx(0.5 - 0.02 * 0.05, abs=1e-4)
    assert float(moved[1].mean()) == pytest.approx(0.8)


def test_textbook_pgd_stops_where_float32_saturates_and_the_felling_loop_does_not():
    images, labels, _ = points(0.55)
    sure = Rule(slope=5000.0)

    weak = attacks.textbook_pgd(sure, images, labels, 0.1, start=False)
    strong = attacks.climb(attacks.lead(sure, labels), images, 0.1, fooled=lambda x: sure(x).argmax(1) != labels)

    assert torch.equal(weak, images)
    assert int(sure(strong).argmax(1)) == 0


# --- judges -------------------------------------------------------------------------------------------------------------


def subject(model, rows, eps=0.1, **parts):
    defence = Defence(model.eval(), attacks.textbook_pgd, lambda images, labels, eps: images, **parts)
    return Subject(defence, rows, eps, ())


def test_touchstone_is_told_nothing_and_finds_what_is_left(brief):
    found = judges.by_touchstone(subject(Rule(), points(0.45, 0.55, 0.1, 0.9)))

    assert found.left.tolist() == [False, False, True, True]
    assert found.passes > 0


def test_a_model_without_gradient_is_refused_in_words(brief):
    class Closed(Rule):
        def forward(self, images):
            return super().forward(images.detach())

    found = judges.by_touchstone(subject(Closed(), points(0.45, 0.55)))

    assert found.left is None
    assert "no gradient" in found.says[0]


def test_what_the_first_answer_asks_for_is_done(brief):
    class Noisy(Rule):
        def forward(self, images):
            return super().forward(images + 0.3 * torch.rand(len(images), 1, 1, 1) - 0.15)

    found = judges.by_touchstone(subject(Noisy(), points(0.55, 0.95), drawn=True))

    assert judges.ASKS_FOR_DRAWS in found.says[0]
    assert found.left.tolist()[1]


def test_a_rejected_image_counts_as_right_and_an_evading_one_does_not(brief):
    rows = points(0.55, 0.9)
    for threshold, left in ((0.0, [True, True]), (torch.inf, [False, True])):
        guarded = subject(Rule(), rows, score=lambda images: 1 - images.flatten(1).mean(1), threshold=threshold)

        assert judges.by_touchstone(guarded).left.tolist() == left


# --- verdicts -----------------------------------------------------------------------------------------------------------


def test_the_difference_of_paired_shares_has_the_interval_of_agresti_and_min():
    first, second = [1] * 60 + [1] * 25 + [0] * 5 + [0] * 10, [1] * 60 + [0] * 25 + [1] * 5 + [0] * 10

    value, low, high = table.difference(first, second)

    spread = np.sqrt(25.5 + 5.5 - 20**2 / 102) / 102
    assert value == pytest.approx(0.2)
    assert (low, high) == pytest.approx((20 / 102 - 1.96 * spread, 20 / 102 + 1.96 * spread))


@pytest.mark.parametrize(
    ("weak", "felling", "made"), [(60, 10, True), (60, 40, False), (25, 0, False)], ids=["fell", "not halved", "no gap"]
)
def test_a_rebuild_counts_if_its_gap_shows_and_is_halved(weak, felling, made):
    rows = {
        name: [1] * left + [0] * (100 - left) for name, left in (("weak", weak), ("felling", felling), ("plain", 0))
    }

    assert table.counts(cells(**rows)) is made


def test_outcomes_are_those_of_section_six():
    high, low = [1] * 900 + [0] * 100, [1] * 100 + [0] * 900
    missed = cells(touchstone=high, felling=low)
    warned = {**missed, "touchstone": missed["touchstone"] | {"gap": True, "says": ["leaves more than one step does"]}}
    near = cells(touchstone=low, felling=low)
    doubted = {**near, "touchstone": near["touchstone"] | {"says": ["left at a large eps 3 %"]}}
    refused = cells(touchstone=None, felling=low)

    assert [table.outcome(one, "touchstone", True) for one in (missed, warned, near, refused)] == [
        "missed", "warning", "number", "refused",
    ]  # fmt: skip
    assert [table.outcome(one, "touchstone", False) for one in (missed, doubted, near, refused)] == [
        "wrong number", "accused", "right", "refused",
    ]  # fmt: skip


def test_the_command_resumes_and_writes_a_page(lab, brief, monkeypatch):
    quick = {"clean", "weak", "plain", "touchstone", "felling"}
    monkeypatch.setattr(
        command.racing,
        "machine",
        lambda *_: {"processor": "", "cores": 1, "threads": 1, "paths": "", "python": "", "versions": {}},
    )
    first = command.measured(lab, ["fallen"], ["distillation"], [name for name in judges.JUDGES if name in quick])
    monkeypatch.setattr(command, "JUDGES", dict.fromkeys(judges.JUDGES))  # none is called again

    again = command.measured(lab, ["fallen"], ["distillation"], [name for name in judges.JUDGES if name in quick])

    assert again["lines"] == first["lines"]
    assert json.loads(json.dumps(first))["lines"][0]["name"] == "distillation"
    assert "1511.04508" in table.page(json.loads(json.dumps(first)))


def test_a_cell_holds_no_number_if_a_judge_refuses():
    assert not table.judged({"touchstone": Cell(None, ["why"], 0.0)._asdict()}, "touchstone")


def test_the_command_starts_once_in_the_environment_of_jobs():
    """`racing.begin` restarts a command until no import changes the environment any more."""
    folder = Path(command.__file__).parent
    lines = (
        "import runpy",
        "from touchstone.pipeline.jobs import environment",
        "environment.set_environment(1)",
        f"runpy.run_path({str(folder)!r}, run_name='imported')",
        "print(environment.set_environment(1))",
    )

    done = subprocess.run([sys.executable, "-c", "; ".join(lines)], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "False", done.stderr
