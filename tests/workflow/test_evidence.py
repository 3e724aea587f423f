"""An honest pack of a study is verified, also elsewhere; forged files are each named by the check that catches them."""

import gzip
import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from projects import write_study
from touchstone.__main__ import main
from touchstone.audit import artefact_checks, study_evidence
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.audit.verification import Options, verify
from touchstone.digests import canonical, file_digest
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.numerics import cpu_paths
from touchstone.pipeline.jobs import job
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import archive, chain, sidecar_files
from touchstone.records import encoding
from touchstone.records.selection import select_rows
from touchstone.report import packing
from touchstone.settings.study import load

FORGED = runpy.run_path(str(Path(__file__).parents[1] / "forged_evidence.py"))
Forger, flipped, bumped, caught = (FORGED[name] for name in ("Forger", "flipped", "bumped", "caught"))
CLAIMS = ("A1", "F3", "M1")
TEST, TRAIN, CALIBRATION = (
    f"results/tiny/prepare/tiny/examples/digits_{part}.safetensors" for part in ("test", "train", "calibration")
)
NET, OTHER_NET = (f"results/tiny/train/{net}/networks/{net}.safetensors" for net in ("cnn.0", "cnn_aloe.0"))
PGD = "results/tiny/attack/cnn.0/attacked/digits_test/cnn.0/pgd.safetensors"
DETECT = "results/tiny/detect/cnn.0"
ATTACKED = f"{DETECT}/outputs/cnn.0/digits_test/cnn.0/pgd.safetensors"
FITTED = f"{DETECT}/detectors/cnn.0/pixel_mahalanobis.safetensors"
CLEAN = f"{DETECT}/outputs/cnn.0/digits_test.safetensors"
SCORE = f"{DETECT}/attacked/digits_test/cnn.0+msp@0.05/deployed_05.safetensors"
MSP = f"{DETECT}/detectors/cnn.0/msp.safetensors"
SCORES = f"{DETECT}/scores/cnn.0/msp/digits_test.safetensors"
DETECTION = "results/tiny/evaluate/aloe/metrics/far_sets_attacked.csv"
ERRORS = "results/tiny/evaluate/fgsm/metrics/one_step_against_suite.csv"
SEED = "results/tiny/detect/cnn_aloe.1/scores/cnn_aloe.1/msp/digits_test.safetensors"
MARGINS = "results/tiny/measure/cnn.0/margins/cnn.0/nearest_classes/digits_test.safetensors"
REPORT, CLAIM_TABLE = "reports/tiny/report.html", "reports/tiny/claims.csv"
SETTINGS = "workflow/studies/tiny.yaml"


@pytest.fixture(scope="session")
def honest(tiny, tmp_path_factory):
    """The pack of three claims, unpacked."""
    return unpacked(tiny, CLAIMS, tmp_path_factory.mktemp("evidence"))


def unpacked(tiny, claims, parent):
    """Write the pack of claims; return the folder that it is unpacked to, beside it."""
    folder = parent / "honest"
    path = folder.with_suffix(".pack")
    study_evidence.write(Selection(Plan(load("tiny", tiny.root)), claims), "tiny", path, root=tiny.root)
    folder.mkdir()
    archive.unpack(path, folder)
    return folder


def test_a_study_that_changes_while_its_evidence_is_written_gives_none(copied, tmp_path, monkeypatch):
    write, path = archive.write, tmp_path / "e"

    def while_a_run_ends(*arguments):
        evidence = write(*arguments)
        (copied.root / "reports/tiny/ROOT").write_text("sha256:0\n")
        return evidence

    monkeypatch.setattr(archive, "write", while_a_run_ends)
    with pytest.raises(ValueError, match="reports/tiny/ROOT: changed while the pack was written"):
        study_evidence.write(Selection(Plan(load("tiny", copied.root)), CLAIMS), "tiny", path, root=copied.root)
    assert not path.exists()


@pytest.fixture(scope="session")
def whole_evidence(tiny, tmp_path_factory):
    """The pack of the whole study. Tests only read it."""
    path = tmp_path_factory.mktemp("whole") / "e"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tiny.root)
        assert main(["pack", "tiny", "-o", str(path)]) == 0
    return path


@pytest.fixture
def raw(tiny):
    return {"sklearn_digits": tiny.root / "data/raw/sklearn_digits"}


# --- forgeries: what is changed, whether every digest is computed anew, what catches it, what it names ----------------


