"""The union of attacks that ALOE's claims rest on, and the classes that nothing may have seen.

The claims are judged in test_claims.py.
"""

import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hand_made_claims import shipped
from hypothesis import given, settings
from hypothesis import strategies as st

from touchstone.claims import contrast_files
from touchstone.data.class_split import class_split
from touchstone.evaluations._attack_checks import check_rows
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.evaluations.union_detection import union_detection
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.nouns import Cell, ExampleSet, Outputs, Scores
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
PAPER = shipped()["A"]


def test_the_head_of_the_report_shows_the_papers_attack_all_attacks_and_the_best_network_before():
    (written,) = contrast_files.read(PAPER.facts)
    tests, who = written.criterion.tests, PAPER.cast(*written.of)

    assert [(test.rows.metric.format(**who), test.rows.entry.format(**who)) for test in tests] == [
        ("auroc_alone_transfer_05", "cnn_aloe_0+best"),
        ("auroc_union", "cnn_aloe_0+best"),
        ("auroc_union", "before+best"),
    ]


# --- the union of attacks -------------------------------------------------------------------------------------------

NETS = {"plain_0": 0, "plain_1": 1, "good_0": 0, "good_1": 1}  # entry -> seed
DETECTORS = ("msp", "odin")
ATTACKS = {"steps": "adaptive/score_pgd", "queries": "adaptive/score_square", "soft": "attacks/softmax_transfer"}
SIZES = {"known": 12, "far": 9, "choice_known": 8, "choice_far": 7}
GIVEN = {"id_examples": ["known"], "choice_id": ["choice_known"], "choice_sets": ["choice_far"], "leaders": ["good_0"],
         "before": ["plain_0"], "checked": ["queries"], "alone": list(ATTACKS), "resamples": 20}  # fmt: skip


def crossed(seed=0, sizes=SIZES, **shifts):
    """Return the scores of each network and detector on each set, clean and at the points of each attack on each aim.

    Args:
        seed: of the scores.
        sizes: images of each set.
        shifts: what is added to the scores of a detector or a set, such as far=2 or good=1.
    """
    cells = []
    for entry, number in NETS.items():
        net = f"{entry}.{number}"
        for detector in DETECTORS:
            for name, size in sizes.items():
                points = [("", "")]
                for attack in ATTACKS:
                    aims = [net] if attack == "soft" else [f"{net}+{each}@0.05" for each in DETECTORS]
                    points += [(attack, aim) for aim in aims]
                for attack, aim in points:
                    words = f"{seed} {net} {detector} {name} {attack} {aim}".encode()
                    values = np.random.default_rng(list(words)).normal(0 if "known" in name else 2, 1, size)
                    values += sum(
                        by for word, by in shifts.items() if word in (name, detector, entry.partition("_")[0])
                    )
                    noun = Scores(values, np.arange(size), np.zeros(size, dtype=np.int64))
                    about = {"entry": entry, "seed": number, "detector": detector, "examples": name, "attack": attack}
                    used = {"use": ATTACKS[attack], "eps": 0.05} if attack else {}
                    file = f"scores/{net}/{detector}/{name}/{aim}/{attack}"
                    cells.append(Cell(noun, file, victim=aim, settings=used, **about))
    return cells


def outputs():
    logits = np.eye(3)[[0, 1, 2, 0]]
    noun = Outputs(logits, np.array([0, 1, 2, 1]), np.arange(4))
    return [Cell(noun, f"outputs/{entry}", entry=entry, seed=seed, examples="known") for entry, seed in NETS.items()]


def measured(cells, **given):
    found = union_detection(cells, outputs(), **GIVEN | given)
    return {(one.entry, one.examples, one.metric, one.seed): one.value for one in found}


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_union_leaves_no_image_more_than_any_of_its_members(seed):
    """One image a side: the AUROC is 1 only if the pair is in the right order at the worst points of both."""
    values = measured(crossed(seed, sizes=dict.fromkeys(SIZES, 1)))
    union = {key[:2] + key[3:]: value for key, value in values.items() if key[2] == "auroc_union"}
    parts = [(key[:2] + key[3:], value) for key, value in values.items() if "_alone_" in key[2] and key[3] is not None]

    assert parts
    assert all(union[key] <= value for key, value in parts)
    assert all(value >= 0 for key, value in values.items() if key[2].startswith("taken_by_"))


