"""The truths of known answers against plain simulation and enumeration, and the files that claims.py writes."""

import runpy
from itertools import product

import numpy as np
import pytest
import yaml
from scipy import optimize, stats

from known_truths import claims, truths, world
from touchstone import plugins, registry

FOLDER = claims.FOLDER
IMAGES, DISTANCE, SIGMA, NEAR, WIDE = 400_000, 0.03, 0.08, 4 / 255, 6 / 255


def pixels(generator, count, shape, mean=0.5, sigma=SIGMA):
    """Rounded Gaussian pixels."""
    return np.rint(255 * np.clip(generator.normal(mean, sigma, (count, shape)), 0, 1)) / 255 - 0.5


def auroc(known, anomalous):
    return stats.mannwhitneyu(anomalous, known).statistic / len(known) / len(anomalous)


def simulated():
    """Yield each truth with its name and what 400,000 images say."""
    g = np.random.default_rng(0)
    lead = pixels(g, IMAGES, 8, 0.5 + DISTANCE).mean(1)
    nuisance, marker = pixels(g, IMAGES, 4).mean(1), pixels(g, IMAGES, 4).mean(1)
    linear = truths.linear_accuracy
    for eps in (0, NEAR, WIDE):
        yield f"linear {eps}", linear(DISTANCE, SIGMA, eps), (lead > eps).mean()
        weights = g.normal(0.6, 0.3, IMAGES)  # one rule per image: the mean over rules and images
        varied = linear(DISTANCE, SIGMA, eps, nuisance=0.6, nuisance_spread=0.3)
        yield f"varied {eps}", varied, (lead - weights * nuisance > eps * (1 + abs(weights))).mean()
    sizes, factors = abs(lead), np.where(g.random(IMAGES) > 0.5, 2, 1)
    yield "median margin", truths.median_margin(DISTANCE, SIGMA), np.median(sizes)
    few = slice(0, 20_000)
    tau = stats.kendalltau(sizes[few], (sizes * factors)[few]).statistic
    yield "tau", truths.scaled_tau(DISTANCE, SIGMA, 2), tau
    brittle = sizes <= WIDE
    found = auroc(-(sizes * factors)[~brittle][few], -(sizes * factors)[brittle][few])
    yield "brittle", truths.scaled_brittle_auroc(DISTANCE, SIGMA, 2, WIDE), found
    narrow, wide = (np.sqrt((pixels(g, IMAGES, 8, 0.5, s) ** 2).sum(1)) for s in (0.05, 0.1))
    for eps in (0, 0.05):
        right = ((narrow + eps < 0.21).mean() + (wide - eps > 0.21).mean()) / 2
        yield f"quadratic {eps}", truths.quadratic_accuracy(0.05, 0.21, eps), right
    far = pixels(g, IMAGES, 4, 0.58)
    yield "auroc", truths.auroc(0.08, SIGMA), auroc(marker[:50_000], far.mean(1)[:50_000])
    yield "one pixel", truths.auroc(0.08, SIGMA, 1), auroc(pixels(g, 50_000, 1)[:, 0], far[:50_000, 0])
    yield "moved", truths.auroc(0.08, SIGMA, eps=NEAR), auroc(marker[:50_000] + NEAR, far.mean(1)[:50_000] - NEAR)
    yield "fpr95", truths.accepted_at_95(0.08, SIGMA), (far.mean(1) <= np.quantile(marker, 0.95)).mean()
    spreads = [(pixels(g, 50_000, 4, 0.5, s) ** 2).sum(1) for s in (SIGMA, 0.12)]
    yield "spread", truths.spread_auroc(SIGMA, 0.12), auroc(*spreads)
    calibrations = np.sort(g.normal(size=(20_000, 20)), axis=1)  # 5 % of 20: at most one score is above the threshold
    yield "flagged", truths.flagged(0.05, 20), stats.norm.sf(calibrations[:, 18]).mean()
    thresholds = np.sort(g.normal(size=(4_000, 600)), axis=1)[:, 569] * marker.std()
    kept = stats.norm.cdf((thresholds + NEAR) / marker.std()).mean()
    yield "evasion", truths.evasion(DISTANCE, SIGMA, NEAR, 0.05, 600), (lead <= NEAR).mean() * kept
    yield "confidence", truths.confidence(DISTANCE, SIGMA, 30), (1 / (1 + np.exp(-60 * sizes))).mean()
    scales = 30 * np.exp(0.7 * g.normal(size=IMAGES))
    yield "tempered", truths.confidence(DISTANCE, SIGMA, 30, 0.7), (1 / (1 + np.exp(-2 * scales * sizes))).mean()


