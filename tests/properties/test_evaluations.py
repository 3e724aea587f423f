"""One contract for every evaluation of the folder, and the mutants that it must reject."""

from __future__ import annotations

import copy
import importlib
import inspect
import itertools
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import synthetic_study
import touchstone
from touchstone.evaluations.data_sheet import data_sheet
from touchstone.evaluations.robustness import robustness
from touchstone.pipeline.steps.evaluate import evaluate
from touchstone.records.nouns import ContractError

FOLDER = Path(touchstone.__file__).parent / "evaluations"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
PARTS = ("checks_of_networks", "checks_of_detectors")  # what `checks` does with other cells
ANSWERS = {}
STUDY = vars(synthetic_study)


def component(name):
    if name in PARTS:
        return STUDY[name]
    return getattr(importlib.import_module(f"touchstone.evaluations.{name}"), name)


def ask(function, cells, settings):
    return evaluate("question", lambda *data: function(*data, **settings), cells).rows


def once(function, cells, settings):
    """What `ask` returns, computed once for all checks that are handed the same cells."""
    key = (function, id(cells))
    if key not in ANSWERS:
        ANSWERS[key] = cells, ask(function, cells, settings)  # while the cells are here, no others have their id
    return ANSWERS[key][1]


def facts(rows):
    """Rows without the order in which they come and in which they name their files."""
    return sorted(str(replace(row, files=tuple(sorted(row.files)))) for row in rows)


def rearranged(noun, generator):
    if not hasattr(noun, "example_ids"):
        return noun
    count = len(noun.example_ids)
    order = generator.permutation(count)

    def shuffle(value):
        if isinstance(value, dict):
            return {key: shuffle(item) for key, item in value.items()}
        return value[order] if isinstance(value, np.ndarray) and len(value) == count else value

    return replace(noun, **{field.name: shuffle(getattr(noun, field.name)) for field in fields(noun)})


def check_rows_are_sound(function, cells, settings):
    for row in once(function, cells, settings):
        assert isinstance(row.value, float) and isinstance(row.n, int), row
        if row.unit in ("fraction", "", "pixels"):
            assert row.value >= 0 or row.metric.startswith("reconstruction_gain"), row
        if row.unit in ("fraction", "", "difference"):
            assert row.value <= 1, row
        if row.base_rate is not None:
            assert 0 < row.base_rate < 1, row


def check_the_same_again_and_nothing_is_changed(function, cells, settings):
    before = copy.deepcopy(cells)
    assert ask(function, cells, settings) == once(function, cells, settings)
    for old, new in zip(itertools.chain(*before), itertools.chain(*cells), strict=True):
        for field in fields(old.noun):
            np.testing.assert_equal(getattr(new.noun, field.name), getattr(old.noun, field.name))


def check_the_order_of_cells_does_not_matter(function, cells, settings):
    assert facts(ask(function, [part[::-1] for part in cells], settings)) == facts(once(function, cells, settings))


def check_the_order_of_rows_does_not_matter(function, cells, settings):
    generator = np.random.default_rng(0)
    mixed = [[replace(cell, noun=rearranged(cell.noun, generator)) for cell in part] for part in cells]
    assert facts(ask(function, mixed, settings)) == facts(once(function, cells, settings))


def check_a_further_seed_changes_no_row_of_another(function, cells, settings):
    def of_seed_0(cell):
        networks = (part.partition("+")[0] for part in (cell.victim, cell.translator) if part)
        return {"0"} >= {name.rpartition(".")[2] for name in networks} and cell.seed in (0, None)

    fewer = [[cell for cell in part if of_seed_0(cell)] for part in cells]
    assert set(facts(ask(function, fewer, settings))) <= set(facts(once(function, cells, settings)))


@cache
def given(name):
    return STUDY["given"](component(name))


CONTRACT = [value for name, value in globals().items() if name.startswith("check_")]


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [*NAMES, *PARTS])
def test_every_evaluation_keeps_the_contract(name, check):
    check(component(name), *given(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_evaluation_names_nouns_and_then_settings(name):
    parameters = inspect.signature(component(name)).parameters.values()

    kinds = [parameter.kind for parameter in parameters]
    roles = {p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert roles <= {*STUDY["NOUNS"], "crossed_scores"}
    assert kinds == sorted(kinds)


def by_position(outputs):
    """Compares attacked rows with clean ones by their place instead of their id."""
    clean, attacked = outputs[0].noun, outputs[1].noun
    rows = robustness(outputs[:2], resamples=5)
    same = float((clean.predictions == attacked.predictions).mean())
    return [replace(rows[0], metric="agreement", value=same, low=None, high=None)]


class Restless:
    """Gives another bootstrap interval at each call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, examples):
        self.calls += 1
        return data_sheet(examples, resamples=20, bootstrap_seed=self.calls)


def in_percent(outputs):
    """Multiplies a share by a hundred."""
    return [replace(row, value=row.value * 100, low=None, high=None) for row in robustness(outputs, resamples=5)]


def of_the_first(outputs):
    """Looks only at the cell that happens to come first."""
    return robustness([cell for cell in outputs if cell.entry == outputs[0].entry], resamples=5)


def pooled(outputs):
    """Gives every seed the mean over seeds."""
    rows = [row for row in robustness(outputs, resamples=5) if row.metric == "clean_accuracy"]
    return [replace(row, value=float(np.mean([row.value for row in rows]))) for row in rows]


def with_foreign_files(outputs):
    """Names a file that it was not given."""
    return [replace(row, files=("elsewhere",)) for row in robustness(outputs, resamples=5)]


OUTPUTS = [STUDY["output_cells"]()]
MUTANTS = [
    (by_position, OUTPUTS, check_the_order_of_rows_does_not_matter, AssertionError),
    (Restless(), [STUDY["example_cells"]()], check_the_same_again_and_nothing_is_changed, AssertionError),
    (in_percent, OUTPUTS, check_rows_are_sound, AssertionError),
    (of_the_first, OUTPUTS, check_the_order_of_cells_does_not_matter, AssertionError),
    (pooled, OUTPUTS, check_a_further_seed_changes_no_row_of_another, AssertionError),
    (with_foreign_files, OUTPUTS, check_rows_are_sound, ContractError),
]


@pytest.mark.parametrize(
    ("mutant", "cells", "check", "error"), MUTANTS, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_contract_rejects_mutants(mutant, cells, check, error):
    with pytest.raises(error):
        check(mutant, cells, {})
