"""In both committed reports, the worst of all attacks is at least as bad for the defence as each of them."""

import csv
import gzip
from pathlib import Path

import pytest

from touchstone.records.metric_rows import parse_threat

ROOT = Path(__file__).parents[3]
WORST = "/worst"


def read(study):
    with gzip.open(ROOT / "reports" / study / "metrics.csv.gz", "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def budget(row):
    """The norm and the eps of a row's attack; a union counts attacks of one budget only."""
    threat = parse_threat(row["threat"])
    return threat.norm, threat.eps


def broken(rows):
    """Every part that is worse for the defence than the union it belongs to, and how many parts were compared."""
    parts = {}
    for row in rows:
        parts.setdefault((row["evaluation"], row["entry"], row["metric"], row["seed"]), []).append(row)
    found, compared = [], 0
    for same in parts.values():
        for worst in (
            row for row in same if row["examples"].endswith(WORST) and row["metric"].startswith(("accuracy", "evasion"))
        ):
            clean = worst["examples"].removesuffix(WORST)
            for part in same:
                if not part["examples"].startswith(f"{clean}/") or part is worst or budget(part) != budget(worst):
                    continue
                compared += 1
                gain = float(worst["value"]) - float(part["value"])
                if (gain if worst["metric"].startswith("accuracy") else -gain) > 1e-9:
                    found.append((worst["entry"], part["examples"], worst["metric"], part["seed"], gain))
    return found, compared


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_no_single_attack_is_worse_than_the_worst_of_all(study):
    found, compared = broken(read(study))

    assert found == []
    assert compared > 100


UNION = "robust_accuracy_union"


def better_than_a_part(rows):
    """Every robust accuracy of a union above that of an attack in it, and how many attacks were compared."""
    key = ("evaluation", "entry", "metric", "seed", "examples", "n")
    parts = {tuple(row[name] for name in key): row for row in rows}
    found, compared = [], 0
    for union in (row for row in rows if row["metric"].removesuffix("_mean") == UNION):
        metric, clean = union["metric"].replace(UNION, "robust_accuracy"), union["examples"].partition("/")[0]
        for attack in parse_threat(union["threat"]).worst_of:
            part = parts[tuple((union | {"metric": metric, "examples": f"{clean}/{attack}"})[name] for name in key)]
            compared += 1
            if float(union["value"]) > float(part["value"]) + 1e-9:
                found.append((union["entry"], part["examples"], union["seed"]))
    return found, compared


@pytest.mark.parametrize(("study", "least"), [("digits", 79), ("fashion_mnist", 107)])
def test_no_robust_accuracy_of_a_union_is_above_that_of_an_attack_in_it(study, least):
    found, compared = better_than_a_part(read(study))

    assert found == []
    assert compared > least


def test_a_robust_accuracy_of_a_union_above_that_of_an_attack_in_it_is_noticed():
    rows = read("digits")
    union = next(row for row in rows if row["metric"] == UNION)
    higher = str(float(union["value"]) + 0.7)

    found, _ = better_than_a_part([row | {"value": higher} if row is union else row for row in rows])

    assert {(entry, seed) for entry, _, seed in found} == {(union["entry"], union["seed"])}


def test_a_union_that_leaves_an_attack_out_is_noticed():
    rows = [row for row in read("fashion_mnist") if row["evaluation"] == "routed_and_known"]
    whole = {("accuracy", "20"): "0.9"}
    changed = [
        row | {"value": whole.get((row["metric"], row["seed"]), row["value"])}
        if row["examples"].endswith(WORST)
        else row
        for row in rows
    ]

    assert broken(changed)[0]


# The threshold that adaptive attacks aim for; they may stop once they are below it.
AT_THE_TARGET = "oblivious_only_share_at_0.05"


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_attacks_that_ignore_a_defence_add_at_most_one_percent_or_image_to_those_that_know_it(study):
    shares = [
        (float(row["value"]), row["entry"], row["metric"], row["seed"], int(row["n"]))
        for row in read(study)
        if row["metric"] in ("oblivious_only_share", AT_THE_TARGET) and row["seed"]
    ]

    weak = [one for one in shares if one[0] > max(0.01, 1.001 / one[-1])]
    assert len(shares) >= 6
    assert weak == []
