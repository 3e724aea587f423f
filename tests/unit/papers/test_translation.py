"""What the translation paper's claims say and what its experiment has; the claims are judged in test_claims.py."""

from hand_made_claims import shipped

from touchstone.claims import contrast_files
from touchstone.claims.sentences import said

PAPER = shipped()["T"]


def test_a_claim_says_both_numbers_that_it_compares():
    text = said(PAPER.verdict("T3", {0: -0.15, 1: 0.25, 2: 0.4})).replace("\u202f", " ")

    assert "translation with an oracle gets 25.0 %" in text and "adversarial training, attacked itself, 40.0 %" in text
    assert "-15.0 points" in text


def test_every_claim_says_its_two_numbers_and_no_more_than_six_are_judged():
    judged = {name: criterion for name, criterion in PAPER.book.criteria.items() if criterion.kind != "number"}

    assert list(judged) == ["T1", "T2", "T3", "T4", "T5", "T6"]
    assert all({"{0}", "{1}", "{2}"} <= set(_places(criterion.says)) for criterion in judged.values())
    assert all(sum(bool(test.comparison) for test in criterion.tests) == 1 for criterion in judged.values())
    assert [(judged[name].origin.kind, judged[name].origin.known) for name in judged] == [
        *(("direction", True), ("ours", True), ("direction", True)),
        *(("direction", True), ("direction", True), ("ours", True)),
    ]


def _places(text):
    return ["{" + part[: part.index("}")] + "}" for part in text.split("{")[1:]]


def test_the_head_of_the_report_shows_translation_of_every_image_and_behind_its_router():
    every, routed = contrast_files.read(PAPER.facts)

    for written, claim, entry in ((every, "T6", "translated"), (routed, "T2", "routed")):
        who = PAPER.cast(claim)
        assert written.of == (claim,)
        assert [test.rows.entry.format(**who) for test in written.criterion.tests] == [entry, entry, "cnn"]


def test_both_trainings_with_a_discriminator_are_in_the_whole_experiment():
    trained = {entry["use"]: entry for entry in PAPER.experiment["translators"].values()}

    assert trained["cycle_gan"]["seeds"] == [0]
    assert {"pix2pix", "cycle_gan"} <= trained.keys()
    assert PAPER.experiment["defences"]["translated"]["translator"] == "gan_unet"
    assert PAPER.experiment["translators"]["gan_unet"]["use"] == "pix2pix"
