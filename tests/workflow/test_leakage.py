"""What is tested on shares no image with what anything learned from: by rows and by pixels, whatever the sets are called."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from projects import write_study
from touchstone import plugins
from touchstone.audit.chain import audit
from touchstone.data.digits import SHARES
from touchstone.data.ingest.splits import rows_of_part
from touchstone.pipeline.jobs import job_plan, leak_check, leakage, run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.provenance.job_folders import folder_of
from touchstone.provenance.store import Store
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
STUDY = """
title: Mine
data:
  sources:
    sklearn_digits: {use: sklearn_digits, sha256: null}
    again: {use: sklearn_digits, sha256: null}   # the same files: settings cannot know that
    sklearn_photographs: {use: sklearn_photographs, sha256: null}
    first: {use: own_files, location: first, sha256: null}
    second: {use: own_files, location: second, sha256: null}
  calibration: {calibration: {use: digits, source: sklearn_digits, part: calibration, limit: 60}}
  sets:
    train: {use: digits, source: sklearn_digits, part: train, limit: 200}
    validation: {use: digits, source: sklearn_digits, part: validation, limit: 40}
    test: {use: digits, source: sklearn_digits, part: test, limit: 60}
change:
  classifiers:
    cnn: {use: clean, model: {use: small_cnn}, train: train, validation: validation}
  detectors:
    msp: {use: msp}
  evaluations:
    robustness: {use: robustness, question: How, classifiers: [cnn], examples: [test]}
    detection: {use: detection, question: How, classifiers: [cnn], examples: [test], detectors: all, id_examples: test}
    sheet: {use: data_sheet, question: What, examples: all}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder to work in, with two folders of the user's pictures that share nothing."""
    (tmp_path / "workflow" / "studies").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("first", "second")):
        pictures = np.random.default_rng(seed).integers(0, 256, (20, 28, 28), np.uint8)
        for number, picture in enumerate(pictures):
            write(tmp_path / name / str(number % 2) / f"{number}.png", picture)
    return tmp_path


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def planned(changes=""):
    """The study with some entries changed: `section: {name: {...}}`."""
    changed = yaml.safe_load(changes) or {}
    write_study(Path(), "mine", STUDY, plugins=changed.pop("plugins", []), change=changed)
    return Plan(load("mine", Path()))


def prepare(plan):
    """Make the raw files and the sets, as jobs do; return what the job of the sets has made."""
    written = plan.write()
    for job in (job for job in plan.jobs.values() if job.rule in ("fetch", "prepare")):
        folder = folder_of("mine", str(job))
        inputs = [folder_of("mine", name) for name in job.inputs]
        artefacts = Artefacts(job_plan.load(written[job.rule, job.name], inputs, folder), Store("mine"))
        run.run(artefacts, Path("logs"))
        if job.rule == "prepare":
            artefacts.finish(Path(folder))
    return artefacts


def found(changes=""):
    artefacts = prepare(planned(changes))
    return leakage.overlaps(leak_check.apart(artefacts), leak_check.prepared(artefacts))


def of_part(part, seed=0, limit=None):
    with Path("data/raw/sklearn_digits/digits.csv").open() as file:
        labels = np.array([int(row[-1]) for row in csv.reader(file)])
    return set(rows_of_part(labels, SHARES, part, seed=seed, limit=limit).tolist())


@pytest.mark.parametrize(("role", "learner"), [
    ("classifiers", "other"), ("victims", "other"), ("rivals", "other"), ("detectors", "knn"), ("certificates", "knn"),
])  # fmt: skip
def test_nothing_that_an_evaluation_reads_may_have_learned_from_its_test_set(project, role, learner):
    study = planned(
        "examples: {repeated: {use: digits, source: again, part: test, limit: 30},"
        " noise: {use: uniform_noise, count: 20}}\n"
        "classifiers: {other: {use: clean, model: {use: small_cnn}, train: repeated, validation: validation}}\n"
        "detectors: {knn: {use: knn, k: 3, fit: repeated}}\n"
        "evaluations: {others: {use: rubbish, question: How, classifiers: [other], examples: [noise]}}\n"
    ).study
    del study["evaluations"]["detection"]
    assert ("test", "repeated") not in apart.pairs(study)

    study["evaluations"]["robustness"][role] = ["cnn", learner] if role == "classifiers" else [learner]

    assert ("test", "repeated") in apart.pairs(study)


