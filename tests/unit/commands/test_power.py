"""`touchstone power`: what settles each open claim of a made-up report, in seeds, images and minutes, or why nothing does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from open_claims import criterion, mean, record

from touchstone.__main__ import main
from touchstone.commands import _extension_costs, power
from touchstone.commands._extension_costs import Price, Prices
from touchstone.report import packing


def single(of, seed, **more):
    return replace(of, metric=of.measured, seed=seed, seeds=(), seed_variance=None, residual_variance=None, **more)


def found(capsys):
    capsys.readouterr()
    assert main(["power", "own", "--json"]) == 0
    return {each["claim"]: each for each in json.loads(capsys.readouterr().out)}


def test_an_open_claim_is_answered_in_seeds_images_and_minutes(project, capsys):
    plan = project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    record(plan)

    one = found(capsys)["Smine-1"]

    assert (one["seeds"], one["images"], one["distance"], one["why_not"]) == (3, 120, 0.05, "")
    assert one["asked"] == "≥ 30 %"
    assert 3 <= one["seeds_needed"] <= 60 and 120 < one["images_needed"] <= 360
    assert one["chance"] >= 0.8
    price, images = Price(600, 36), one["images_needed"]
    assert one["minutes"] == pytest.approx(price.seconds((3, 120), (one["seeds_needed"], images)) / 60)


def test_the_table_has_a_line_per_claim_and_says_what_the_distance_is(project, capsys):
    record(project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]]))

    assert main(["power", "own"]) == 0

    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.split()[:1] == ["Smine-1"]]
    assert "robust_accuracy, asked ≥ 30 %" in line and "120 -> " in line and "0.05" in line
    assert "1 inconclusive claims; more seeds or images would settle 1" in said and "97.5 % interval" in said


def test_the_observed_value_changes_nothing(project, capsys):
    claims = {"Smine-1": (criterion(), "cnn_pgd"), "Smine-2": (criterion(metric="success_rate"), "cnn_pgd")}
    record(project(claims, [lambda plan: [mean(plan=plan), mean(plan=plan, metric="success_rate", value=0.28)]]))

    first, second = found(capsys).values()

    assert {**first, "claim": "", "number": ""} == {**second, "claim": "", "number": ""}


def test_minutes_are_those_of_the_jobs_behind_the_number_per_seed(project):
    plan = project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    row = mean(plan=plan)
    assert Prices(plan).of(row) is None  # nothing is recorded

    record(plan)
    price = Prices(plan).of(row)
    assert price == Price(600, 36)  # training, and an attack and its inference on the images
    assert price.seconds((3, 120), (5, 120)) == 2 * 636
    assert price.seconds((3, 120), (5, 240)) == 2 * 600 + 5 * 2 * 36

    record(plan, from_cache=1)
    assert Prices(plan).of(row) is None
    assert _extension_costs.NETWORK.findall("cnn_pgd.12") == ["12"]


def test_without_records_the_minutes_are_unknown(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])

    assert found(capsys)["Smine-1"]["minutes"] is None
    assert main(["power", "own"]) == 0
    assert " ? " in capsys.readouterr().out


def test_what_nothing_settles_is_explained(project, capsys):
    claims = {
        "Smine-1": (criterion(between=[0.28, 0.34]), "cnn_pgd"),
        "Smine-2": (criterion(metric="success_rate", distance=0.001), "cnn_pgd"),
        "Smine-3": (criterion(), "mlp_pgd"),
        "Smine-4": (criterion(seeds="each"), "cnn"),
        "Smine-5": (criterion(), "cnn"),
    }

    def rows(plan):
        alone = mean("cnn", plan=plan)
        return [
            mean(plan=plan), mean(plan=plan, metric="success_rate"), mean("mlp_pgd", value=0.9, seeds=(0, 1), plan=plan),
            replace(alone, method="range", images=None, image_variance=None),
            *(single(alone, seed, value=0.3 + seed / 1000) for seed in (0, 1, 2)),
        ]  # fmt: skip

    project(claims, [rows])
    reasons = {claim: each["why_not"] for claim, each in found(capsys).items()}

    assert reasons["Smine-1"] == "between: the bounds are closer than twice the distance of 0.05"
    assert reasons["Smine-2"].startswith("images: with all 360 of them")
    assert reasons["Smine-3"] == "too few seeds: 2 cannot show how much networks differ; run 3 first"
    assert reasons["Smine-4"] == power.SEED_BY_SEED
    assert reasons["Smine-5"] == power.NO_ESTIMATE


def test_an_upper_bound_is_settled_by_no_seeds(project, capsys):
    stuck = {"metric": "success_rate", "at_most": 0.1}
    claims = {"Smine-1": (criterion(stuck=stuck), "cnn_pgd")}
    project(claims, [lambda plan: [mean(plan=plan, value=0.5), mean(plan=plan, metric="success_rate", value=0.6)]])

    assert found(capsys)["Smine-1"]["why_not"] == power.NO_SEEDS_HELP


def test_without_open_claims_it_says_so(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan, value=0.9)]])

    assert main(["power", "own"]) == 0
    assert capsys.readouterr().out == "No claim of the study is inconclusive.\n"


def test_a_report_that_is_missing_or_old_is_refused(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    path = Path("reports/own") / packing.METRICS

    path.write_bytes(packing.compressed(b"evaluation,entry\nmain,cnn\n"))
    assert main(["power", "own"]) == 1
    assert "has no examples, metric" in (said := capsys.readouterr().err) and "touchstone run own" in said

    path.unlink()
    assert main(["power", "own"]) == 1
    assert f"{path} is missing; run the study first: touchstone run own" in capsys.readouterr().err
