"""The judge and three mutants on known answers: artefacts drawn by formula, evaluated and judged as in the study."""

from dataclasses import replace

import numpy as np
import pytest

import known_answers as bench
from known_truths.world import DISTANCE, NEAR, SIGMA
from touchstone.claims.judging import StudyClaims
from touchstone.evaluations.detection import detection
from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

SEEDS, TEMPERED, IMAGES = 8, 120, 600
PLACE, SUITE = {"examples": "blocks_test"}, {"use": "attacks/attack_suite", "eps": NEAR}
PGD = {"use": "attacks/pgd", "eps": NEAR}
IDS, LABELS = np.arange(IMAGES), np.arange(IMAGES) % 2


def outputs(entry, seed, lead, scale=30.0, **place):
    """Outputs of a rule whose lead is over the wrong class if it is negative."""
    logits = scale * lead[:, None] * np.where(np.eye(2)[LABELS] > 0, 1, -1)
    noun = Outputs(logits=logits.astype(np.float32), labels=LABELS, example_ids=IDS)
    return Cell(noun, f"{entry}.{seed}/{place}", entry, seed, **PLACE, **place)


def scores(entry, seed, values, name, **place):
    noun = Scores(values, np.arange(len(values)), np.zeros(len(values), np.int64))
    return Cell(noun, f"{entry}.{seed}/{name}/{place}", entry, seed, detector="marker", examples=name, **place)


def rows(seed):
    """The rows of a part of the study, with new images, networks and calibration images."""
    g = np.random.default_rng(seed)
    lead = g.normal(DISTANCE, SIGMA / np.sqrt(8), IMAGES)
    nuisance, marker = g.normal(0, SIGMA / 2, IMAGES), g.normal(0, SIGMA / 2, IMAGES)
    shifted, few = g.normal(0.04, SIGMA / 2, IMAGES), np.sort(g.normal(0, SIGMA / 2, 20))
    made, scored, guards, calibrated, hasty = [], [], [], [], []
    for network in range(3):
        white = {"attack": "near_pgd", "victim": f"saturated_rule.{network}", "settings": PGD}
        suite = {"attack": "near_suite", "victim": f"saturated_rule.{network}", "settings": SUITE}
        transfer = {"attack": "near_pgd", "victim": f"linear_rule.{network}", "settings": PGD}
        for entry, weight in (("linear_rule", 0.0), ("wild_rule", g.normal(1, 0.5))):
            attack = {"attack": "near_pgd", "victim": f"{entry}.{network}", "settings": PGD}
            made.append(outputs(entry, network, lead - weight * nuisance))
            reached = lead - weight * nuisance - NEAR * (1 + abs(weight))
            made.append(outputs(entry, network, reached, **attack))
        made.append(outputs("saturated_rule", network, lead))
        made += [outputs("saturated_rule", network, lead, **white), outputs("saturated_rule", network, lead, **suite)]
        made.append(outputs("saturated_rule", network, lead - NEAR, **transfer))
        scored += [scores("linear_rule", network, v, n) for n, v in (("blocks_test", marker), ("blocks_near", shifted))]
        threshold = {"0.05": threshold_at(few, 0.05)}
        guard = Detector({}, {"use": "block_mean"}, threshold, spread=1.0, supervised=False)
        guards.append(Cell(guard, f"guard.{network}", "hasty_rule", network, detector="marker"))
        calibrated.append(scores("hasty_rule", network, few, "blocks_few"))
        hasty += [(scores("hasty_rule", network, marker, "blocks_test"), outputs("hasty_rule", network, lead))]
    found = {
        "robustness": robustness(made, resamples=100),
        "detection": detection(scored, made, id_examples="blocks_test", resamples=100),
        "evasion": evasion([o for _, o in hasty], [s for s, _ in hasty], guards, [], calibrated),
    }
    return [replace(row, evaluation=name) for name, part in found.items() for row in part]


def tempered(seed):
    """The rows of three rules that differ much in their confidence: what networks differ by outweighs the images."""
    g = np.random.default_rng(1000 + seed)
    lead = g.normal(DISTANCE, SIGMA / np.sqrt(8), IMAGES)
    scales = 30 * np.exp(0.7 * g.normal(size=3))
    cells = [outputs("tempered_rule", network, lead, scale) for network, scale in enumerate(scales)]
    return [replace(row, evaluation="robustness") for row in robustness(cells, resamples=100)]


def judged(book, study, drawn, *mutants):
    """What the judge and some mutants say, as bench.trial returns it."""
    variants = {bench.JUDGE: drawn} | {name: bench.MUTANTS[name](drawn) for name in mutants}
    return {name: bench.words(book, study, changed) for name, changed in variants.items()}


@pytest.fixture(scope="module")
def trials():
    book, study = bench.claims_of_study()
    study = StudyClaims({name: name for name in ("robustness", "detection", "evasion")}, study.claims)
    tried = [judged(book, study, rows(seed), bench.OBLIVIOUS, bench.TESTED) for seed in range(SEEDS)]
    own = {name: block for name, block in book.criteria.items() if "scale varies" in block.setting}
    book = replace(book, criteria=own, published={})
    return tried, [judged(book, study, tempered(seed), bench.HULL) for seed in range(TEMPERED)]


def test_the_judge_is_wrong_about_few_claims_and_settles_the_clear_ones(trials):
    every, tempered_only = ([one[bench.JUDGE] for one in part] for part in trials)

    assert bench.faults(every) == bench.faults(tempered_only) == []
    assert {bench.kind_of(claim) for claim in every[0]} == {"true", "false", "planted", "honest"}


FAULTS = {
    bench.HULL: (1, "of false claims: holds"),
    bench.OBLIVIOUS: (0, "Splanted-1 is judged wrongly"),
    bench.TESTED: (0, "Sfalse-63 is judged wrongly"),
}


@pytest.mark.parametrize("mutant", FAULTS)
def test_a_mutant_judge_is_found_out(trials, mutant):
    part, expected = FAULTS[mutant]
    faults = bench.faults([one[mutant] for one in trials[part]])

    assert any(expected in fault for fault in faults), faults