def pixels(change):
    """Change the images and the float images of the first row in the same way."""
    return {"images": change, "unquantised": change}


def one_level_too_far(images):
    images = images.copy()
    images[0] += np.float32(1 / 255) * np.where(images[0] > 0.5, -1, 1).astype(np.float32) * 26
    return images


def off_the_grid(images):
    return np.where(images > 0.5, images - np.float32(0.002), images + np.float32(0.002))


def train_for_test(forger):
    rows = encoding.decode(forger.read(TRAIN)).take(slice(0, 60))
    forger.write(TEST, encoding.encode(rows))


def threshold_from_test(forger):
    scores = np.sort(encoding.decode(forger.read(SCORES)).scores)
    forger.noun(MSP, thresholds=lambda values: {rate: threshold_at(scores, float(rate)) for rate in values})


def labels_everywhere(forger):
    for address in (TEST, PGD, ATTACKED, CLEAN, SCORES):
        forger.noun(address, labels=lambda labels: np.roll(labels, 1))


def of_row(metric, **columns):
    """Change the columns of the first row of a metric."""

    def change(rows):
        place = next(number for number, row in enumerate(rows) if row.metric == metric)
        return [replace(row, **columns) if number == place else row for number, row in enumerate(rows)]

    return change


def claims_twice(forger):
    """List every claim twice, with a better verdict first."""
    path = forger.folder / CLAIM_TABLE
    head, lines = path.read_text().split("\n", 1)
    assert "inconclusive" in lines
    path.write_text(f"{head}\n{lines.replace('inconclusive', 'holds')}{lines}")


def another_net(forger):
    forger.write(NET, forger.read(OTHER_NET))


def loosened(settings):
    return json.loads(json.dumps(settings).replace('"above": 0.3', '"above": 0.0'))


def weaker(settings):
    return settings | {"component": settings["component"] | {"eps": 0.3}}


def from_test(inputs):
    return {role: [link | {"file": CLEAN} for link in links] for role, links in inputs.items()}


def without_definitions(forger):
    """No link covers the lists of definitions, which say by which code something was made."""
    path = forger.folder / DETECT / "sidecar.json"
    content = json.loads(path.read_text())
    content["code"] = {digest: code | {"definitions": {}} for digest, code in content["code"].items()}
    path.write_bytes(sidecar_files.as_bytes(content))


def a_folder_of_a_sidecar(forger):
    path = forger.folder / DETECT / "sidecar.json"
    path.unlink()
    path.mkdir()
    (path / "a.csv").write_text("a\n")


