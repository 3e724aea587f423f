"""`touchstone power`: what settles each open claim of a made-up report, in seeds, images and minutes, or why nothing does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from open_claims import criterion, files_behind, mean, record

from touchstone.__main__ import main
from touchstone.commands import _settling
from touchstone.commands._size_costs import Price, Prices
from touchstone.report import packing

ENTRIES = ("cnn", "cnn_pgd", "mlp_pgd")


def single(of, seed, **more):
    return replace(of, metric=of.measured, seed=seed, seeds=(), seed_variance=None, residual_variance=None, **more)


def open_numbers(capsys):
    capsys.readouterr()
    assert main(["power", "own", "--json"]) == 0
    return {each["claim"]: each for each in json.loads(capsys.readouterr().out)}


def test_an_open_claim_is_answered_in_seeds_images_and_minutes(project, capsys):
    plan = project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    record(plan)

    one = open_numbers(capsys)["Smine-1"]

    assert (one["seeds"], one["images"], one["distance"], one["why_not"]) == (3, 120, 0.05, "")
    assert one["bound"] == "≥ 30 %"
    assert 3 <= one["seeds_needed"] <= 60 and 120 < one["images_needed"] <= 360
    assert one["chance"] >= 0.8
    assert one["counts"] == {"some": one["images_needed"]}
    price, images = Price(600, 36), one["images_needed"]
    assert one["minutes"] == pytest.approx(price.seconds((3, 120), (one["seeds_needed"], images)) / 60)


def test_a_claim_is_a_line_with_its_size_below_it_and_the_end_says_what_the_distance_is(project, capsys):
    record(project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]]))

    assert main(["power", "own"]) == 0

    first, second, *notes = capsys.readouterr().out.splitlines()
    assert first == "Smine-1  robust_accuracy, asked ≥ 30 %"
    assert (
        second.startswith("         if the truth is 0.05 from its bound: 3 ")
        and " 120 -> " in second
        and second.endswith(" minutes")
    )
    assert "Inconclusive claims: 1. More seeds or images would decide 1 of these lines." in notes[-1]
    assert " by a 95 % interval" in notes[-1] and "without minutes" not in notes[-1]


def test_the_answers_fit_a_terminal_of_80_columns(project, monkeypatch, capsys):
    long = criterion(metric="success_rate", distance=0.001)
    long["tests"][0]["name"] = "share of images on which " + 7 * "the attack succeeds and "
    claims = {"Smine-1": (criterion(), "cnn_pgd"), "Smine-12": (long, "cnn_pgd")}
    project(claims, [lambda plan: [mean(plan=plan), mean(plan=plan, metric="success_rate")]])
    monkeypatch.setenv("COLUMNS", "80")

    assert main(["power", "own"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "Smine-1   robust_accuracy, asked ≥ 30 %"
    assert lines[2].startswith("Smine-12  share of images on which the attack succeeds")
    assert all(line.startswith(10 * " ") for line in lines[3 : lines.index("")])


def test_the_markdown_table_is_the_same_whatever_was_recorded_here(project, capsys):
    breaking = criterion(metric="success_rate", between=[0.1, 0.9])
    breaking["breaks"] = {**criterion(distance=0)["tests"][0], "name": "under *it*"}
    claims = {"Smine-1": (criterion(), "cnn_pgd"), "Smine-2": (breaking, "cnn_pgd")}
    plan = project(claims, [lambda plan: [mean(plan=plan), mean(plan=plan, metric="success_rate")]])

    def printed():
        assert main(["power", "own", "--markdown"]) == 0
        return capsys.readouterr().out

    table = printed()
    record(plan)

    assert printed() == table
    head, rule, first, second = table.splitlines()
    assert head == "| claim | what is open | what would decide it, or why nothing would |" and rule.count("---") == 3
    assert first.startswith(r"| Smine-1 | robust\_accuracy, asked ≥ 30 % | if the truth is 0.05 from its bound: 3 ")
    assert second == (
        r"| Smine-2 | under \*it\*, broken if ≥ 30 % |"
        " no size decides it; no distance: the paper's folder fixes none for this number |"
    )


def test_a_break_is_counted_apart_and_one_that_asks_what_the_criterion_asks_only_once(project, capsys):
    twice = criterion()
    twice["breaks"] = {**twice["tests"][0], "name": "the same"}
    only_broken = criterion(metric="success_rate", between=[0.1, 0.9])
    only_broken["breaks"] = {**criterion()["tests"][0], "name": "another"}
    claims = {"Smine-1": (twice, "cnn_pgd"), "Smine-2": (only_broken, "cnn_pgd")}
    project(claims, [lambda plan: [mean(plan=plan), mean(plan=plan, metric="success_rate")]])

    assert main(["power", "own"]) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "(and 1 more)" not in said
    assert "Inconclusive claims: 1. Whether an attacker breaks 1 more is open, too." in said


def test_the_observed_value_changes_nothing(project, capsys):
    claims = {"Smine-1": (criterion(), "cnn_pgd"), "Smine-2": (criterion(metric="success_rate"), "cnn_pgd")}
    record(project(claims, [lambda plan: [mean(plan=plan), mean(plan=plan, metric="success_rate", value=0.28)]]))

    first, second = open_numbers(capsys).values()

    assert {**first, "claim": "", "number": ""} == {**second, "claim": "", "number": ""}


def test_minutes_are_those_of_the_jobs_behind_the_number_per_seed(project):
    plan = project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    row = mean(plan=plan)
    assert Prices(plan).of(row) is None  # nothing is recorded

    record(plan)
    price = Prices(plan).of(row)
    assert price == Price(600, 36)  # training, and a network's attacks and outputs on the images
    assert price.seconds((3, 120), (5, 120)) == 2 * 636
    assert price.seconds((3, 120), (5, 240)) == 2 * 600 + 5 * 2 * 36

    one_network = replace(row, metric=row.measured, seed=0, seeds=())
    assert Prices(plan).of(one_network) == price

    record(plan, computed=0)
    assert Prices(plan).of(row) is None


def test_without_records_the_minutes_are_unknown(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])

    assert open_numbers(capsys)["Smine-1"]["minutes"] is None
    assert main(["power", "own"]) == 0
    text = capsys.readouterr().out
    assert "A size without minutes has the fewest seeds" in " ".join(text.split())
    assert " minutes\n" not in text


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
    reasons = {claim: each["why_not"] for claim, each in open_numbers(capsys).items()}

    assert reasons["Smine-1"] == "between: the bounds are closer than twice the distance of 0.05"
    assert reasons["Smine-2"].startswith("images: with all 360 of them")
    assert reasons["Smine-3"] == "too few seeds: 2 cannot show how much networks differ; run 3 first"
    assert reasons["Smine-4"] == _settling.SEED_BY_SEED
    assert reasons["Smine-5"] == _settling.NO_ESTIMATE


def test_an_upper_bound_is_settled_by_no_seeds(project, capsys):
    stuck = {"metric": "success_rate", "at_most": 0.1}
    claims = {"Smine-1": (criterion(stuck=stuck), "cnn_pgd")}
    project(claims, [lambda plan: [mean(plan=plan, value=0.5), mean(plan=plan, metric="success_rate", value=0.6)]])

    assert open_numbers(capsys)["Smine-1"]["why_not"] == _settling.NO_SEEDS_HELP


def test_networks_that_are_entries_of_their_own_have_no_seeds_to_add(project, capsys):
    def over_splits(plan, **more):
        files = [name for seed, entry in enumerate(ENTRIES) for name in files_behind(plan, entry, (seed,))]
        return replace(mean(plan=plan, **more), files=tuple(files))

    claims = {"Smine-1": (criterion(), "cnn_pgd"), "Smine-2": (criterion(metric="success_rate"), "cnn_pgd")}
    more_images = {"metric": "success_rate", "parts": (1e-6, 5e-4, 1e-6)}
    project(claims, [lambda plan: [over_splits(plan, parts=(4e-4, 4e-4, 1e-4)), over_splits(plan, **more_images)]])

    splits, images = open_numbers(capsys).values()

    assert splits["why_not"].startswith("entries: each of its 3 networks is an entry of its own")
    assert splits["seeds_needed"] is None and "; 4 would do, in a study of your own" in splits["why_not"]
    assert images["seeds_needed"] == 3 and images["images_needed"] > 120  # more images need no seeds


def test_one_number_over_several_networks_has_no_seeds_to_add(project, capsys):
    def over_networks(plan):
        files = [name for entry in ENTRIES for name in files_behind(plan, entry, (0,))]
        return single(mean(plan=plan), None, files=tuple(files))

    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [over_networks(plan)]])

    assert open_numbers(capsys)["Smine-1"]["why_not"] == (
        "entries: it is one number over 3 networks, each an entry of its own, and no mean over seeds, so there are no"
        " seeds to add; more entries would do, in a study of your own (docs/verdicts.md)"
    )


def test_networks_that_were_run_but_lack_the_number_are_counted(project, capsys):
    def rows(plan):
        whole = mean(plan=plan)
        every = [single(replace(whole, metric="success_rate_mean"), seed) for seed in (0, 1, 2)]
        return [*every, single(whole, 0)]

    project({"Smine-1": (criterion(), "cnn_pgd")}, [rows])

    assert open_numbers(capsys)["Smine-1"]["why_not"] == (
        "too few seeds: 3 networks were run, but the number is not defined for 2 of them, and it takes 3 for which it is"
    )


def test_a_number_of_other_settings_gets_no_size(project, capsys):
    renamed = tuple(f"outputs/cnn_pgd.{seed}/gone" for seed in (0, 1, 2))
    claims = {"Smine-1": (criterion(), "cnn_pgd")}
    project(claims, [lambda plan: [replace(mean(plan=plan, parts=(4e-4, 1e-6, 1e-6)), files=renamed)]])

    assert open_numbers(capsys)["Smine-1"]["why_not"] == _settling.CHANGED


def test_without_open_claims_it_says_so(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan, value=0.9)]])

    assert main(["power", "own"]) == 0
    assert capsys.readouterr().out == "No claim of the study is inconclusive.\n"


def test_a_report_that_is_missing_or_old_is_refused(project, capsys):
    project({"Smine-1": (criterion(), "cnn_pgd")}, [lambda plan: [mean(plan=plan)]])
    path = Path("reports/own") / packing.METRICS

    path.write_bytes(packing.compressed(b"evaluation,entry\nmain,cnn\n"))
    assert main(["power", "own"]) == 1
    assert "has no column examples, metric" in (said := capsys.readouterr().err) and "run the study again" in said

    path.unlink()
    assert main(["power", "own"]) == 1
    assert f"{path} is missing; run the study first: touchstone run own" in capsys.readouterr().err
