"""The claims of the translation paper, judged on rows that are written by hand; who plays their roles."""

from pathlib import Path

import pytest
import yaml
from hand_made_claims import networks

from touchstone.claims import contrast_files, paper_files
from touchstone.claims.criteria import assignments
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.sentences import said

FOLDER = Path(paper_files.__file__).parents[1] / "papers/translation"
FACTS = yaml.safe_load((FOLDER / "claims.yaml").read_text())
EXPERIMENT = yaml.safe_load((FOLDER / "experiment.yaml").read_text())
BOOK = paper_files.book({"translation": FACTS})
COMPONENTS = {name: name for name in ("routing", "paired_errors", "robustness", "translation", "linear_probe")}
NUMBERS = [name for name, criterion in BOOK.criteria.items() if criterion.kind == "number"]
OBLIVIOUS, KNOWS = "oblivious linf eps=0.1", "adaptive linf eps=0.1"
DIFFERENCES = ("minus", "gain", "change", "worse", "over_half")


def cast(name):
    written = EXPERIMENT["claims"]["shared"] | EXPERIMENT["claims"][name]
    return {role: str(written[role]).lstrip("$") for role in BOOK.criteria[name].roles}


def rows_of(condition, criterion, value, threat):
    for names in assignments(condition, criterion, cast(criterion.id), "each"):
        columns = {"metric": condition.rows.metric.removeprefix("1 - "), "entry": condition.rows.entry}
        texts = {key: text.format(**names) for key, text in columns.items()}
        place = condition.rows.examples.format(**names)
        unit = "difference of fractions" if any(word in texts["metric"] for word in DIFFERENCES) else "fraction"
        complement = condition.rows.metric.startswith("1 - ")
        yield from networks(
            1 - value if complement else value,
            threat=threat,
            unit=unit,
            evaluation=condition.rows.evaluation,
            examples=place,
            **texts,
        )


def rows(name, numbers):
    """Return the rows of three networks for every number of a criterion: .5, or what `numbers` says of its test."""
    criterion = BOOK.criteria[name]
    threat = {"T4": "none", "T5": "none", "T6": KNOWS, "T15": KNOWS}.get(name, OBLIVIOUS)
    return [
        row
        for place, test in enumerate((*criterion.tests, *criterion.needs))
        for row in rows_of(test, criterion, numbers.get(place, 0.5), threat if "/" in test.rows.examples else "none")
    ]


def verdict(name, numbers, known=None):
    """Return the verdict on a claim; `known` is what an attacker who knows the translator takes more (T6, or its break)."""
    asked, made = {name: cast(name)}, rows(name, numbers)
    if known is not None and BOOK.criteria[name].breaks:
        made += rows_of(BOOK.criteria[name].breaks, BOOK.criteria[name], known, KNOWS)
    elif known is not None:
        asked, made = asked | {"T6": cast("T6")}, made + rows("T6", {0: known})
    return next(one for one in judge(BOOK, StudyClaims(COMPONENTS, asked), made) if one.claim.id == name)


@pytest.mark.parametrize("name", ["T1", "T2", "T4", "T5"])
@pytest.mark.parametrize(("gain", "word"), [(0.1, "holds"), (0.01, "inconclusive"), (-0.1, "fails")])
def test_a_gain_has_to_be_above_0(name, gain, word):
    assert verdict(name, {0: gain}).word == word


def test_translation_has_to_err_less_than_adversarial_training():
    assert [verdict("T3", {0: more}).word for more in (-0.1, -0.01, 0.1)] == ["holds", "inconclusive", "fails"]


def test_whoever_knows_the_translator_has_to_make_it_err_more():
    found = [verdict("T6", {0: more}) for more in (0.1, 0.01, -0.1)]

    assert [one.word for one in found] == ["holds", "inconclusive", "fails"]
    assert {one.attacker for one in found} == {"does not apply"}


@pytest.mark.parametrize("name", ["T4", "T5"])
def test_nobody_attacks_shifted_images(name):
    assert verdict(name, {0: 0.1}).attacker == "does not apply"