BUDGETS = [
    ("a perturbation over the budget by 1/255", lambda f: f.noun(PGD, **pixels(one_level_too_far)), "budget", PGD),
    ("pixels off the 1/255 grid", lambda f: f.noun(PGD, images=off_the_grid), "budget", PGD),
    ("float images over the budget", lambda f: f.noun(PGD, unquantised=lambda x: 1 - x), "budget", PGD),
    ("images that are not the float ones", lambda f: f.noun(PGD, unquantised=lambda x: x[::-1]), "budget", PGD),
    ("labels of an attacked set swapped", lambda f: f.noun(PGD, labels=lambda x: x[::-1].copy()), "budget", PGD),
    ("ids of an attacked set swapped", lambda f: f.noun(PGD, example_ids=lambda x: x[::-1].copy()), "budget", PGD),
    ("an attacked set under another source", lambda f: f.noun(PGD, source=lambda x: "mnist"), "budget", PGD),
    ("the hardest rows left out", lambda f: f.write(PGD, encoding.encode(encoding.decode(f.read(PGD)).take(slice(9)))), "budget", PGD),
    ("another share of images without a score gradient", lambda f: f.noun(SCORE, notes=lambda x: x | {"no_score_gradient": 0.5}), "budget", SCORE),
    ("images outside [0, 1]", lambda f: f.write(PGD, f.read(PGD).replace(np.float32(1).tobytes(), np.float32(2).tobytes())), "budget", PGD),
]  # fmt: skip
SPLITS = [
    ("training images as test images", train_for_test, "splits", TEST),
    ("labels swapped everywhere", labels_everywhere, "recomputation", TEST),
    ("a calibration set with brighter images", lambda f: f.noun(CALIBRATION, images=lambda x: x[::-1].copy()), "recomputation", CALIBRATION),
    ("the calibration set read from the test part", lambda f: write_study(f.folder, "tiny", data={"calibration": "digits_test"}), "settings", SETTINGS),
]  # fmt: skip
FORWARD = [
    ("one prediction flipped", lambda f: f.noun(ATTACKED, logits=flipped), "recomputation", ATTACKED),
    ("one logit moved by 1 %", lambda f: f.noun(ATTACKED, logits=lambda x: bumped(x, 0.01 * np.abs(x).max())), "recomputation", ATTACKED),
    ("one logit of a float image moved", lambda f: f.noun(ATTACKED, unquantised_logits=flipped), "recomputation", ATTACKED),
    ("features of one row", lambda f: f.noun(CLEAN, features=lambda x: {"penultimate": bumped(x["penultimate"], 0.1)}), "recomputation", CLEAN),
    ("gradient norms of one row", lambda f: f.noun(CLEAN, gradient_norms=lambda x: {n: v * 1.01 for n, v in x.items()}), "recomputation", CLEAN),
    ("labels of the outputs", lambda f: f.noun(ATTACKED, labels=lambda x: np.roll(x, 1)), "recomputation", ATTACKED),
    ("another checkpoint", another_net, "recomputation", CLEAN),
    ("weights scaled by 1 %", lambda f: f.noun(NET, weights=lambda x: {n: v * np.float32(1.01) for n, v in x.items()}), "recomputation", CLEAN),
    ("another normalisation", lambda f: f.noun(NET, mean=lambda x: [0.3]), "recomputation", CLEAN),
    ("one score", lambda f: f.noun(SCORES, scores=lambda x: bumped(x, 0.05)), "recomputation", SCORES),
    ("scores with the wrong sign", lambda f: f.noun(SCORES, scores=lambda x: -x), "recomputation", SCORES),
    ("a threshold fitted on test data", threshold_from_test, "recomputation", MSP),
    ("a loosened threshold", lambda f: f.noun(MSP, thresholds=lambda x: {r: t + 0.05 for r, t in x.items()}), "recomputation", MSP),
    ("a threshold for another rate", lambda f: f.noun(MSP, thresholds=lambda x: {f"{float(r) / 2:g}": t for r, t in x.items()}), "recomputation", MSP),
    ("a detector's spread", lambda f: f.noun(MSP, spread=lambda x: 2 * x), "recomputation", MSP),
    ("a detector called supervised", lambda f: f.noun(MSP, supervised=lambda x: not x), "recomputation", MSP),
]  # fmt: skip
NUMBERS = [
    ("a better number", lambda f: f.rows("far_sets_attacked", of_row("auroc_union", value=0.9)), "recomputation", DETECTION),
    ("a narrower interval", lambda f: f.rows("far_sets_attacked", of_row("auroc_union", low=0.14, high=0.16)), "recomputation", DETECTION),
    ("more images", lambda f: f.rows("far_sets_attacked", of_row("auroc_union", n=10_000)), "recomputation", DETECTION),
    ("a row left out", lambda f: f.rows("far_sets_attacked", lambda rows: rows[1:]), "recomputation", DETECTION),
    ("a dropped seed", lambda f: f.rows("one_step_against_suite", lambda rows: [row for row in rows if row.seed != 1]), "recomputation", ERRORS),
    ("the files of a dropped seed", lambda f: (f.folder / SEED).unlink(), "plan", SEED),
    ("a seed dropped from the settings", lambda f: write_study(f.folder, "tiny", change={"classifiers": {"cnn_aloe": {"seeds": [0]}}}), "plan", "cnn_aloe.1"),
    ("another budget in the settings", lambda f: write_study(f.folder, "tiny", change={"attacks": {"deployed_05": {"eps": 0.1}}}), "plan", "deployed_05.safetensors"),
    ("another budget in a record", lambda f: f.record(PGD, settings=weaker), "plan", PGD),
    ("other inputs in a record", lambda f: f.record(MSP, inputs=from_test), "plan", MSP),
    ("a criterion loosened", lambda f: f.record(REPORT, settings=loosened), "plan", REPORT),
    ("a better verdict", lambda f: f.claims("A1", status="holds"), "criteria", "A1"),
    ("a better number of a claim", lambda f: f.claims("A1", measured="0.01"), "criteria", "A1"),
    ("every claim listed twice, first with a better verdict", claims_twice, "criteria", CLAIM_TABLE),
    ("an attacker left out", lambda f: f.claims("A1", attacker="survives"), "criteria", "A1"),
]  # fmt: skip
MARGIN = [
    ("one margin doubled", lambda f: f.noun(MARGINS, margins=lambda x: x * np.where(np.arange(len(x)) == 3, 2, 1)), "recomputation", MARGINS),
    ("every margin doubled", lambda f: f.noun(MARGINS, margins=lambda x: 2 * x), "recomputation", MARGINS),
    ("every margin halved", lambda f: f.noun(MARGINS, margins=lambda x: x / 2), "recomputation", MARGINS),
    ("a margin that no search found", lambda f: f.noun(MARGINS, margins=lambda x: np.where(np.arange(len(x)) == 3, np.inf, x), found=lambda x: x & (np.arange(len(x)) != 3)), "recomputation", MARGINS),
    ("margins of other predictions", lambda f: f.noun(MARGINS, predictions=lambda x: np.roll(x, 1)), "recomputation", MARGINS),
    ("margins in another norm", lambda f: f.noun(MARGINS, norm=lambda norm: "l2"), "recomputation", MARGINS),
]  # fmt: skip
CONSISTENT = [*MARGIN, *BUDGETS, *SPLITS, *FORWARD, *NUMBERS]
# They are tried together, because they change different files and none leads to the finding that another has to. Together
# they lead to fewer than MOST_PROBLEMS findings, so none is caught only because trials with nudged weights have stopped.
TOGETHER = [
    ("one margin doubled", "a perturbation over the budget by 1/255"),
    ("every margin doubled", "pixels off the 1/255 grid", "features of one row"),
    ("every margin halved", "float images over the budget", "gradient norms of one row"),
    ("margins of other predictions", "images that are not the float ones", "one score"),
    ("margins in another norm", "labels of an attacked set swapped"),
    ("ids of an attacked set swapped", "a better number"),
    ("an attacked set under another source", "one prediction flipped", "a narrower interval", "a dropped seed"),
    ("the hardest rows left out", "a detector's spread"),
    ("images outside [0, 1]", "a detector called supervised", "a criterion loosened"),
    ("another budget in a record", "other inputs in a record"),
    ("one logit moved by 1 %", "a threshold for another rate", "a row left out"),
    ("one logit of a float image moved", "a better verdict"),
    ("labels of the outputs", "another share of images without a score gradient", "a better number of a claim"),
]  # fmt: skip
FORGERIES = {row[0]: row[1:] for row in CONSISTENT}
KNOWN = {}  # what honest inputs give, for all rounds: each changes a few files of the same pack


