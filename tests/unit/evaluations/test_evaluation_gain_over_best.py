"""The gain of a method over the best of several baselines, all fitted on the same anomalous images."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.gain_over_best import gain_over_best
from touchstone.evaluations.statistics.intervals import times_drawn
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

ROWS = 20
SETTINGS = {
    "id_examples": "clean",
    "learned": ["ours_fgsm", "ours_pgd"],
    "against": ["msp", "odin_fgsm", "odin_pgd"],
    "resamples": 200,
}
# {detector: its AUROC on each anomaly}; clean images all score 0, and this share of the anomalous ones scores above.
AUROC = {
    "ours_fgsm": {"fgsm": 1.0, "pgd": 0.0},
    "ours_pgd": {"fgsm": 0.0, "pgd": 0.5},
    "msp": {"fgsm": 0.25, "pgd": 0.75},
    "odin_fgsm": {"fgsm": 0.5, "pgd": 1.0},
    "odin_pgd": {"fgsm": 1.0, "pgd": 0.25},
}


def place(attack, examples="clean", seed=0):
    return {"entry": "cnn", "seed": seed, "examples": examples, "attack": attack, "victim": f"cnn.{seed}" if attack else "",
            "settings": {"use": "attacks/pgd", "eps": 0.1} if attack else {}}  # fmt: skip


def scored(detector, values, attack="", examples="clean", seed=0):
    noun = Scores(np.asarray(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    file = f"{seed}/{detector}/{examples}/{attack}"
    return Cell(noun, file, detector=detector, **place(attack, examples, seed))


def shares(auroc=AUROC, anomalies=("fgsm", "pgd"), seed=0, sets=False):
    """Return the scores of every detector on clean images and on each anomaly: above 0 for its share, else below."""
    cells = []
    for detector, of in auroc.items():
        cells.append(scored(detector, np.zeros(ROWS), seed=seed))
        for name in anomalies:
            values = np.where(np.arange(ROWS) < of[name] * ROWS, 1.0, -1.0)
            cells.append(scored(detector, values, **({"examples": name} if sets else {"attack": name}), seed=seed))
    return cells


def outputs(attack="", wrong=(), seed=0):
    predictions = np.isin(np.arange(ROWS), wrong).astype(int)
    noun = Outputs(np.eye(2, dtype=np.float32)[predictions], np.zeros(ROWS, dtype=np.int64), np.arange(ROWS))
    return Cell(noun, f"outputs/{seed}/{attack}", **place(attack, seed=seed))


def fooled(seed=0):
    return [outputs(seed=seed), *(outputs(name, range(ROWS), seed) for name in ("fgsm", "pgd"))]


def fitted(seed=0, **more):
    on = {name: [name.partition("_")[2]] if "_" in name else [] for name in AUROC} | more
    return [
        Cell(Detector({}, {}, {}, 1.0, bool(on[name])), f"fit/{seed}/{name}", "cnn", seed, detector=name,
             settings={"anomalous": on[name]})
        for name in on
    ]  # fmt: skip


def values(rows, examples="mean_of_sets"):
    return {row.metric: row.value for row in rows if row.examples == examples and row.entry.startswith("cnn+ours")}


def test_the_gain_is_the_mean_of_those_over_the_best_baseline_of_each_anomaly():
    rows = gain_over_best(shares(), fooled(), fitted(), **SETTINGS)

    # fgsm: 1 - max(.25, .5); pgd: .5 - max(.75, .25). Over the baseline that is best in the mean it would be .25.
    assert values(rows) == {
        "auroc_successes": pytest.approx(0.75),
        "auroc_successes_of_best_of_msp": pytest.approx(0.625),
        "auroc_successes_minus_best_of_msp": pytest.approx(0.125),
    }
    assert values(rows, "clean/fgsm")["auroc_successes_minus_best_of_msp"] == pytest.approx(0.5)
    assert values(rows, "clean/pgd")["auroc_successes_minus_best_of_msp"] == pytest.approx(-0.25)


def test_a_baseline_that_was_fitted_on_another_anomaly_does_not_count():
    rows = gain_over_best(shares(), fooled(), fitted(), **SETTINGS)

    baselines = {(row.entry, row.examples) for row in rows if row.metric == "auroc_successes"}
    assert ("cnn+odin_fgsm", "clean/fgsm") in baselines
    assert ("cnn+odin_pgd", "clean/fgsm") not in baselines  # with an AUROC of 1 it would be the best


def test_an_image_counts_if_it_was_right_and_the_attack_made_it_wrong():
    half = np.arange(ROWS // 2)  # those that the attack fools; the scores of the method are above 0 for all of them
    auroc = AUROC | {"ours_pgd": {"fgsm": 0.0, "pgd": 0.5}, "msp": {"fgsm": 0.0, "pgd": 0.0}}
    outs = [outputs(), outputs("fgsm", range(ROWS)), outputs("pgd", half)]

    rows = gain_over_best(shares(auroc), outs, fitted(), **SETTINGS)
    found = values(rows, "clean/pgd")

    assert found["auroc_successes"] == 1
    assert found["auroc_successes_of_best_of_msp"] == 0.5  # odin_pgd: .25 of all, and .5 of these
    already_wrong = [outputs(wrong=range(ROWS - 8)), *outs[1:]]
    assert values(gain_over_best(shares(auroc), already_wrong, fitted(), **SETTINGS), "clean/pgd") == {}


def test_a_mean_over_attacks_shows_no_more_than_the_attack_that_fooled_the_fewest_images():
    perfect = {name: {"fgsm": 1.0, "pgd": 1.0} for name in AUROC}
    nets = [
        ([outputs(seed=seed), outputs("fgsm", range(12), seed), outputs("pgd", range(10), seed)], seed)
        for seed in (0, 1, 2)
    ]
    rows = gain_over_best(
        [cell for _, seed in nets for cell in shares(perfect, seed=seed)],
        [cell for outs, _ in nets for cell in outs],
        [cell for _, seed in nets for cell in fitted(seed)],
        **SETTINGS,
    )

    gains = {row.examples: row for row in rows if row.metric == "auroc_successes_minus_best_of_msp_mean"}
    assert gains["mean_of_sets"].n == gains["clean/pgd"].n == ROWS + 10
    assert (gains["mean_of_sets"].low, gains["mean_of_sets"].high) == (gains["clean/pgd"].low, gains["clean/pgd"].high)
    assert gains["clean/pgd"].low < gains["clean/fgsm"].low < 0


def test_an_attack_with_too_few_successes_leaves_no_mean():
    outs = [outputs(), outputs("fgsm", range(ROWS)), outputs("pgd", range(9))]

    rows = gain_over_best(shares(), outs, fitted(), **SETTINGS)

    assert {row.examples for row in rows} == {"clean/fgsm"}


def test_sets_are_tested_by_the_detector_of_their_place_and_all_their_images_count():
    sets = SETTINGS | {"anomalies": ["fgsm", "pgd"]}

    rows = gain_over_best(shares(sets=True), [], fitted(), **sets)

    assert values(rows) == {
        "auroc": pytest.approx(0.75),
        "auroc_of_best_of_msp": pytest.approx(0.625),
        "auroc_minus_best_of_msp": pytest.approx(0.125),
    }


def test_a_mean_over_sets_shows_no_more_than_the_smallest_set():
    perfect = {name: {"fgsm": 1.0, "pgd": 1.0} for name in AUROC}
    cells = [
        replace(cell, noun=scored("", [1.0] * 10).noun) if cell.examples == "pgd" else cell
        for cell in shares(perfect, sets=True)
    ]
    rows = gain_over_best(cells, [], fitted(), **SETTINGS | {"anomalies": ["fgsm", "pgd"]})

    gains = {row.examples: row for row in rows if row.metric == "auroc_minus_best_of_msp"}
    assert gains["mean_of_sets"].n == gains["pgd"].n == ROWS + 10
    assert gains["mean_of_sets"].low == gains["pgd"].low < gains["fgsm"].low < 0


def test_one_fitted_detector_may_be_tested_on_every_attack():
    pgd = SETTINGS | {"learned": ["ours_pgd", "ours_pgd"], "anomalies": ["fgsm", "pgd"]}

    rows = gain_over_best(shares(), fooled(), fitted(), **pgd)

    # fgsm: 0 - max(.25, 1); pgd: .5 - max(.75, .25)
    assert values(rows)["auroc_successes_minus_best_of_msp"] == pytest.approx((-1 - 0.25) / 2)


def naive(normal, anomalous):
    return np.mean((anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal))


def drawn(seed=0):
    """Return random scores of every detector, {(detector, attack): (ROWS,)}, with clean ones under ""."""
    random = np.random.default_rng(seed)
    return {
        (name, attack): random.normal(0.8 * bool(attack), 1, ROWS) for name in AUROC for attack in ("", "fgsm", "pgd")
    }


def random_cells(scores, seed=0):
    return [scored(name, values, attack, seed=seed) for (name, attack), values in scores.items()]


def test_the_interval_is_that_of_a_bootstrap_that_chooses_the_best_again_in_each_resample():
    scores = drawn()
    beaten = {"fgsm": np.arange(14), "pgd": np.arange(4, ROWS)}
    outs = [outputs(), *(outputs(name, rows) for name, rows in beaten.items())]

    rows = gain_over_best(random_cells(scores), outs, fitted(), **SETTINGS)

    (found,) = [row for row in rows if row.examples == "mean_of_sets" and "_minus_best" in row.metric]
    samples = []
    for times in [np.ones(ROWS, int), *times_drawn(ROWS, 200, 0, 0)]:
        gains = []
        for attack, images in beaten.items():
            of = {
                name: naive(np.repeat(scores[name, ""], times), np.repeat(scores[name, attack][images], times[images]))
                for name in (f"ours_{attack}", "msp", f"odin_{attack}")
            }
            gains.append(of.pop(f"ours_{attack}") - max(of.values()))
        samples.append(np.mean(gains))
    assert found.value == pytest.approx(samples[0])
    assert found.image_variance == pytest.approx(np.var(samples[1:], ddof=1))
    assert found.images == ROWS
    half = (found.high - found.low) / 2
    assert half >= 1.96 * found.image_variance**0.5


def test_the_mean_over_networks_has_one_crossed_interval():
    seeds = (0, 1, 2)
    scores = [cell for seed in seeds for cell in random_cells(drawn(seed), seed)]
    outs, fits = ([cell for seed in seeds for cell in make(seed)] for make in (fooled, fitted))

    rows = gain_over_best(scores, outs, fits, **SETTINGS)

    place = ("mean_of_sets", "auroc_successes_minus_best_of_msp")
    each = [row.value for row in rows if (row.examples, row.metric) == place]
    (mean,) = [row for row in rows if (row.examples, row.metric) == (place[0], f"{place[1]}_mean")]
    assert len(each) == 3
    assert (mean.value, mean.seeds, mean.unit) == (pytest.approx(np.mean(each)), seeds, "difference")
    assert mean.seed_variance + mean.residual_variance >= np.var(each, ddof=1) * 0.99
    assert mean.image_variance > 0
    assert str(mean.threat) == "oblivious"  # several attacks, none of which knows the detectors


def test_the_files_of_a_gain_include_those_of_every_baseline_and_what_says_which_attacks_succeeded():
    rows = gain_over_best(shares(), fooled(), fitted(), **SETTINGS)

    (mean,) = [row for row in rows if row.examples == "mean_of_sets" and "_minus_best" in row.metric]
    assert {"0/odin_fgsm/clean/fgsm", "0/msp/clean/pgd", "outputs/0/pgd", "outputs/0/"} <= set(mean.files)


@pytest.mark.parametrize(
    ("change", "fits", "message"),
    [
        ({"anomalies": ["fgsm"]}, {}, "anomalies and learned name 1 and 2, expected as many"),
        ({"anomalies": ["fgsm", "bim"]}, {}, r"no scores of cnn\.0 and ours_pgd on bim"),
        ({"against": ["odin_fgsm"]}, {}, r"no baseline of cnn\.0 is fitted on pgd or on nothing"),
        ({}, {"ours_pgd": ["pgd", "bim"]}, "ours_pgd is fitted on 2 anomalies, expected one"),
    ],
)
def test_what_is_missing_is_named(change, fits, message):
    with pytest.raises(ValueError, match=message):
        gain_over_best(shares(), fooled(), fitted(**fits), **SETTINGS | change)


@pytest.mark.parametrize("name", ["ours_pgd", "msp"])
def test_a_detector_that_was_left_out_is_named(name):
    fits = [cell for cell in fitted() if cell.detector != name]

    with pytest.raises(ValueError, match=rf"no detector {name} of cnn\.0"):
        gain_over_best(shares(), fooled(), fits, **SETTINGS)


def test_attacks_that_were_made_on_another_network_do_not_count():
    from_mlp = [
        replace(cell, victim="mlp.0", file=f"mlp/{cell.file}") for cell in [*shares(), *fooled()] if cell.attack
    ]
    scores = [
        replace(cell, noun=replace(cell.noun, scores=-cell.noun.scores))
        for cell in from_mlp
        if isinstance(cell.noun, Scores)
    ]
    outs = [cell for cell in from_mlp if isinstance(cell.noun, Outputs)]

    rows = gain_over_best([*shares(), *scores], [*fooled(), *outs], fitted(), **SETTINGS)

    assert rows == gain_over_best(shares(), fooled(), fitted(), **SETTINGS)


def test_attacks_and_sets_have_no_common_mean():
    both = SETTINGS | {"anomalies": ["fgsm", "noise"]}
    cells = [*shares(), *(scored(name, np.ones(ROWS), examples="noise") for name in AUROC)]

    with pytest.raises(ValueError, match="attacks and sets, which have no common mean"):
        gain_over_best(cells, fooled(), fitted(), **both)


def test_the_order_of_rows_and_of_cells_changes_nothing():
    cells, backwards = random_cells(drawn()), np.arange(ROWS)[::-1]

    def turned(cell):
        noun = cell.noun
        return replace(cell, noun=Scores(noun.scores[backwards], noun.example_ids[backwards], noun.labels[backwards]))

    found = [
        values(gain_over_best(given, fooled(), fitted(), **SETTINGS))
        for given in (cells, [turned(c) for c in cells[::-1]])
    ]
    assert found[0] == found[1]
