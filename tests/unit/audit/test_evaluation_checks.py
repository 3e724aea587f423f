"""The evidence of evaluate(): whoever has the model and the images can check it, and what was changed is named."""

import json
import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import touchstone
from touchstone.__main__ import main
from touchstone.api import attacked_rows
from touchstone.api.evaluation_evidence import copies
from touchstone.attacks.attack_suite import attack_suite
from touchstone.audit import attacked_again, evaluation_checks
from touchstone.provenance import archive, chain

ROOT = Path(__file__).parents[3]
Evaluation = runpy.run_path(str(ROOT / "tests" / "forged_evaluations.py"))["Evaluation"]
EPS = 0.02
FEW = {"steps": 5, "restarts": 2, "queries": 20}
LARGE, COUNT = 0.15, 60  # a radius in which no image is right; images


class Masked(nn.Module):
    """A linear network whose logits are rounded, so that no attack can follow a gradient."""

    def __init__(self, plain):
        super().__init__()
        self.plain = plain

    def forward(self, images):
        return (8 * self.plain(images)).round() / 8 + 0 * images.flatten(1).mean(1, keepdim=True)


def towards_one_class(model, images, labels, generator, *, eps, **settings):
    """Return an attack that is weak on purpose: whatever the image, it goes the same small way."""
    return (images + 0.1 * eps).clamp(max=1)