def test_the_union_is_the_worst_of_all_points_for_the_score_that_is_judged():
    cells = crossed()
    own = [cell for cell in cells if (cell.entry, cell.detector) == ("good_0", "odin")]
    known = np.max([cell.noun.scores for cell in own if cell.examples == "known"], axis=0)
    far = np.min([cell.noun.scores for cell in own if cell.examples == "far"], axis=0)

    expected = np.mean(far[None] > known[:, None])
    assert (
        len([cell for cell in own if cell.examples == "far"]) == 6
    )  # clean, two attacks on each score, one on the network
    assert measured(cells)["good_0+odin", "far/union", "auroc_union", 0] == pytest.approx(expected)


def test_the_score_of_a_training_is_chosen_without_a_look_at_what_is_judged():
    """On the choice MSP is better; on what is judged ODIN is, whatever it is there."""
    choice = [
        replace(cell, noun=replace(cell.noun, scores=cell.noun.scores + 2))
        if cell.detector == "msp" and cell.examples == "choice_far"
        else cell
        for cell in crossed()
    ]
    for better in ({}, {"odin": 3.0}):
        cells = [
            replace(cell, noun=replace(cell.noun, scores=cell.noun.scores + better.get(cell.detector, 0)))
            if cell.examples == "far"
            else cell
            for cell in choice
        ]
        values = measured(cells)
        for entry in ("good_0", "plain_0"):
            at = ("far/union", "auroc_union_mean", None)
            assert values[f"{entry}+best", *at] == values[f"{entry}+msp", *at]
    assert values["good_0+odin", *at] > values["good_0+msp", *at]


def test_a_leader_is_compared_with_the_best_of_those_before_and_with_each_other_kind():
    values = measured(crossed(good=0.5, choice_far=1.0))
    mean = ("auroc_union_mean", None)

    for other, name in (("before", "before"), ("plain_0", "plain_0")):
        difference = values["good_0+best", f"far/union less {name}", "auroc_union_difference_mean", None]
        assert difference == pytest.approx(
            values["good_0+best", "far/union", *mean] - values[f"{other}+best", "far/union", *mean]
        )


def test_networks_whose_names_differ_only_in_a_number_are_one_kind_with_a_mean_over_seeds():
    found = union_detection(crossed(), outputs(), **GIVEN)
    (mean,) = [one for one in found if (one.entry, one.metric) == ("good_0+best", "auroc_union_mean")]
    (right,) = [one for one in found if (one.entry, one.metric) == ("good_0", "clean_accuracy_mean")]

    assert mean.seeds == (0, 1)
    assert right.value == 0.75


def test_missing_points_and_a_choice_on_what_is_judged_are_refused():
    cells = crossed()
    last = [cell for cell in cells if cell.attack == "queries"][-1]

    with pytest.raises(ValueError, match="has not scored all points"):
        measured([cell for cell in cells if cell is not last])
    with pytest.raises(ValueError, match="no score may be chosen on it"):
        measured(cells, choice_id=["known"])
    with pytest.raises(ValueError, match="one norm and eps"):
        wider = replace(last, settings=last.settings | {"eps": 0.1})
        measured([wider if cell is last else cell for cell in cells])


# --- classes that nothing may have seen -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    study = tmp_path_factory.mktemp("aloe") / "digits.yaml"
    written = yaml.safe_load((ROOT / "workflow/studies/digits.yaml").read_text())
    study.write_text(
        yaml.safe_dump({key: written[key] for key in ("title", "data", "scale")} | {"papers": {"aloe": "full"}})
    )
    return Plan(load(str(study), ROOT))


def sets_of(plan, entry):
    """Return the sets that a network and its detectors learn from or get thresholds from, and those it is tested on."""
    tasks = plan.tasks
    (net,) = plan.layout.models(entry)
    learned, tested = set(), set()
    for path, (step, about) in plan.layout.made_by.items():
        if path in tasks and net in about[:1]:
            if step in ("train", "fit"):
                files = tasks[path].input_files
                learned |= {Path(file).stem for file in files if "/examples/" in file or "/outputs/" in file}
            elif step == "score":
                tested.add(about[2].examples)
    return learned, tested


@pytest.mark.parametrize("kind", ["original", "adv", "oe", "aoe", "aloe"])
@pytest.mark.parametrize("split", range(5))
def test_networks_and_detectors_learn_only_from_known_classes_of_their_own_split(plan, kind, split):
    learned, tested = sets_of(plan, f"cnn_{kind}_{split}")
    made_up = {"blobs", "checkerboards"}

    parts = ["train", "watched", "calibration", "fit", "scrambled", "shuffled"]
    assert {f"eight_{part}_{split}" for part in parts} <= learned
    assert all(plan.study["examples"][f"eight_{part}_{split}"]["of"] == f"eight_train_{split}" for part in parts[4:])
    assert all(
        name.startswith("eight_") and name.endswith(f"_{split}") for name in learned - made_up - {"few_calibration"}
    )
    assert plan.study["examples"]["few_calibration"]["of"] == "eight_calibration_0"
    held_out = {name for name in tested if name.startswith("held_out_")}
    assert held_out == ({f"held_out_{split}"} if kind in ("original", "oe", "aloe") else set())


