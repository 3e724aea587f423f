"""An assay from the command to its report and its evidence, beside an attack that shares no code with touchstone."""

import os
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import forks
from touchstone.__main__ import main
from touchstone.audit import artefact_checks
from touchstone.audit.verification import Options, verify
from touchstone.provenance import archive, chain
from touchstone.records import encoding, nouns
from touchstone.report import packing

FORGED = runpy.run_path(str(Path(__file__).parents[1] / "forged_evidence.py"))
Forger, flipped, bumped, caught = (FORGED[name] for name in ("Forger", "flipped", "bumped", "caught"))
RESULTS = "results/assay_small"

EPS = 32 / 255
SHARE = r'<data value="([^"]+)" data-row="(\d+)">([^<]+)</data>'


def digits():
    """Handwritten digits as 8-bit images (N, 1, 8, 8) in [0, 1] with their classes, and the rows that nothing is fitted on."""
    found = load_digits()
    levels = np.rint(found.images / 16 * 255).astype(np.uint8)
    return levels, found.target.astype(np.int64), slice(1000, 1400)


def trained(images, labels):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimiser = torch.optim.Adam(net.parameters(), 0.003)
        for _ in range(20):
            for rows in torch.randperm(len(images)).split(50):
                optimiser.zero_grad()
                functional.cross_entropy(net(images[rows]), labels[rows]).backward()
                optimiser.step()
    return net.eval()


def accuracy_under_pgd(net, images, labels, eps, restarts=5, steps=100):
    """The share that stays right under projected ascent on the lead of the best wrong class, written for this test."""
    right = net(images).argmax(1) == labels
    draws = torch.Generator().manual_seed(1)
    for _ in range(restarts):
        moved = (images + eps * (2 * torch.rand(images.shape, generator=draws) - 1)).clamp(0, 1)
        for step in range(steps):
            moved.requires_grad_()
            logits = net(moved)
            own = logits.gather(1, labels[:, None])[:, 0]
            lead = logits.scatter(1, labels[:, None], -torch.inf).amax(1) - own
            right &= lead.detach() < 0
            (gradient,) = torch.autograd.grad(lead.sum(), moved)
            size = eps / 4 * (1 - step / steps)
            moved = (moved + size * gradient.sign()).clamp(images - eps, images + eps).clamp(0, 1).detach()
        right &= net(moved).argmax(1) == labels
    return float(right.float().mean())


@pytest.fixture(scope="module")
def assayed(made_once):
    """A clone in which a small network was assayed, with what the terminal said in `said.txt`."""

    def fill(project):
        levels, labels, unseen = digits()
        net = trained(torch.from_numpy(levels[:1000, None]).float() / 255, torch.from_numpy(labels[:1000]))
        torch.save(net, project.root / "net.pt")
        count = torch.export.Dim("images", min=1)
        program = torch.export.export(net, (torch.rand(2, 1, 8, 8),), dynamic_shapes=({0: count},))
        torch.export.save(program, project.root / "small.pt2")
        np.savez(project.root / "unseen.npz", images=levels[unseen], labels=labels[unseen])
        words = [
            "-m",
            "touchstone",
            "assay",
            "small.pt2",
            "--trust-code",
            "--data",
            "unseen.npz",
            "--eps",
            "32/255",
            "--quick",
        ]
        fork = replace(project, environment=forks.VARIABLES | {"PYTHONPATH": str(project.root / "src")})
        (project.root / "said.txt").write_text(fork.forked(words, server=forks.server()).stdout)

    return made_once("assayed", fill).root


def accuracies(html):
    """(value, line of the table) of each number that is an accuracy in per cent."""
    return [(float(value), int(line)) for value, line, text in re.findall(SHARE, html) if "%" in text]


def test_first_screen_chapter_and_terminal_have_one_robust_accuracy_and_an_attack_of_another_hand_agrees(assayed):
    page = packing.unpacked((assayed / "reports/assay_small/report.html").read_text()).replace("<wbr>", "")
    first = re.search(r'<section class="system" id="summary">.*?</section>', page, re.DOTALL)[0]
    headline = re.search(r'id="chapter-robustness".*?(<table.*?</table>)', page, re.DOTALL)[1]
    said = (assayed / "said.txt").read_text()
    assert "linf eps 32/255" in first
    (shown,) = re.findall(r"Accuracy under the worst attack, linf eps 32/255: ([\d.]+)\s%", said)
    data = (assayed / RESULTS / "prepare/assay_small/examples/own_attacked.safetensors").read_bytes()
    attacked = encoding.decode(data, nouns.ExampleSet)
    images, labels = torch.from_numpy(attacked.images), torch.from_numpy(attacked.labels)
    net = torch.load(assayed / "net.pt", weights_only=False)

    ours = accuracies(first)[1]
    expected, at_half = (accuracy_under_pgd(net, images, labels, eps) for eps in (EPS, EPS / 2))

    assert accuracies(headline)[-1] == ours  # value and line of metrics.csv.gz
    assert float(shown) == pytest.approx(100 * ours[0], abs=0.051)
    assert ours[0] == pytest.approx(expected, abs=0.03)
    assert at_half > expected + 0.2  # so that another budget's number would be seen


@pytest.fixture(scope="module")
def evidence(assayed, tmp_path_factory):
    """The folder of the evidence of the assay, and the folder that it unpacks to."""
    folder = tmp_path_factory.mktemp("evidence") / "honest"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(assayed)
        assert main(["pack", "assay_small", "-o", str(folder.with_suffix(".pack"))]) == 0
    folder.mkdir()
    archive.unpack(folder.with_suffix(".pack"), folder)
    return folder