@pytest.mark.parametrize(("learner", "other"), [("fit", "test"), ("train", "test"), ("calibration", "train")])
def test_a_part_of_a_set_that_it_must_not_share_images_with_is_refused_before_a_run(project, learner, other):
    """A part of a part, too; sets that no evaluation combines may be parts of each other."""
    study = planned().study
    apart.check(study)
    examples, detector = study["examples"], next(iter(study["detectors"]))
    examples |= {"half": examples[other] | {"use": "data/subset", "of": other}}
    examples |= {"quarter": examples[other] | {"use": "data/subset", "of": "half"}}
    apart.check(study)
    if learner == "fit":
        study["detectors"][detector]["fit"] = "quarter"
    elif learner == "train":
        study["classifiers"]["cnn"]["train"] = "quarter"
    else:
        study["study"]["calibration"] = "quarter"

    with pytest.raises(
        ParamsError,
        match=rf"quarter has images of {other}: .*; use others|{other} has images of quarter: .*; use others",
    ):
        apart.check(study)


def test_disjoint_sets_share_nothing(project):
    assert found() == []


def test_a_test_set_of_training_rows_is_refused_with_both_names_and_the_number(project):
    artefacts = prepare(planned("examples: {test: {source: again, part: train, limit: 60}}"))

    with pytest.raises(leakage.Leak) as caught:
        leak_check.check(artefacts)

    told = str(caught.value)
    assert told.startswith("examples.test shares 60 images with examples.train (")
    assert "the same rows of sources.again: " in told
    assert "evaluations.robustness tests on the first, classifiers.cnn.train is the second" in told


def test_the_rows_are_counted_whatever_the_sets_were_split_by(project):
    (leak,) = found("examples: {test: {part: test, limit: 300, split_seed: 5}, train: {limit: 700}, validation: {limit: 1}, calibration: {limit: 1}}")  # fmt: skip

    shared = of_part("test", 5, 300) & of_part("train", 0, 700)
    assert leak.leaks and (leak.tested, leak.learned) == ("test", "train")
    assert set(leak.rows) == shared and len(shared) > 50


def test_what_was_made_of_a_training_row_is_that_row(project):
    more = "few: {use: subset, of: train, count: 30}, test: {use: corruption, of: few, kind: contrast, severity: 5}"
    (leak,) = found(f"examples: {{{more}}}")

    assert leak.leaks and len(leak.rows) == 30
    assert set(leak.rows) <= of_part("train", limit=200)


# Changed entries, and which sets share how many images by which reading.
LEAKS = {
    "training": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\nclassifiers: {cnn: {train: other}}", {("test", "other"): 20}),
    "validation": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\nclassifiers: {cnn: {validation: other}}", {("test", "other"): 20}),
    "outliers": ("examples: {other: {use: digits, source: again, part: test, limit: 20}, hazy: {use: phase_scrambled, of: other}}\nclassifiers: {cnn: {use: outlier_exposed, model: {use: small_cnn}, train: train, validation: validation, outliers: [hazy]}}", {("test", "hazy"): 20}),
    "thresholds": ("examples: {calibration: {source: again, part: test, limit: 10}}", {("test", "calibration"): 10}),
    "a network's own thresholds": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\nclassifiers: {cnn: {calibration: other}}", {("test", "other"): 20}),
    "fitting a detector": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\ndetectors: {knn: {use: knn, k: 3, fit: other}}", {("test", "other"): 20}),
    "a detector's network": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\ndetectors: {knn: {use: knn, k: 3, fit: validation, classifier: second}}\nclassifiers: {second: {use: clean, model: {use: small_cnn}, train: other, validation: validation}}", {("test", "other"): 20}),
    "anomalies from one draw": ("examples: {noise: {use: uniform_noise, count: 30}, known: {use: uniform_noise, count: 50}}\ndetectors: {learned: {use: gradient_network, fit: validation, anomalous: [known], label: ones}}\nevaluations: {detection: {examples: [test, noise]}}\nconfounding: {ones: {variant: softmax}}", {("noise", "known"): 30}),
    "patches that overlap": ("examples: {noise: {use: photograph_patches, source: sklearn_photographs}, known: {use: photograph_patches, source: sklearn_photographs, stride: 14}}\ndetectors: {learned: {use: gradient_network, fit: validation, anomalous: [known], label: ones}}\nevaluations: {detection: {examples: [test, noise]}}\nconfounding: {ones: {variant: softmax}}", {("noise", "known"): 154}),
    "a source under two names": ("examples: {other: {use: digits, source: again, part: train, limit: 20}, test: {use: corruption, of: other, kind: gaussian_noise, severity: 5}}", {("test", "train"): 20}),
    "thresholds of what was learned": ("examples: {calibration: {source: again, part: train, limit: 15}}", {("calibration", "train"): 15}),
    "what chooses the weights": ("examples: {validation: {source: again, part: train, limit: 25}}", {("validation", "train"): 25}),
    "what an evaluation fits": ("examples: {other: {use: digits, source: again, part: test, limit: 20}}\nevaluations: {probe: {use: linear_probe, question: How, classifiers: [cnn], examples: [test], fit: other}}", {("test", "other"): 20}),
}  # fmt: skip


