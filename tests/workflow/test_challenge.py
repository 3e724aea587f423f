"""Packs whose attacks were weaker than their records say: each named with its claims and an image; honest packs: none."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.audit import chain_checks, challenge, study_evidence
from touchstone.audit.problems import CHALLENGE, Result
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.audit.verification import Options, verify
from touchstone.claims.judging import StudyClaims, judge
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import archive
from touchstone.records import encoding, metric_tables
from touchstone.records.metric_tables import Metrics
from touchstone.report import packing
from touchstone.report.claim_files import claim_rows, claims_csv
from touchstone.report.tables import FIRST_LINE, numbered
from touchstone.settings.study import load

FORGED = runpy.run_path(str(Path(__file__).parents[1] / "forged_evidence.py"))
Forger, caught = FORGED["Forger"], FORGED["caught"]
CLAIMS = ("A5", "M4", "F3", "T1")  # of attacks on a score, margins, attacks on a network, and on a router
TEST, TRAIN = (f"results/tiny/prepare/tiny/examples/digits_{part}.safetensors" for part in ("test", "train"))
PGD = "results/tiny/attack/cnn.0/attacked/digits_test/cnn.0/pgd.safetensors"
DETECT = "results/tiny/detect/cnn.0/attacked"
SCORE, NOISE = (f"{DETECT}/{name}/cnn.0+msp@0.05/deployed_05.safetensors" for name in ("digits_test", "uniform"))
BOTH_PATHS = "results/tiny/defend/routed.0/attacked/digits_test/routed.0/both_paths.safetensors"
MARGINS = "results/tiny/measure/cnn.0/margins/cnn.0/nearest_classes/digits_test.safetensors"
SEED = 7  # of the challenges; the honest packs meet others, too


@pytest.fixture(scope="module")
def selection(tiny):
    return Selection(Plan(load("tiny", tiny.root)), CLAIMS)


@pytest.fixture(scope="module")
def honest(tiny, selection, tmp_path_factory):
    """The pack of four claims, unpacked; the pack lies beside it."""
    folder = tmp_path_factory.mktemp("packs") / "honest"
    study_evidence.write(selection, "tiny", folder.with_suffix(".pack"), root=tiny.root)
    folder.mkdir()
    archive.unpack(folder.with_suffix(".pack"), folder)
    return folder


class Author:
    """Who forges a pack: with the study's own attacks, under other settings than the records say."""

    def __init__(self, study, honest, selection, folder):
        self.forger = Forger(honest, folder)
        self.study, self.selection = study, selection

    @property
    def reader(self):
        return Recomputation(self.selection, self.forger.folder, "cpu", {})

    def write(self, file, noun):
        data = metric_tables.encode(noun) if isinstance(noun, Metrics) else encoding.encode(noun)
        self.forger.write(file, data)

    def attacked(self, file, *, network="", **change):
        """Write what an attack returns under other settings, or on another network."""
        task = self.selection.tasks[file]
        block = task.settings["component"] | {name: value for name, value in change.items() if name != "seed"}
        settings = task.settings | {"component": block} | {name: change[name] for name in change if name == "seed"}
        inputs = task.inputs
        if network:
            inputs = inputs | {"checkpoint": network}
            settings["architecture"] = self.selection.plan.tasks[network].settings["architecture"]
        study = Recomputation(self.selection, self.study.root, "cpu", {})
        self.write(file, study.compute(replace(task, settings=settings, inputs=inputs)))

    def clean(self, file, rows=slice(None)):
        """Write the clean images in place of attacked ones."""
        attacked = encoding.decode(self.forger.read(file))
        clean = self.reader.noun(str(self.selection.tasks[file].inputs["examples"]), "ExampleSet")
        images, floats = attacked.images.copy(), attacked.unquantised.copy()
        images[rows], floats[rows] = clean.images[rows], clean.images[rows]
        self.write(file, replace(attacked, images=images, unquantised=floats))

    def margins(self, change):
        """Change the margins."""
        noun = encoding.decode(self.forger.read(MARGINS))
        self.write(MARGINS, replace(noun, margins=change(noun)))

    def towards_a_random_class(self, margins):
        """Return the distances to a random class instead of to the nearest one."""
        task = self.selection.tasks[MARGINS]
        model = self.reader.job(task).model()
        images = torch.from_numpy(self.reader.noun(TEST, "ExampleSet").images)
        random = np.random.default_rng(0)
        targets = (margins.predictions + random.integers(1, 10, len(margins.predictions))) % 10
        distances = np.full(len(targets), np.inf)
        for target in range(10):
            rows = targets == target
            found, hits = nearest_classes(
                OneTarget(model, target), images[rows], torch.zeros(rows.sum()), None, steps=10
            )
            distances[rows] = torch.where(hits, found.double(), torch.inf).numpy()
        return np.where(margins.found & np.isfinite(distances), distances, np.where(margins.found, 1.0, np.inf))

    def follow(self):
        """Compute again everything that rests on what was forged, up to the pages and every digest."""
        reader, book = self.reader, self.selection.book
        for file in self.selection.files:
            task = self.selection.tasks[file]
            if task.step in ("translate", "infer", "score", "fit", "evaluate"):
                self.write(file, reader.compute(task))
                reader.nouns.values.clear()
        pages = self.forger.folder / "reports/tiny"
        files = self.selection.metrics.items()
        metrics = {name: metric_tables.decode(self.forger.read(file)) for name, file in files}
        rows = numbered(metrics)
        claims = StudyClaims(**self.selection.plan.questions.claims())
        verdicts = judge(book, claims._replace(left_out=metric_tables.left_out(metrics)), rows)
        table = metric_tables.encode(Metrics([*rows, *claim_rows(verdicts, FIRST_LINE + len(rows))]))
        (pages / packing.METRICS).write_bytes(packing.compressed(table))
        (pages / "claims.csv").write_bytes(claims_csv(book, verdicts))
        self.forger.rehash()
        return self.forger.packed()