def test_the_near_set_has_exactly_the_classes_that_known_sets_lack_and_others_for_another_seed():
    labels = np.repeat(np.arange(10), 3)
    images = np.zeros((30, 1, 2, 2), dtype=np.float32)
    examples = ExampleSet(images=images, labels=labels, example_ids=np.arange(30), source="clothes", notes={})
    absent = []
    for split in range(5):
        known, near = (class_split(examples, split=split, part=part, known=8) for part in ("known", "unknown"))
        absent.append(frozenset(labels[near.example_ids]))

        assert len(absent[-1]) == 2
        assert absent[-1].isdisjoint(labels[known.example_ids])
        assert set(near.labels) == {-1}
    assert len(set(absent)) > 1


def test_the_caption_names_the_scores_that_the_report_in_git_chose():
    caption = yaml.safe_load((ROOT / "src/touchstone/papers/aloe/experiment.yaml").read_text())["figures"][
        "scores_under_attack"
    ]["caption"]
    with gzip.open(ROOT / "reports/fashion_mnist/metrics.csv.gz", "rt") as table:
        rows = [row for row in csv.DictReader(table) if row["metric"] == "choice_auroc" and row["seed"]]
    chosen = {}
    for row in rows:
        if row["evaluation"] == "far_sets_attacked":
            training, score = (name.rstrip("_01234") for name in row["entry"].split("+"))
            chosen.setdefault((training, row["seed"]), []).append((float(row["value"]), score))

    found = {
        training: {max(each)[1] for (name, _), each in chosen.items() if name == training} for training, _ in chosen
    }
    assert found.pop("cnn_aloe") == found.pop("cnn_aoe") == {"odin"}
    assert set.union(*found.values()) == {"layered"}
    assert "on Fashion-MNIST ODIN for ALOE and AOE, the Mahalanobis distance for the rest" in " ".join(caption.split())


# --- the doubt sign -------------------------------------------------------------------------------------------------


def doubts(*failed, passed=()):
    """Doubts of a study whose checks say that attacks on the scores of first networks failed, or passed."""
    cell = Cell(None, "scores/it", entry="it", seed=0, examples="mean_of_sets", attack="steps", settings={"use": "it"})
    rows = []
    for entry, attack in (*failed, *passed):
        value, about = 0.3 if (entry, attack) in failed else 0.0, {"entry": entry, "examples": f"mean_of_sets/{attack}"}
        noun = Scores(np.zeros(4), np.arange(4), np.zeros(4, dtype=np.int64))
        rows += check_rows("worse_than_oblivious", value, replace(cell, noun=noun), [cell], **about)
    return Doubts(rows)


def judged_by_odin():
    """The rows of scores of which ODIN is the best on the choice."""
    cells = [
        replace(cell, noun=replace(cell.noun, scores=cell.noun.scores + 3))
        if (cell.detector, cell.examples) == ("odin", "choice_far")
        else cell
        for cell in crossed()
    ]
    return union_detection(cells, outputs(), **GIVEN)


def test_a_failed_check_of_an_attack_on_a_score_marks_every_union_number_of_this_score():
    found = judged_by_odin()
    marked = doubts(("good_0+odin", "steps"), passed=[("good_0+msp", "steps"), ("plain_0+odin", "steps")])

    shown = {(one.entry, one.metric.removesuffix("_mean")) for one in found if marked.about(one)}

    (one, *_) = (one for one in found if (one.entry, one.metric) == ("good_0+odin", "auroc_union"))
    assert "ignores the defence" in marked.about(one)
    assert {one for one in shown if "_alone_" not in one[1]} == {
        ("good_0+odin", "auroc_union"),
        ("good_0+best", "auroc_union"),
        ("good_0+best", "auroc_union_difference"),
    }
    assert ("good_0+best", "auroc_alone_steps") in shown and ("good_0+best", "auroc_alone_soft") not in shown


def test_a_union_of_which_a_checked_attack_on_its_score_passed_is_not_doubted():
    found = judged_by_odin()
    marked = doubts(("good_0+odin", "steps"), ("good_0+msp", "queries"), passed=[("good_0+odin", "queries")])

    assert not {one.metric for one in found if marked.about(one) and one.entry == "good_0+odin"}