def test_no_bound_is_beyond_what_a_number_can_be():
    """A share is below 1.0887 whatever is measured, so a claim of that says nothing about the judge."""
    signed = ("error_minus", "auroc_minus", "kendall")

    beyond = {
        name: bound
        for name, quantity, _, bound in claims.judged()
        if not (-1 if quantity.rows["metric"].startswith(signed) else 0) < bound < 1
    }

    assert beyond == {}


def test_formulas_say_what_plain_simulation_says():
    wrong = {name: (truth, seen) for name, truth, seen in simulated() if not abs(truth - seen) < 0.005}

    assert wrong == {}


def test_exact_programs_say_what_all_activation_patterns_say():
    first, bias = truths.FIRST, truths.FIRST_BIAS
    points, signs = truths.lattice_points()
    for row in range(0, 256, 17):
        point, sign = points[row], int(signs[row])
        leads = []
        for pattern in product((0.0, 1.0), repeat=4):  # on each pattern the network is linear
            on = np.array(pattern)
            cost = sign * (truths.SECOND * on) @ first
            sides, limits = -(2 * on - 1)[:, None] * first, (2 * on - 1) * bias
            box = list(zip(np.clip(point - 20, 0, 255), np.clip(point + 20, 0, 255), strict=True))
            solved = optimize.linprog(cost, A_ub=sides, b_ub=limits, bounds=box)
            if solved.success:
                leads.append(solved.fun + sign * ((truths.SECOND * on) @ bias + truths.SECOND_BIAS))
        assert truths.least_lead(point, sign, 20) == pytest.approx(min(leads), abs=1e-6)
        assert abs(min(leads)) > 1  # levels: no verdict hangs on rounding


def test_the_world_has_the_parameters_that_the_truths_are_of():
    plugins.use([FOLDER / "components"])
    try:
        settings = registry.component("data", "gaussian_blocks").settings
        assert (settings["distance"].default, settings["sigma"].default) == (DISTANCE, SIGMA)
        assert settings["count"].default == world.CALIBRATION
    finally:
        plugins.use([])
    for file, names in (
        ("data/lattice", ("RULE", "BOUND")),
        ("models/integer_network", ("FIRST", "FIRST_BIAS", "SECOND", "SECOND_BIAS")),
    ):
        module = runpy.run_path(str(FOLDER / "components" / f"{file}.py"))
        assert all(np.array_equal(module[name], getattr(truths, name)) for name in names)
    settings = yaml.safe_load((FOLDER / "experiment.yaml").read_text())
    assert settings["classifiers"]["varied_rule"]["model"] == {"use": "block_rule", **world.NUISANCE}
    assert settings["examples"]["blocks_few"]["count"] == 20
    assert (settings["examples"]["blocks_near"]["shift"], settings["examples"]["blocks_far"]["shift"]) == (0.04, 0.08)


def test_each_claim_is_what_its_name_says():
    kinds = {"at_least": 1, "above": 1, "at_most": -1, "below": -1}
    met = {
        name: kinds[comparison] * (quantity.truth - bound) > 0 for name, quantity, comparison, bound in claims.judged()
    }

    assert {name: name.startswith("Strue") for name in met} == met
    assert min(list(met.values()).count(side) for side in (True, False)) >= 40


def test_the_files_are_those_that_claims_writes():
    assert claims.paper() == (FOLDER / "claims.yaml").read_text()
    assert claims.experiment() == (FOLDER / "experiment.yaml").read_text()