class OneTarget(nn.Module):
    """A network that knows two classes: another one than the target, and the target."""

    def __init__(self, model, target):
        super().__init__()
        self.model, self.target = model, target

    def forward(self, images):
        logits = self.model(images)
        others = logits.index_fill(1, torch.tensor([self.target]), -torch.inf).amax(1)
        return torch.stack([others, logits[:, self.target]], 1)


def train_on_test(author):
    """Put the test images into the training set, under the ids of training images: a copy of each is in the data."""
    test, train = (encoding.decode(author.forger.read(file)) for file in (TEST, TRAIN))
    images, labels = train.images.copy(), train.labels.copy()
    images[: len(test)], labels[: len(test)] = test.images, test.labels
    author.write(TRAIN, replace(train, images=images, labels=labels))


def test_test_images_in_the_training_set_are_found_under_other_ids(tiny, honest, selection, tmp_path):
    author, result = Author(tiny, honest, selection, tmp_path / "forged"), Result()
    train_on_test(author)

    records = chain_checks.read_records(selection, author.forger.folder, result)
    chain_checks.check_splits(selection, records, author.forger.folder, result)

    assert caught(result, "splits", "examples.digits_test shares 60 images with examples.digits_train")


CLAIM = {PGD: "F3", SCORE: "A5", NOISE: "A5", MARGINS: "M4", BOTH_PATHS: "T1"}
OTHER_NET = "results/tiny/train/cnn_aloe.0/networks/cnn_aloe.0.safetensors"
# What is forged, the file, the claims that rest on it. Each round is one pack; its forgeries are in different files.
ROUNDS = [
    [
        ("attacked images replaced by the clean ones", lambda a: a.clean(PGD), PGD, "equals its clean image"),
        ("an attack on a score of one step", lambda a: a.attacked(SCORE, steps=1, imitations=0), SCORE, "score_pgd"),
        ("margins towards a random class", lambda a: a.margins(a.towards_a_random_class), MARGINS, "has the margin"),
    ],
    [
        ("one step under the record of five", lambda a: a.attacked(PGD, steps=1), PGD, "is not what that attack returns"),
        ("half of the rows left as they were", lambda a: a.clean(SCORE, slice(0, 30)), SCORE, "equals its clean image"),
        ("margins doubled", lambda a: a.margins(lambda noun: 2 * noun.margins), MARGINS, "has the margin"),
    ],
    [
        ("an attack on another network", lambda a: a.attacked(PGD, network=OTHER_NET), PGD, "is not what"),
        ("an attack on noise of one step", lambda a: a.attacked(NOISE, steps=1, imitations=0), NOISE, "is not what"),
        ("clean images for a router", lambda a: a.clean(BOTH_PATHS), BOTH_PATHS, "equals its clean image"),
    ],
    [("random numbers of another seed", lambda a: a.attacked(PGD, seed=12), PGD, "is not what")],
    [("an attack towards a random class", lambda a: a.attacked(PGD, target="random"), PGD, "is not what")],
    [("four steps under the record of five", lambda a: a.attacked(PGD, steps=4), PGD, "is not what")],
]  # fmt: skip


@pytest.mark.parametrize("forgeries", ROUNDS, ids=lambda forgeries: " + ".join(row[0] for row in forgeries))
def test_a_weaker_attack_than_its_record_says_is_named_with_an_image(tiny, honest, selection, tmp_path, forgeries):
    selection = replace(selection, claims=tuple(sorted({CLAIM[file] for _, _, file, _ in forgeries})))
    author, result = Author(tiny, honest, selection, tmp_path / "forged"), Result()
    for _, forge, _, _ in forgeries:
        forge(author)

    challenge.challenge(author.reader, result, count=2, seed=SEED)

    for name, _, file, words in forgeries:
        problems = [str(one) for one in caught(result, CHALLENGE, words) if one.file == file]
        assert problems, f"{name}: {result.problems}"
        assert "image " in problems[0]
        assert CLAIM[file] in problems[0].rpartition("claims that rest on it: ")[2]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_an_honest_pack_is_not_accused_whatever_the_sample(honest, selection, seed):
    result = Result()

    challenge.challenge(Recomputation(selection, honest, "cpu", {}), result, seed=seed)

    assert result.problems == []
    assert f"drawn with the seed {seed}" in result.challenged[0]
    assert "a half with 0.5, a tenth with 0.9" in result.challenged[0]


def test_a_pack_that_agrees_with_itself_is_caught_by_the_challenge_alone(tiny, honest, selection, tmp_path):
    """Everything behind the forged images is computed again, so no stored file contradicts another."""
    author = Author(tiny, honest, selection, tmp_path / "forged")
    author.clean(PGD)
    author.attacked(SCORE, steps=1, imitations=0)
    path = author.follow()

    trusting, challenging = (verify(path, Options(challenge=count, seed=SEED)) for count in (0, 2))

    assert trusting.problems == []
    assert any("with --challenge 0, none was run again" in line for line in trusting.unchecked)
    assert caught(challenging, CHALLENGE, PGD)
    assert caught(challenging, CHALLENGE, "A5")
    assert {one.check for one in challenging.problems} == {CHALLENGE}