@pytest.mark.parametrize("case", LEAKS)
def test_every_way_of_learning_is_looked_at(project, case):
    changes, expected = LEAKS[case]

    leaks = found(changes)

    assert all(leak.leaks for leak in leaks)
    assert {(leak.tested, leak.learned): len(leak.rows) for leak in leaks} == expected


def test_what_another_evaluation_learns_from_may_be_tested_on_here(project):
    """Two folds: each network is tested on rows that the other has learned from."""
    shares = found("""
examples:
  calibration: {use: own_images, source: first}
  train: {limit: 500}
  test: {part: test, limit: 300}
  second_train: {use: digits, source: sklearn_digits, part: train, split_seed: 1, limit: 500}
  check: {use: digits, source: sklearn_digits, part: validation, split_seed: 1}
  fresh: {use: digits, source: sklearn_digits, part: test, split_seed: 1, limit: 300}
classifiers: {second: {use: clean, model: {use: small_cnn}, train: second_train, validation: check}}
evaluations: {folded: {use: robustness, question: How, classifiers: [second], examples: [fresh]}}
""")

    assert shares == []
    assert len(of_part("test", 0, 300) & of_part("train", 1, 500)) > 50


OWN = """
examples:
  train: {use: own_images, source: first, part: %s}
  test: {use: own_images, source: %s, part: %s}
"""


def test_two_folders_of_the_users_may_not_share_a_picture(project):
    write(project / "second/1/copy.bmp", np.asarray(Image.open(project / "first/0/4.png")))  # other name, class, format

    (leak,) = found(OWN % ("all", "second", "all"))

    assert leak.leaks and (leak.tested, leak.learned) == ("test", "train")
    names = sorted(path.relative_to(project / "second").as_posix() for path in (project / "second").rglob("*.*"))
    assert leak.rows == (names.index("1/copy.bmp"),)


def test_a_row_that_is_left_out_is_shared_no_more(project):
    write(project / "second/1/copy.bmp", np.asarray(Image.open(project / "first/0/4.png")))
    (leak,) = found(OWN % ("all", "second", "all"))

    rest = f"  rest: {{use: without_rows, of: test, rows: [{leak.rows[0]}]}}\n"
    tested = "evaluations: {robustness: {examples: [rest]}, detection: {examples: [rest], id_examples: rest}}"

    assert found(OWN % ("all", "second", "all") + rest + tested) == []


def test_a_blank_picture_is_in_every_data_set(project):
    for folder in ("first", "second"):
        write(project / folder / "0/blank.png", np.full((28, 28), 255, np.uint8))

    assert found(OWN % ("all", "second", "all")) == []


def test_what_a_publisher_has_twice_is_told_and_stays(project, capsys):
    for number in range(20):
        shutil.copy(project / f"first/{number % 2}/{number}.png", project / f"first/{number % 2}/{number}_again.png")
    artefacts = prepare(planned(OWN % ("fit", "first", "test")))

    (copies,) = leakage.overlaps(leak_check.apart(artefacts), leak_check.prepared(artefacts))

    train, test = (artefacts.noun(f"results/mine/prepare/mine/examples/{name}.safetensors", "ExampleSet").images
                   for name in ("train", "test"))  # fmt: skip
    same = (test[:, None] == train[None]).all(axis=(2, 3, 4)).any(axis=1)
    assert len(copies.rows) == same.sum() > 0
    assert not copies.leaks
    leak_check.check(artefacts)
    assert capsys.readouterr().err.splitlines()[-1].startswith("touchstone: note: examples.test shares ")