@pytest.fixture
def computed_once(monkeypatch):
    """Have a whole artefact computed once from inputs with the same bytes. Tests of honest packs do without."""
    compute = Recomputation.compute

    def recalled(reader, task, sample=None, *, nudged=False):
        inputs = {file: reader.folder / file for file in task.input_files}
        whole = sample is None and not nudged and task.step != "prepare"  # whose raw files are elsewhere
        if not whole or not all(path.is_file() for path in inputs.values()):
            return compute(reader, task, sample, nudged=nudged)
        digests = {file: file_digest(path) for file, path in inputs.items()}
        key = canonical([task.step, task.output, task.settings, task.inputs, digests])
        if key not in KNOWN:
            KNOWN[key] = compute(reader, task)
        return deepcopy(KNOWN[key])

    monkeypatch.setattr(Recomputation, "compute", recalled)


ROUNDS = [*TOGETHER, *((name,) for name in FORGERIES if name not in sum(TOGETHER, ()))]


def test_each_forgery_is_tried_once():
    assert sorted(sum(ROUNDS, ())) == sorted(row[0] for row in CONSISTENT)


@pytest.mark.parametrize("names", ROUNDS, ids=" + ".join)
@pytest.mark.usefixtures("computed_once")
def test_a_forgery_whose_digests_all_agree_is_caught_where_it_is(honest, raw, tmp_path, names):
    forger = Forger(honest, tmp_path / "forged")
    for name in names:
        change, _, _ = FORGERIES[name]
        change(forger)
    forger.rehash()

    result = verify(forger.packed(), Options(raw=raw, share=1.0, challenge=0))  # every margin

    assert [name for name in names if not caught(result, *FORGERIES[name][1:])] == [], result.problems
    found = [problem for problem in result.problems if problem.check in ("bytes", "chain", "root")]
    # The files of a dropped seed belong to nothing.
    assert not [problem for problem in found if "belongs to no record" not in problem.message]
    assert len(names) == 1 or len(result.problems) < artefact_checks.MOST_PROBLEMS