HELD = {"T1": 0.1, "T3": -0.1}  # T6 is about no router, so it says nothing of T2


@pytest.mark.parametrize("name", HELD)
def test_without_the_attacker_who_knows_nothing_is_said_of_him(name):
    assert verdict(name, {0: HELD[name]}).attacker == "not attacked"


@pytest.mark.parametrize("name", HELD)
def test_the_attacker_who_knows_breaks_it_if_translation_then_errs_more_than_what_it_is_compared_with(name):
    found = verdict(name, {0: HELD[name]}, known=0.1)

    assert (found.word, found.attacker) == ("holds", "broken")


@pytest.mark.parametrize("name", HELD)
def test_an_attacker_who_does_not_break_it_leaves_an_upper_bound(name):
    assert verdict(name, {0: HELD[name]}, known=-0.1).attacker == "upper bound only"


@pytest.mark.parametrize(("left", "attacker"), [(0.01, "broken"), (0.5, "upper bound only")])
def test_the_deployed_defence_is_broken_if_an_attacker_who_knows_it_leaves_next_to_nothing(left, attacker):
    assert verdict("T2", {0: 0.1}, known=left).attacker == attacker


def test_a_router_is_not_judged_where_the_oracle_gains_nothing():
    assert verdict("T2", {0: 0.1, len(BOOK.criteria["T2"].tests): -0.2}).word == "not run"


@pytest.mark.parametrize("name", BOOK.criteria)
def test_a_claim_without_its_rows_is_not_run(name):
    found = verdict(name, {}, None) if name in NUMBERS else None
    missing = judge(BOOK, StudyClaims(COMPONENTS, {name: cast(name)}), [])

    assert next(one for one in missing if one.claim.id == name).word == "not run"
    assert found is None or found.word == ""


def test_a_claim_says_both_numbers_that_it_compares():
    text = said(verdict("T3", {0: -0.15, 1: 0.25, 2: 0.4})).replace("\u202f", " ")

    assert "translation with an oracle gets 25.0 %" in text and "adversarial training 40.0 %" in text
    assert "-15.0 points" in text


def test_every_claim_says_its_two_numbers_and_no_more_than_six_are_judged():
    judged = {name: criterion for name, criterion in BOOK.criteria.items() if criterion.kind != "number"}

    assert list(judged) == ["T1", "T2", "T3", "T4", "T5", "T6"]
    assert all({"{0}", "{1}", "{2}"} <= set(_places(criterion.says)) for criterion in judged.values())
    assert all(sum(bool(test.comparison) for test in criterion.tests) == 1 for criterion in judged.values())
    assert [(judged[name].origin.kind, judged[name].origin.known) for name in judged] == [
        *(("direction", True), ("ours", True), ("direction", True)),
        *(("direction", True), ("direction", True), ("ours", True)),
    ]


def _places(text):
    return ["{" + part[: part.index("}")] + "}" for part in text.split("{")[1:]]


def test_the_two_files_have_no_mistakes():
    assert [*paper_files.mistakes(FACTS), *contrast_files.mistakes(FACTS)] == []


def test_the_head_of_the_report_shows_translation_of_every_image_and_behind_its_router():
    every, routed = contrast_files.read(FACTS)

    for written, claim, entry in ((every, "T6", "translated"), (routed, "T2", "routed")):
        who = cast(claim)
        assert written.of == (claim,)
        assert [test.rows.entry.format(**who) for test in written.criterion.tests] == [entry, entry, "cnn"]


def test_both_trainings_with_a_discriminator_are_in_the_whole_experiment():
    trained = {entry["use"]: entry for entry in EXPERIMENT["translators"].values()}

    assert trained["cycle_gan"]["seeds"] == [0]
    assert {"pix2pix", "cycle_gan"} <= trained.keys()
    assert EXPERIMENT["defences"]["translated"]["translator"] == "gan_unet"
    assert EXPERIMENT["translators"]["gan_unet"]["use"] == "pix2pix"
