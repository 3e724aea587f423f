"""docs/architecture.md: its picture is that of the source, and every file and function that it names exists."""

import ast
import re
import runpy
from pathlib import Path

import pytest

from touchstone.pipeline.planning.parts import RULES
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "touchstone"
PAGE = ROOT / "docs" / "architecture.md"
HOUSE = runpy.run_path(str(ROOT / "docs" / "house.py"))
HOP = re.compile(r"`([\w./-]+\.(?:py|smk|yaml|svg|html|md))(?::(\w+))?`")
STALE = "docs/{} is out of date: run `make tables`"


def missing(text):
    """Return the hops of a text, path or path:name, that lead to no file or to no definition in it."""
    lost = []
    for file, name in HOP.findall(text):
        path = next((folder / file for folder in (PACKAGE, ROOT) if (folder / file).is_file()), None)
        if path is None or (name and name not in defined(path)):
            lost.append(f"{file}:{name}")
    return lost


def defined(path):
    """Return the names of the functions and classes in a file's outermost level."""
    return {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}


def test_every_file_and_function_on_the_page_exists():
    assert len(HOP.findall(PAGE.read_text())) > 30
    assert missing(PAGE.read_text()) == []


@pytest.mark.parametrize("hop", ["attacks/pgd.py:nobody", "attacks/nobody.py:pgd", "nobody.smk"])
def test_a_hop_that_leads_nowhere_is_seen(hop):
    assert len(missing(f"1. `{hop}` is next")) == 1


def test_a_hop_to_a_function_a_class_and_a_file_is_followed():
    assert missing("`attacks/pgd.py:pgd`, `records/nouns.py:Cell`, `workflow/rules/attacks.smk`") == []


def test_a_setting_passes_eight_files_all_of_which_exist():
    way = re.findall(r"^([\w./]+\.(?:py|smk|yaml))(?::(\w+))? +\S", PAGE.read_text(), re.MULTILINE)

    assert way[0][0] == "papers/common.yaml" and way[-1] == ("attacks/pgd.py", "pgd") and len(way) == 8
    assert missing(" ".join(f"`{file}{name and ':'}{name}`" for file, name in way)) == []


def test_the_rules_on_the_page_are_those_of_the_plan():
    assert tuple(re.findall(r"^\| `(\w+)` \| \w+.* \| .* \|$", PAGE.read_text(), re.MULTILINE))[-10:] == RULES


def arrows():
    """Return the arrows of the rule graph, as (from, to)."""
    text = (ROOT / "docs/rulegraph.svg").read_text()
    names = dict(re.findall(r"<title>(\d+)</title>.*?>(\w+)</text>", text, re.DOTALL))
    return {(names[one], names[other]) for one, other in re.findall(r"<title>(\d+)&#45;&gt;(\d+)</title>", text)}


def test_the_rule_graph_is_that_of_the_study_tiny(monkeypatch):
    """Draw it anew by: snakemake --rulegraph --config study=tiny | dot -Tsvg > docs/rulegraph.svg."""
    monkeypatch.chdir(ROOT)
    read = {(other.split("/")[0], job.rule) for job in Plan(load("tiny")).jobs.values() for other in job.inputs}

    assert arrows() == read | {("evaluate", "all"), ("report", "all")}


def test_each_rule_says_which_rules_it_reads():
    """`snakemake --list` prints these words; the rules name their inputs by a function only."""
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    said = re.findall(r'rule (\w+):\n    """Read (.*?)\."""', text)

    assert {(one, rule) for rule, words in said for one in words.split(", ")} == {
        (one, rule) for one, rule in arrows() if rule != "all"
    }


def test_the_picture_is_that_of_the_source():
    assert HOUSE["picture"](HOUSE["rooms"]()) == HOUSE["PICTURE"].read_text(), STALE.format("house.svg")


def test_a_room_has_its_floor_and_its_charter():
    rooms = {room.name: room for room in HOUSE["rooms"]()}

    assert rooms["numerics"].floor == 2
    assert rooms["detectors"].holds == "Scores, higher is more anomalous"
    assert rooms["attacks"].kind == "Components"
    assert rooms["pipeline"].kind == "Pipeline"