LEFT_BEHIND = [
    ("other bytes of a network", lambda f: f.write(NET, f.read(OTHER_NET)), "chain", NET),
    ("another code digest in a record", lambda f: f.record(PGD, code=lambda x: "sha256:" + "0" * 64), "chain", PGD),
    ("another list of definitions in a sidecar", without_definitions, "chain", f"{DETECT}/sidecar.json"),
    ("a folder instead of a sidecar", a_folder_of_a_sidecar, "chain", f"{DETECT}/sidecar.json"),
    ("another ROOT", lambda f: (f.folder / "reports/tiny/ROOT").write_text("sha256:0\n"), "root", "reports/tiny/ROOT"),
    ("another table of claims", lambda f: (f.folder / CLAIM_TABLE).write_text("claim\n"), "chain", CLAIM_TABLE),
    ("a record of nested JSON", lambda f: (f.folder / DETECT / "sidecar.json").write_text("[" * 9999), "bytes", "detect/cnn.0/sidecar.json"),
    ("a pickle instead of a network", lambda f: (f.folder / NET).write_bytes(b"\x80\x04."), "chain", NET),
    ("settings that name Python code", lambda f: f.text(SETTINGS, "\npapers:", "\nplugins: [/tmp]\npapers:"), "settings", "plugins"),
    ("another settings file that names Python code", lambda f: (f.folder / "mine.yaml").write_text("plugins: [/tmp]\n"), "settings", "plugins"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "check", "named"), [row[1:] for row in LEFT_BEHIND], ids=[row[0] for row in LEFT_BEHIND]
)
@pytest.mark.usefixtures("computed_once")
def test_a_forgery_that_leaves_a_digest_behind_is_caught_by_it(honest, tmp_path, change, check, named):
    forger = Forger(honest, tmp_path / "forged")
    change(forger)

    assert caught(result := verify(forger.packed(), Options(challenge=0)), check, named), result.problems


def test_records_of_other_settings_that_another_version_wrote_accuse_nobody(honest, tmp_path):
    forger = Forger(honest, tmp_path / "forged")
    forger.record(PGD, settings=weaker)
    forger.about["touchstone"] = "0.9.0"
    forger.rehash()

    words = rf"it says that touchstone '0.9.0' wrote it.*plans it otherwise \({PGD}: was created under other settings"
    with pytest.raises(archive.EvidenceError, match=words):
        verify(forger.packed(), Options(challenge=0))


def forged_note(honest, tmp_path):
    """Evidence that says its attack took more passes. No computation but the attack's own could tell."""
    forger = Forger(honest, tmp_path / "forged")
    forger.noun(PGD, notes=lambda notes: notes | {"gradient_passes": 4000.0})
    forger.rehash()
    return forger.packed()


def test_what_no_computation_can_tell_is_caught_by_the_root_digest(honest, tmp_path):
    path, root = forged_note(honest, tmp_path), archive.read_manifest(honest.with_suffix(".pack")).about["root"]

    assert verify(path, Options()).problems == []
    assert caught(verify(path, Options(root=root, challenge=0)), "root", root)


# --- archives ---------------------------------------------------------------------------------------------------------