def test_a_component_that_numbers_each_part_from_0_is_named(project):
    (project / "mine/data").mkdir(parents=True)
    (project / "mine/data/numbered.py").write_text("""from dataclasses import replace
from pathlib import Path
from typing import Literal
import numpy as np
from touchstone.data.digits import digits
from touchstone.records.nouns import ExampleSet

def numbered(folder: Path, *, part: Literal["train", "test"]) -> ExampleSet:
    \"\"\"Return digits with ids that mean nothing.\"\"\"
    examples = digits(folder, part=part, limit=30)
    return replace(examples, example_ids=np.arange(30))
""")
    changes = "\n".join(
        f"  {part}: {{use: numbered, source: sklearn_digits, part: {part}}}" for part in ("train", "test")
    )

    try:
        (overlap,) = found(f"plugins: [mine]\nexamples:\n{changes}")
    finally:
        plugins.use([])

    assert overlap.leaks and len(overlap.rows) == 30
    assert "data/numbered.py gives other images the same example_ids; they must be rows of the source" in str(overlap)


def test_other_settings_of_the_same_set_are_no_pair(project):
    """Every pair that must share nothing is of two different sets; names are checked before anything is prepared."""
    for study in ("digits", "fashion_mnist", "cifar10", "tiny"):
        found = apart.pairs(load(study, ROOT))
        assert found and all(first != second for first, second in found)


def test_every_shipped_pair_is_named_by_both_of_its_uses():
    why = apart.pairs(load("digits", ROOT))

    assert ("digits_test", "digits_train") in why
    assert ("digits_test_darker", "digits_train") in why
    assert ("digits_calibration", "digits_detector_train") in why
    assert ("digits_validation", "digits_train") in why
    assert ("uniform", "uniform_fit") in why
    assert ("digits_train", "digits_test") not in why
    assert ("digits_test", "noisy") not in why


# --- in the workflow ---------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(bare, tmp_path):
    return bare.copy(tmp_path / "copy")


def test_a_study_ends_at_the_leaking_set_before_anything_is_trained(copy):
    sources = {"again": {"use": "sklearn_digits", "sha256": None}}
    test = {"digits_test": {"source": "again", "part": "train"}}
    write_study(copy.root, "tiny", data={"sources": sources, "test": test})

    done = copy.forked_touchstone("run", "tiny", "--cores", "1", check=False)

    assert done.returncode == 1
    assert done.stderr.count("examples.digits_test shares 60 images with examples.digits_train") == 1
    assert not (copy.root / "results").exists() or not list(copy.root.glob("results/tiny/*/*/sidecar.json"))

    write_study(copy.root, "tiny")
    copy.snakemake("--cores", "2", "results/tiny/prepare/tiny")


def test_another_role_of_a_set_that_is_there_is_seen_before_any_job(copy):
    data = {"sets": {"copied": {"use": "subset", "of": "digits_train", "count": 30}}}
    seen = {"seen": {"use": "data_sheet", "question": "What is in it?", "examples": ["copied"], "system": "shared"}}
    write_study(copy.root, "tiny", data=data, change={"evaluations": seen})
    copy.snakemake("--cores", "2", "results/tiny/prepare/tiny")
    tested = {"robustness": {"examples": ["digits_test", "copied"]}}
    write_study(copy.root, "tiny", data=data, change={"evaluations": seen | tested})

    done = copy.snakemake("--cores", "1", "--show-failed-logs", check=False)

    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "data.sets.copied: copied has images of digits_train" in said
    assert "evaluations.robustness tests on the first" in said
    assert not list(copy.root.glob("results/tiny/train/*"))


def test_an_audit_names_the_leak_of_a_forged_set(copied):
    folder = copied.root / "results/tiny/prepare/tiny"
    forged, train = (f"examples/{name}.safetensors" for name in ("digits_test", "digits_train"))
    shutil.copy(folder / train, folder / "copy")
    (folder / "copy").replace(folder / forged)
    records = sidecar_files.read_folder(folder)
    sidecar_files.write_job_sidecar(folder, records | {forged: records[train]})

    findings = audit.audit(Plan(load("tiny", copied.root)), copied.root, quiet=True)

    assert any(
        finding.file == f"results/tiny/prepare/tiny/{forged}"
        and "shares 200 images with examples.digits_train" in finding.problem
        for finding in findings
    )