def test_whoever_has_the_model_verifies_its_assay(assayed, evidence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # a reviewer's folder, which holds no study
    file, model = str(evidence.with_suffix(".pack")), str(assayed / "small.pt2")

    # In another process, which has the CPU paths of jobs.
    command = [sys.executable, "-m", "touchstone", "verify", file, "--model", model, "--trust-code"]
    run = forks.in_fork(command, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")})
    text = run.stdout
    assert run.returncode == chain.PARTLY, text + run.stderr
    assert "whether own_model.0 learned from test images: the pack lacks what they learned from" in text
    assert f"predictions of own_model.0 are also what {model} gives" in text
    assert "are what the same search gives" in text
    assert main(["verify", file, "--model", f"another={model}", "--trust-code"]) == 1
    assert "it has own_model.0" in capsys.readouterr().err


def test_evidence_of_a_program_is_refused_before_the_program_is_opened(evidence, capsys, monkeypatch):
    monkeypatch.setattr("touchstone.models.networks.programs.read_program", None)

    assert main(["verify", str(evidence.with_suffix(".pack"))]) == 1

    message = capsys.readouterr().err
    assert "is a program, and opening one can run any code" in message and "add --trust-code" in message


NET = f"{RESULTS}/train/own_model.0/networks/own_model.0.safetensors"
ATTACKED = f"{RESULTS}/attack/own_model.0/attacked/own_attacked/own_model.0/worst.safetensors"
OUTPUTS = f"{RESULTS}/detect/own_model.0/outputs/own_model.0/own_attacked/own_model.0/worst.safetensors"
MARGINS = f"{RESULTS}/measure/own_model.0/margins/own_model.0/nearest_classes/own_attacked.safetensors"
MSP = f"{RESULTS}/detect/own_model.0/detectors/own_model.0/msp.safetensors"
FORGERIES = [
    ("an attacked image over the budget", lambda f: f.noun(ATTACKED, images=lambda x: 1 - x, unquantised=lambda x: 1 - x), "budget", ATTACKED),
    ("predictions under attack", lambda f: f.noun(OUTPUTS, logits=flipped), "recomputation", OUTPUTS),
    ("another network in the file", lambda f: f.noun(NET, weights=lambda x: {n: v[::-1].copy() for n, v in x.items()}), "recomputation", "outputs"),
    ("another normalisation", lambda f: f.noun(NET, mean=lambda x: (0.2,)), "recomputation", "outputs"),
    ("a better robust accuracy", lambda f: f.rows("robustness", lambda rows: [replace(row, value=0.9, low=0.8, high=0.95) if "worst" in row.examples else row for row in rows]), "recomputation", "robustness"),
    ("failed checks of the attacks left out", lambda f: f.rows("attack_checks", lambda rows: rows[1:]), "recomputation", "attack_checks"),
    ("a loosened threshold", lambda f: f.noun(MSP, thresholds=lambda x: {rate: 1.1 * t for rate, t in x.items()}), "recomputation", MSP),
    ("margins doubled", lambda f: f.noun(MARGINS, margins=lambda x: 2 * x), "recomputation", MARGINS),
    ("a smaller eps in the settings", lambda f: f.text("workflow/studies/assay_small.yaml", "worst: {use: attack_suite, eps: 32/255", "worst: {use: attack_suite, eps: 31/255"), "plan", ATTACKED),
]  # fmt: skip


# Tried together, because they change different files and none leads to the finding that another has to.
TOGETHER = [
    ("an attacked image over the budget", "failed checks of the attacks left out"),
    ("predictions under attack", "a better robust accuracy", "margins doubled"),
]
ROUNDS = [*TOGETHER, *((row[0],) for row in FORGERIES if row[0] not in sum(TOGETHER, ()))]


def test_each_forgery_is_tried_once():
    assert sorted(sum(ROUNDS, ())) == sorted(row[0] for row in FORGERIES)


@pytest.mark.parametrize("names", ROUNDS, ids=" + ".join)
def test_a_forged_assay_is_named(evidence, tmp_path, names):
    forger, forgeries = Forger(evidence, tmp_path / "forged"), [row for row in FORGERIES if row[0] in names]
    for _, change, _, _ in forgeries:
        change(forger)
    forger.rehash()

    result = verify(forger.packed(), Options(trust_code=True, challenge=0))

    assert [name for name, _, *finding in forgeries if not caught(result, *finding)] == [], result.problems
    assert len(names) == 1 or len(result.problems) < artefact_checks.MOST_PROBLEMS


def test_an_assay_of_another_model_is_named_by_whoever_has_the_model(assayed, evidence, tmp_path):
    levels, labels, _ = digits()
    other = trained(torch.from_numpy(levels[500:1000, None]).float() / 255, torch.from_numpy(labels[500:1000]))
    count = torch.export.Dim("images", min=1)
    program = torch.export.export(other, (torch.rand(2, 1, 8, 8),), dynamic_shapes=({0: count},))
    torch.export.save(program, tmp_path / "other.pt2")

    result = verify(evidence.with_suffix(".pack"), Options(networks={"": tmp_path / "other.pt2"}, trust_code=True))

    assert {problem.check for problem in result.problems} == {"recomputation"}
    assert all("is not what" in problem.message for problem in result.problems)