@pytest.fixture(autouse=True)
def quick_suite(monkeypatch):
    """The challenge with a shorter suite: it has to fool a linear network only."""
    monkeypatch.setattr(attacked_again, "attack_suite", partial(attack_suite, **FEW))


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Models, images, and honest evidence of four evaluations of them."""
    folder = tmp_path_factory.mktemp("evaluation")
    torch.manual_seed(1)
    plain, other = (nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).eval() for _ in range(2))
    images = (torch.rand(COUNT, 1, 6, 6) * 255).round() / 255
    labels = plain(images).argmax(1)
    labels[:3] = (labels[:3] + 1) % 3
    np.savez(folder / "images.npz", images=(images.numpy() * 255).round().astype(np.uint8), labels=labels.numpy())
    batch = torch.export.Dim("batch")
    for name, model in (("plain", plain), ("other", other), ("masked", Masked(plain).eval())):
        program = torch.export.export(model, (images,), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / f"{name}.pt2")
    evaluate = partial(touchstone.evaluate, images=images, labels=labels)
    result = evaluate(plain, eps=EPS, **FEW, evidence=folder / "plain.evidence")
    hidden = evaluate(Masked(plain).eval(), eps=EPS, **FEW, evidence=folder / "masked.evidence")
    with pytest.MonkeyPatch.context() as patched:
        for attack in ("attack_suite", "fgsm"):
            patched.setattr(attacked_rows, attack, towards_one_class)
        weak = evaluate(plain, eps=LARGE, **FEW | {"queries": 0}, evidence=folder / "weak.evidence")
    return SimpleNamespace(
        folder=folder, result=result, hidden=hidden, weak=weak, images=images, labels=labels, plain=plain
    )


def verified(honest, path, *, model="plain", data=True, challenge=COUNT):
    """Verify with the model, and with the images unless `data` is false."""
    place = str(honest.folder / "images.npz") if data else None
    models = [str(honest.folder / f"{model}.pt2")] if model else []
    return evaluation_checks.verify(path, models, "cpu", trust_code=True, challenge=challenge, data=place, seed=0)


def named(result, check, text):
    return [problem for problem in result.problems if problem.check == check and text in str(problem)]


# --- honest evidence ---------------------------------------------------------------------------------------------------


def test_honest_evidence_is_verified_with_the_model_and_the_images(honest, capsys):
    file, model, data = (str(honest.folder / name) for name in ("plain.evidence", "plain.pt2", "images.npz"))

    assert main(["verify", file, "--model", model, "--trust-code", "--data", data]) == chain.PARTLY
    text = capsys.readouterr().out
    assert f"robust accuracy is {100 * honest.result.robust_accuracy.value:.1f} %" in text
    assert "no stronger attack exists" in text
    (unchecked,) = text.partition("Not checked:\n")[2].partition("/")[0].splitlines()
    assert unchecked == "  - whether the model learned from these images: the file lacks what it learned from"
    assert "60 images with labels: all of the 60" in text
    assert "it fooled 0. These are all" in text
    assert main(["verify", file, "--model", model]) == 1
    assert "add --trust-code" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ({"model": None}, "bring the model with --model"),
        ({"data": False}, "Bring the set that they should be from, with --data"),
        ({"challenge": 0}, "with --challenge 64"),
    ],
)
def test_what_a_verifier_does_not_bring_is_said_to_be_unchecked(honest, without, words):
    result = verified(honest, honest.folder / "plain.evidence", **without)

    assert not result.problems
    assert [line for line in result.unchecked if words in line]


@pytest.mark.parametrize(
    ("setting", "error", "words"),
    [
        ({"steps": 1_001}, ValueError, "steps is 1,001, and .*with more than 1,000: lower it, or omit evidence"),
        ({"restarts": 1_001}, ValueError, "with more than 1,000"),
        ({"queries": 100_001}, ValueError, "with more than 100,000"),
        ({"seed": 2**63}, ValueError, "with more than 9,223,372,036,854,775,807"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 0.5}, TypeError, "seed: expected a whole number"),
    ],
)
def test_what_nobody_repeats_is_refused_before_it_runs(honest, tmp_path, setting, error, words):
    """Verify would accuse its honest author."""

    def never(images):
        raise AssertionError("the model was asked")

    with pytest.raises(error, match=words):
        touchstone.evaluate(never, honest.images, honest.labels, **setting, evidence=tmp_path / "e")


def test_integers_of_numpy_are_written_as_those_of_python(honest, tmp_path):
    numbers = {name: np.int64(value) for name, value in (FEW | {"queries": 0, "seed": 3}).items()}
    touchstone.evaluate(
        honest.plain, honest.images[:20], honest.labels[:20], eps=EPS, **numbers, evidence=tmp_path / "e"
    )

    assert not verified(honest, tmp_path / "e", challenge=5).problems


def test_an_honest_part_of_a_set_is_a_fair_choice(honest, tmp_path):
    forged = Evaluation(honest.folder / "plain.evidence", tmp_path)
    forged.keep(np.arange(COUNT // 2))
    forged.consistent()

    result = verified(honest, forged.packed(tmp_path / "part"), challenge=20)

    assert not result.problems
    assert [line for line in result.proved if "30 images with labels: some of the 60" in line]
    assert [line for line in result.challenged if "20 of the 30 images" in line and "leaves out" in line]


def test_an_attack_of_the_author_s_own_is_no_contradiction(honest, tmp_path):
    """It fools images that the suite leaves right, so that their loss rises and the large eps fools them, too."""
    model = Masked(honest.plain).eval()
    steepest = honest.plain[1].weight.view(3, 1, 6, 6)

    def towards_the_next_class(model, images, labels, generator):
        away = steepest[(labels + 1) % 3] - steepest[labels]
        return (images + EPS * away.sign()).clamp(0, 1)

    path = tmp_path / "evidence"
    result = touchstone.evaluate(
        model, honest.images, honest.labels, eps=EPS, **FEW, attacks=[towards_the_next_class], evidence=path
    )
    assert result.robust_accuracy.value < honest.hidden.robust_accuracy.value

    assert verified(honest, path, model="masked").problems == []


def test_a_failed_check_reaches_the_reader(honest):
    assert len(honest.hidden.failed_checks) >= 2

    result = verified(honest, honest.folder / "masked.evidence", model="masked")

    for words in honest.hidden.failed_checks:
        assert f"its own check failed, so the attack was too weak: {words}" in result.trusted
    assert not [problem for problem in result.problems if problem.file != "robust_accuracy"]


@pytest.mark.parametrize("option", [["--root", "sha256:0"], ["--study", "digits"], ["--share", "0.5"]])
def test_an_option_that_would_compare_nothing_is_refused(honest, option, capsys):
    assert main(["verify", str(honest.folder / "plain.evidence"), *option]) != 0
    assert capsys.readouterr().err


def test_a_seed_repeats_a_challenge(honest):
    first, second = (verified(honest, honest.folder / "weak.evidence", challenge=5) for _ in range(2))

    assert first.problems == second.problems != []


# --- forgeries -----------------------------------------------------------------------------------------------------------


def noun(name, **change):
    return lambda forged, honest: forged.change(name, **change)


def says(**values):
    return lambda forged, honest: forged.about.update(values)


def accuracy(name, **values):
    return lambda forged, honest: forged.about.update({name: forged.about[name] | values})


def moved(images):
    images[0] = np.where(images[0] > 0.5, images[0] - EPS - 1 / 255, images[0] + EPS + 1 / 255)
    return images


def mask(name, make):
    return lambda forged, honest: forged.rows.update({name: make(forged.rows[name])})


def no_failed_checks(forged, honest):
    forged.about["failed_checks"] = []


def no_trace_of_failed_checks(forged, honest):
    """Say of every image that gradients fooled it, that its loss rose, and that the large eps fools it."""
    forged.rows["white_box"] = forged.rows["black_box"]
    forged.rows["loss_rises"] = np.ones(COUNT, bool)
    forged.rows["large_eps"] = np.zeros(COUNT, bool)
    forged.change("attacked", images=lambda images: np.clip(images + np.float32(1e-6), 0, 1))  # every image has moved
    forged.consistent()
    assert not forged.about["failed_checks"]


def milder_words(forged, honest):
    assert "≥ 95 %" in forged.about["failed_checks"][-1]
    forged.about["failed_checks"][-1] = "share of inputs whose loss rises 94.9 %, asked ≥ 95 %"


def robust_images_only(forged, honest):
    forged.keep(np.flatnonzero(forged.rows["robust"]))
    forged.consistent()


def one_image_many_times(forged, honest):
    forged.keep(np.full(COUNT, np.argmax(forged.rows["robust"])))
    forged.consistent()


def one_image_twice(forged, honest):
    easy = int(np.argmax(forged.rows["robust"]))
    forged.keep(np.r_[easy, np.arange(1, COUNT)] if easy else np.r_[np.arange(COUNT - 1), easy])
    forged.consistent()


def predictions_as_labels(forged, honest):
    forged.relabel(forged.nouns["clean_logits"].predictions)
    forged.consistent()


def easier_images(forged, honest):
    """Put other images, far from every boundary, in place of those that are not robust."""
    easy, hard = np.flatnonzero(forged.rows["robust"]), np.flatnonzero(~forged.rows["robust"])
    order = np.arange(COUNT)
    order[hard] = easy[: len(hard)]
    forged.keep(order)
    brighter = lambda images: np.where(np.isin(np.arange(COUNT), hard)[:, None, None, None], images * 0.999, images)  # noqa: E731
    forged.change("clean", "attacked", images=lambda images: brighter(images).astype(np.float32))
    forged.consistent()


def attack_that_moves_nothing(forged, honest):
    """Put the clean images and their logits in place of the attacked ones."""
    forged.nouns["attacked"], forged.nouns["attacked_logits"] = forged.nouns["clean"], forged.nouns["clean_logits"]
    forged.consistent()


def nothing(forged, honest):
    """Change nothing: the attack itself was weaker than the one that evaluate records."""


def larger_eps(forged, honest):
    forged.about["eps"] = LARGE


# (forgery, evidence, model, edit, check that catches it, what its finding names)
FORGED = [
    ("an attacked image over the budget", "plain", noun("attacked", images=moved), "budget", "attacked.safetensors"),
    ("swapped labels", "plain", noun("attacked", labels=lambda labels: labels[::-1].copy()), "budget", "attacked.safetensors"),
    ("images numbered anew", "plain", lambda forged, _: [forged.change(name, example_ids=lambda ids: 2 * ids) for name in forged.nouns], "budget", "example_ids"),
    ("flipped predictions", "plain", noun("attacked_logits", logits=lambda logits: logits[:, ::-1].copy()), "recomputation", "attacked_logits"),
    ("logits scaled by 1 %", "plain", noun("clean_logits", logits=lambda logits: logits * np.float32(1.01)), "recomputation", "clean_logits"),
    ("other clean images", "plain", noun("clean", images=lambda images: images[::-1].copy()), "budget", "attacked.safetensors"),
    ("a smaller eps", "plain", says(eps=EPS / 2), "budget", "attacked.safetensors"),
    ("an eps that allows every image", "plain", says(eps=0.5), "budget", "attacked.safetensors"),
    ("a norm that is none", "plain", says(norm=["linf"]), "budget", "attacked.safetensors"),
    ("a norm that reads like a lack of memory", "plain", says(norm="can't allocate memory"), "budget", "attacked.safetensors"),
    ("a better robust accuracy", "plain", accuracy("robust_accuracy", value=0.99), "recomputation", "robust_accuracy"),
    ("a narrower interval", "plain", accuracy("clean_accuracy", low=0.9), "recomputation", "clean_accuracy"),
    ("no robust accuracy", "plain", lambda forged, _: forged.about.pop("robust_accuracy"), "recomputation", "robust_accuracy"),
    ("a remark of the author's own", "plain", says(note="state of the art"), "settings", "note"),
    ("no record of the attack", "plain", lambda forged, _: forged.about.pop("attack"), "settings", "attack"),
    ("a record of an endless attack", "plain", lambda forged, _: forged.about["attack"].update(steps=10**9), "settings", "steps"),
    ("images that no attack fooled, said to be fooled", "plain", mask("black_box", lambda rows: rows & False), "recomputation", "right in robust and wrong in black_box"),
    ("images robust in a table only", "plain", mask("robust", lambda rows: rows | True), "recomputation", "not what the predictions say"),
    ("a loss that rises although nothing moved", "masked", mask("loss_rises", lambda rows: rows | True), "recomputation", "not moved by the attack"),
    ("failed checks left out", "masked", no_failed_checks, "recomputation", "failed_checks"),
    ("a failed check in milder words", "masked", milder_words, "recomputation", "failed_checks"),
    ("failed checks left out, with what shows them", "masked", no_trace_of_failed_checks, "challenge", "failed_checks"),
    ("one easy image many times", "plain", one_image_many_times, "data", "59 of the 60 images are exact copies"),
    ("only the robust images", "plain", robust_images_only, "challenge", "no fair choice"),
    ("one easy image twice", "plain", one_image_twice, "data", "more often in it than in"),
    ("predictions in place of labels", "plain", predictions_as_labels, "data", "labelled otherwise in"),
    ("easier images", "plain", easier_images, "data", "not in"),
    ("clean images in place of attacked ones", "weak", attack_that_moves_nothing, "challenge", "robust_accuracy"),
    ("a larger eps than was attacked with", "plain", larger_eps, "challenge", "robust_accuracy"),
    ("a stronger attack in the record", "weak", nothing, "challenge", "rows.csv, white_box"),
    ("an attack too weak to fool what can be fooled", "weak", nothing, "challenge", "is said to be robust, and the attack suite fools it"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "edit", "check", "text"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED]
)
def test_a_forgery_is_named(honest, tmp_path, evidence, edit, check, text):
    forged = Evaluation(honest.folder / f"{evidence}.evidence", tmp_path)
    edit(forged, honest)
    model = "masked" if evidence == "masked" else "plain"
    challenge = COUNT if check == "challenge" else 0

    result = verified(honest, forged.packed(tmp_path / "forged"), model=model, challenge=challenge)

    assert named(result, check, text), result.problems


# What is only known from elsewhere: without --data, the exit code is 4 and never 0.
UNKNOWN = [robust_images_only, predictions_as_labels, easier_images]


@pytest.mark.parametrize("edit", UNKNOWN)
def test_what_the_file_alone_cannot_show_is_said_to_be_unchecked(honest, tmp_path, edit):
    forged = Evaluation(honest.folder / "plain.evidence", tmp_path)
    edit(forged, honest)

    result = verified(honest, forged.packed(tmp_path / "forged"), data=False)

    assert [line for line in result.unchecked if "which images and labels these are" in line]


def test_a_failed_check_that_the_author_removed_is_printed(honest, tmp_path, capsys):
    forged = Evaluation(honest.folder / "masked.evidence", tmp_path)
    no_failed_checks(forged, honest)

    assert main(["verify", str(forged.packed(tmp_path / "forged"))]) == 1
    text = capsys.readouterr().out
    for words in honest.hidden.failed_checks:
        assert f"its own check failed, so the attack was too weak: {words}" in text


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("clean.safetensors", None),
        ("clean.safetensors", b"\x80\x04."),
        ("rows.csv", None),
        ("rows.csv", b"image,clean\n0,1\n"),
        ("rows.csv", b"\xff"),
    ],
)
def test_a_file_that_is_missing_or_damaged_is_named(honest, tmp_path, file, data):
    evidence, _ = archive.unpack(honest.folder / "plain.evidence", tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in evidence.entries} | {file: data}
    kept = [(name, lambda data=data: data) for name, data in files.items() if data is not None]
    archive.write(tmp_path / "edited", evidence.kind, evidence.about, kept)

    assert named(verified(honest, tmp_path / "edited"), "bytes", file)


def test_an_image_that_was_wrong_before_the_attack_is_not_robust_whatever_it_is_after_it(honest, tmp_path):
    forged = Evaluation(honest.folder / "plain.evidence", tmp_path)

    def right(logits):
        logits[:3] = 9 * np.eye(3, dtype=np.float32)[forged.nouns["clean"].labels[:3]]
        return logits

    forged.change("attacked_logits", logits=right)

    assert verified(honest, forged.packed(tmp_path / "edited"), model=None).problems == []


def test_another_model_is_named(honest):
    result = verified(honest, honest.folder / "plain.evidence", model="other", challenge=0)

    assert {problem.file for problem in result.problems} == {"clean_logits.safetensors", "attacked_logits.safetensors"}


def test_classes_that_the_verifier_numbers_otherwise_are_no_forgery(honest, tmp_path):
    """Folders are numbered by their names, and a model may have its classes in another order."""
    stored = np.load(honest.folder / "images.npz")
    np.savez(tmp_path / "own.npz", images=stored["images"], labels=(stored["labels"] + 1) % 3)

    result = evaluation_checks.verify(honest.folder / "plain.evidence", [], "cpu", data=str(tmp_path / "own.npz"))

    assert result.problems == []
    assert any("class 0 is 2, class 1 is 0, class 2 is 1" in line for line in result.unchecked)


def test_images_of_another_shape_are_refused(honest, tmp_path):
    np.savez(tmp_path / "wide.npz", images=np.zeros((5, 6, 7), np.uint8), labels=np.arange(5) % 3)

    with pytest.raises(ValueError, match=r"its images are 1 x 6 x 7, and those of the evidence 1 x 6 x 6"):
        evaluation_checks.verify(honest.folder / "plain.evidence", [], "cpu", data=str(tmp_path / "wide.npz"))


# --- copies --------------------------------------------------------------------------------------------------------------


def test_copies_are_counted_by_their_pixels():
    images = np.arange(20.0).reshape(5, 1, 2, 2)

    assert copies(images[[0, 1, 0, 2, 1, 0]]).tolist() == [2, 4, 5]


def test_evaluate_writes_no_evidence_of_copies(honest, tmp_path):
    with pytest.raises(ValueError, match=r"59 of the 60 images are exact copies .* leave the copies out"):
        touchstone.evaluate(
            nn.Flatten(), honest.images[:1].expand(COUNT, 1, 6, 6), honest.labels, evidence=tmp_path / "evidence"
        )


def test_json_has_what_was_challenged(honest, capsys):
    main(["verify", str(honest.folder / "plain.evidence"), "--challenge", "0", "--json"])

    assert json.loads(capsys.readouterr().out)["challenged"] == []