def zipped(path, files, manifest=None):
    entry = {"digest": "sha256:0", "size": 10**12}
    content = {"format": archive.FORMAT, "kind": "study", "about": {}, "files": dict.fromkeys(files, entry)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(archive.MANIFEST, json.dumps(content) if manifest is None else manifest)
        for name, data in files.items():
            target.writestr(name, data)


HOSTILE = [
    ("half a file", lambda path, data: path.write_bytes(data[: len(data) // 2]), "truncated"),
    ("an empty file", lambda path, data: path.write_bytes(b""), "no pack"),
    ("a zip bomb", lambda path, data: zipped(path, {"data/a.csv": b"0" * 10**7}), "zip bomb"),
    ("a name above the folder", lambda path, data: zipped(path, {"../../a.csv": b""}), "inside its own folder"),
    ("an absolute name", lambda path, data: zipped(path, {"/etc/a.csv": b""}), "inside its own folder"),
    ("a hidden file", lambda path, data: zipped(path, {".touchstone/plan/0.json": b"{}"}), "inside its own folder"),
    ("Python code", lambda path, data: zipped(path, {"src/evil.py": b""}), "only data, settings and pages"),
    ("a pickle", lambda path, data: zipped(path, {"data/a.pkl": b""}), "only data, settings and pages"),
    ("a manifest of nested JSON", lambda path, data: zipped(path, {}, "[" * 10**6), "cannot be read"),
    ("a folder that is a file too", lambda path, data: zipped(path, {"data/a.csv": b"", "data/a.csv/b.csv": b""}), "a folder too"),
    ("a name that no disk can hold", lambda path, data: zipped(path, {f"data/{'a' * 300}.csv": b""}), "too long"),
    ("a newer format", lambda path, data: zipped(path, {}, '{"format": "touchstone evidence 9"}'), "reads 'touchstone evidence 3'"),
    ("a key that is there twice", lambda path, data: zipped(path, {}, '{"format": 1, "format": 2}'), "twice"),
    ("names that differ only in case", lambda path, data: zipped(path, {"evidence.JSON": b""}), "two files of one name"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "words"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_archive_is_refused_with_a_sentence(honest, tmp_path, capsys, write, words):
    write(tmp_path / "hostile", honest.with_suffix(".pack").read_bytes())

    assert main(["verify", str(tmp_path / "hostile")]) == 1
    assert words in capsys.readouterr().err


def test_bytes_that_the_manifest_does_not_list_are_named_and_not_read(honest, tmp_path):
    with zipfile.ZipFile(honest.with_suffix(".pack")) as source, zipfile.ZipFile(tmp_path / "e", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:-1] + bytes([data[-1] ^ 1]) if name == TEST else data)

    result = verify(tmp_path / "e", Options())

    (problem,) = result.problems  # and none that says that it is missing, because it was not unpacked
    assert (problem.check, problem.file) == ("bytes", TEST)
    assert any("artefacts that read what is missing or damaged" in line for line in result.unchecked)


# --- honest evidence --------------------------------------------------------------------------------------------------


def test_the_evidence_of_the_whole_study_holds_and_says_what_it_takes_on_trust(
    tiny, whole_evidence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tiny.root)
    root = Path("reports/tiny/ROOT").read_text().strip()

    assert main(["verify", str(whole_evidence), "--root", root, "--study", "tiny"]) == 0
    text = capsys.readouterr().out
    assert "no stronger attack exists" in text
    assert "the report has the root digest that you gave" in text
    assert "A1: inconclusive" in text
    assert main(["pack", "tiny", "-o", str(tmp_path / "again")]) == 0
    assert file_digest(whole_evidence) == file_digest(tmp_path / "again")


def test_honest_evidence_holds_on_another_processor_and_another_compression(honest, tmp_path):
    with zipfile.ZipFile(honest.with_suffix(".pack")) as source, zipfile.ZipFile(tmp_path / "e", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))  # stored, not deflated
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Prescott"}
    environment |= {"OMP_NUM_THREADS": "2", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    environment |= {"OMP_WAIT_POLICY": "PASSIVE"}  # else threads spin while they wait, on a processor that tests share
    # Called as a function, verify does not pin the paths of this processor.
    unpinned = f"from touchstone.__main__ import main; raise SystemExit(main(['verify', {str(tmp_path / 'e')!r}]))"
    command = [sys.executable, "-c", unpinned]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    # All rows, because a search among fewer images may round otherwise.
    command = [sys.executable, "-m", "touchstone", "verify", str(tmp_path / "e"), "--challenge", "0", "--all"]
    same = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert (other.returncode, same.returncode) == (0, chain.PARTLY), other.stdout + other.stderr + same.stdout
    assert "not pinned" in other.stdout
    assert "not pinned" not in same.stdout
    exact = [re.search(r"(\d+) of (\d+) recomputed files are equal", each.stdout).groups() for each in (other, same)]
    assert int(exact[0][0]) < int(exact[0][1])
    assert exact[1][0] == exact[1][1] or not cpu_paths.pinned()


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The evidence of two claims that rest on a probe and on detectors with fitted tensors, unpacked."""
    return unpacked(tiny, ("M3", "G1"), tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize(("cpu", "by"), [("", 1e-3), ("another", 0.05)], ids=["equal", "another"])
def test_a_forged_probe_is_caught_whatever_processor_its_record_names(trained, tmp_path, monkeypatch, cpu, by):
    """What a probe predicts at a tie depends on the processor, so on an equal one less is allowed."""
    file = "results/tiny/evaluate/margin_consistency/metrics/pseudo_margins.csv"
    stated = sidecar_files.read_sidecar(trained / file)["cpu"]
    forger = Forger(trained, tmp_path / "forged")
    forger.rows("pseudo_margins", lambda rows: [replace(rows[0], value=rows[0].value + by), *rows[1:]])
    forger.record(file, cpu=lambda before: cpu or before)
    forger.rehash()
    monkeypatch.setattr(job, "code_paths", lambda with_torch: stated)

    assert caught(verify(forger.packed(), Options(challenge=0)), "recomputation", file)


def test_of_a_share_verify_says_which_rows_and_trainings_it_did_not_draw(trained, tmp_path):
    forger = Forger(trained, tmp_path / "forged")
    forger.noun(CLEAN, logits=lambda logits: bumped(logits, 3 * np.arange(10), 60))
    forger.rehash()

    drawn = verify(trained.with_suffix(".pack"), Options(share=0.1))
    assert drawn.problems == []
    assert any("the other rows of" in line for line in drawn.unchecked)
    assert any("detectors and probes that --share did not draw" in line for line in drawn.unchecked)
    assert caught(verify(forger.packed(), Options(share=0.1)), "recomputation", CLEAN)


def test_of_a_share_rows_that_are_left_out_are_caught(trained, tmp_path):
    forger = Forger(trained, tmp_path / "forged")
    forger.write(CLEAN, encoding.encode(select_rows(encoding.decode(forger.read(CLEAN)), np.arange(40))))
    forger.rehash()

    assert caught(verify(forger.packed(), Options(share=0.1)), "recomputation", CLEAN)


FORGED_FITS = [
    {"supervised": True},
    {"settings": {"use": "detectors/pixel_mahalanobis", "shrinkage": 0.5}},
    {"thresholds": {"0.05": 1.0}},
]


@pytest.mark.parametrize("forged", FORGED_FITS, ids=lambda forged: next(iter(forged)))
def test_of_a_fitted_detector_only_numbers_may_differ(tiny, forged):
    reader = Recomputation(Selection(Plan(load("tiny", tiny.root))), tiny.root, "cpu", {})
    task = reader.selection.tasks[FITTED]
    stated, counts = reader.noun(FITTED, "Detector"), artefact_checks.Counts()

    assert artefact_checks._check_fitted(reader, stated, task, counts)
    with pytest.raises(ValueError, match=r"its (settings are not those|thresholds are for)"):
        artefact_checks._check_fitted(reader, replace(stated, **forged), task, counts)


def test_without_weights_only_who_has_the_networks_can_verify(tiny, tmp_path):
    selection = Selection(Plan(load("tiny", tiny.root)), CLAIMS)
    study_evidence.write(selection, "tiny", tmp_path / "e", weights=False, root=tiny.root)
    networks = {Path(file).stem: tiny.root / file for file in selection.files if "/networks/" in file}
    without, right = verify(tmp_path / "e", Options()), verify(tmp_path / "e", Options(networks=networks))
    wrong = verify(tmp_path / "e", Options(networks=networks | {"cnn.0": networks["cnn_aloe.0"]}, challenge=0))

    assert without.problems == []
    assert "no weights of cnn.0" in without.unchecked[0]
    assert (right.problems, right.unchecked) == ([], [])
    assert caught(wrong, "recomputation", NET)
    assert caught(wrong, "recomputation", CLEAN)


def test_the_numbers_of_a_study_without_claims_are_compared(few, tmp_path):
    folder = tmp_path / "few"
    study_evidence.write(Selection(Plan(load("few", few.root))), "few", folder.with_suffix(".pack"), root=few.root)
    folder.mkdir()
    archive.unpack(folder.with_suffix(".pack"), folder)
    forger = Forger(folder, tmp_path / "forged")
    table = forger.folder / "reports/few" / packing.METRICS
    text = gzip.decompress(table.read_bytes()).decode()
    table.write_bytes(gzip.compress(re.sub(r"(?m)^(sheet,.*?),60\b", r"\1,61", text, count=1).encode()))
    assert gzip.decompress(table.read_bytes()).decode() != text
    forger.rehash()

    assert verify(folder.with_suffix(".pack"), Options()).problems == []
    assert caught(verify(forger.packed(), Options()), "recomputation", packing.METRICS)
