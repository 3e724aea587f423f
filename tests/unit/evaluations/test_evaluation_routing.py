from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.routing import routing
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

PROTECTS = {"protects": "cnn.0"}
ROUTED_PGD = {"use": "adaptive/routed_pgd", "eps": 0.1} | PROTECTS
PLACE = {"entry": "routed", "seed": 0, "examples": "digits"}
NOUN = Detector({}, {"use": "energy"}, {"0.05": 2.0, "0.01": 3.0}, spread=0.5, supervised=False)
ROUTER = Cell(NOUN, "router", "routed", 0, detector="energy", settings={"false_positive_rate": 0.05})
RATES = {"resamples": 20}
HELD_OUT = Scores(np.arange(4.0), np.arange(4), np.zeros(4, np.int64))
CALIBRATION = Cell(HELD_OUT, "calibration", "routed", 0, "held_out", detector="energy")


def one_hot(right):
    return np.eye(2, dtype=np.float32)[np.where(np.array(right, bool), 0, 1)]


def outputs(untranslated, translated, scores=(), victim="", file="outputs", order=slice(None)):
    """Outputs of a defence on four images of class 0: which path is right on which image, and the router's scores."""
    routed = np.array(scores) > 2.0 if len(scores) else np.ones(4, bool)
    features = {"untranslated": one_hot(untranslated), "translated": one_hot(translated), "routed": routed.astype("f4")}
    if len(scores):
        features["routing_score"] = np.array(scores, dtype=np.float32)
    logits = np.where(routed[:, None], features["translated"], features["untranslated"])
    noun = Outputs(
        logits[order], np.zeros(4, np.int64), np.arange(4)[order], {name: f[order] for name, f in features.items()}
    )
    attack = {"attack": "pgd", "victim": victim, "settings": ROUTED_PGD} if victim else {"settings": PROTECTS}
    return Cell(noun, file, **PLACE, **attack)


CLEAN = outputs([1, 1, 1, 0], [1, 1, 0, 0], [0.0, 1.0, 2.0, 2.5], file="clean")


def found(*cells, routers=(ROUTER,)):
    return {(row.examples, row.metric): row for row in routing(list(cells), list(routers), [CALIBRATION], **RATES)}


def test_the_pipeline_takes_each_image_on_its_own_path_and_the_oracle_no_clean_one():
    rows = found(CLEAN)

    assert rows["digits", "accuracy"].value == 0.75
    assert rows["digits", "untranslated_accuracy"].value == 0.75
    assert rows["digits", "oracle_accuracy"].value == 0.75
    assert rows["digits", "translated_accuracy"].value == 0.5
    assert rows["digits", "translation_gain"].value == -0.25
    assert rows["digits", "false_routing_rate"].value == 0.25  # a score equal to the threshold is let through
    assert rows["digits", "routing_excess"].value == pytest.approx((-2 - 1 + 0 + 0.5) / 2)


@pytest.mark.parametrize(("scores", "beyond"), [([2.5] * 4, 0.25), ([2.5, 2.5, 0, 0], 0.0), ([0.0] * 4, -0.25)])
def test_what_the_router_keeps_is_counted_from_the_middle_between_the_oracle_and_the_network_alone(scores, beyond):
    """The oracle is right on three of four images, the network alone on one: half of the gain is one image."""
    attacked = outputs([1, 0, 0, 0], [1, 1, 1, 0], scores, "cnn.0", "attacked")

    assert found(CLEAN, attacked)["digits/cnn/pgd", "over_half_of_oracle_gain"].value == pytest.approx(beyond)


def test_what_is_wrong_and_let_through_gets_past_the_router():
    attacked = outputs([1, 0, 0, 0], [1, 1, 1, 0], [0.0, 1.0, 2.5, 2.5], "routed.0", "attacked", [3, 1, 0, 2])
    rows = found(CLEAN, attacked)

    assert rows["digits/pgd", "accuracy"].value == 0.5
    assert rows["digits/pgd", "evasion_rate_at_0.05"].value == 0.25  # the routed one that is wrong does not count
    assert rows["digits/pgd", "routing_rate"].value == 0.5
    assert rows["digits/pgd", "oracle_accuracy"].value == 0.75
    assert rows["digits/pgd", "relative_robustness"].value == pytest.approx(0.5 / 0.75)
    assert rows["digits/pgd", "router_auroc"].value == 9 / 16  # one point per pair, half where they tie
    assert str(rows["digits/pgd", "accuracy"].threat) == "white-box adaptive linf eps=0.1 (routed_pgd)"


def test_the_oracle_differs_from_the_bare_network_on_attacked_images_only():
    attacked = outputs([1, 0, 0, 0], [1, 1, 1, 0], [0.0, 1.0, 2.5, 2.5], "routed.0", "attacked", [3, 1, 0, 2])

    rows = found(CLEAN, attacked)

    benign, gain = rows["digits", "oracle_accuracy_minus_cnn"], rows["digits/pgd", "oracle_accuracy_minus_cnn"]
    assert (benign.value, benign.unit) == (0, "difference of fractions")
    assert gain.value == 0.5  # two of four; of the pipeline only one, which its router sent there
    assert rows["digits/pgd", "accuracy_minus_cnn"].value == 0.25


def test_an_attack_on_the_protected_network_alone_is_oblivious():
    rows = found(CLEAN, outputs([0] * 4, [1] * 4, [9.0] * 4, "cnn.0", "attacked"))

    assert str(rows["digits/cnn/pgd", "accuracy"].threat) == "oblivious linf eps=0.1 (routed_pgd)"


def test_without_a_router_nothing_is_said_of_one():
    rows = found(outputs([1] * 4, [1, 1, 1, 0]), routers=())

    assert rows["digits", "accuracy"].value == 0.75
    assert not {metric for _, metric in rows} & {"false_routing_rate", "routing_rate", "router_auroc"}


def test_outputs_of_networks_and_missing_routers_are_refused():
    plain = Cell(Outputs(one_hot([1] * 4), np.zeros(4, np.int64), np.arange(4)), "plain", **PLACE)

    with pytest.raises(ValueError, match="plain: outputs of a network"):
        routing([plain], [], [])
    with pytest.raises(ValueError, match=r"the router of routed\.0: none is given"):
        routing([CLEAN], [], [])


def test_what_the_router_does_varies_with_the_images_that_gave_its_threshold():
    """All four scores lie between the thresholds that resampled calibration images give."""
    attacked = outputs([0] * 4, [1] * 4, [2.2, 2.3, 2.4, 2.5], "routed.0", "attacked")

    rows = found(CLEAN, attacked)

    assert min(rows["digits/pgd", name].image_variance for name in ("routing_rate", "evasion_rate_at_0.05")) > 0.1
    assert rows["digits/pgd", "routing_rate"].value == 1
    assert rows["digits/pgd", "routing_excess"].image_variance > 0.5  # in spreads of one half
    assert " ".join(rows["digits/pgd", "routing_rate"].files) == "attacked router calibration"


OTHER = {"attack": "fgsm", "victim": "cnn.0", "settings": {"use": "attacks/fgsm", "eps": 0.1} | PROTECTS}


def both_attacks():
    """Knowing the defence, an attack makes images 0 (routed) and 1 wrong; ignoring it, another makes 1 and 2 wrong."""
    knowing = outputs([0, 0, 1, 1], [0, 1, 1, 1], [2.5, 1.0, 0.0, 0.0], "routed.0", "knowing", [3, 1, 0, 2])
    ignoring = replace(outputs([1, 0, 0, 1], [1, 1, 1, 1], [0.0, 1.0, 1.5, 0.0], "cnn.0", "ignoring"), **OTHER)
    return knowing, ignoring


def test_the_worst_of_all_attacks_counts_accuracy_and_evasion_apart():
    rows = found(CLEAN, *both_attacks())

    assert rows["digits/worst", "accuracy"].value == 0.25  # only image 3 resists both
    assert rows["digits/worst", "evasion_rate_at_0.05"].value == 0.5  # images 1 and 2; image 0 is wrong but routed
    assert rows["digits/worst", "accuracy"].threat.worst_of == ("cnn/fgsm", "pgd")
    assert rows["digits/worst", "accuracy"].threat.eps == 0.1
    fall = rows["digits/worst", "fall_from_fgsm_on_cnn"]
    assert fall.value == rows["digits/cnn/fgsm", "accuracy"].value - 0.25
    assert fall.threat == rows["digits/worst", "accuracy"].threat
    for metric in ("accuracy", "evasion_rate_at_0.05"):
        parts = [
            row.value
            for (examples, name), row in rows.items()
            if name == metric and examples.count("/") and examples != "digits/worst"
        ]
        sign = 1 if metric == "accuracy" else -1
        assert len(parts) == 2 and all(sign * rows["digits/worst", metric].value <= sign * part for part in parts)


def test_what_only_attacks_succeed_at_that_ignore_the_defence_is_told():
    rows = found(CLEAN, *both_attacks())

    assert rows["digits/worst", "oblivious_only_share"].value == pytest.approx(1 / 3)  # image 2 of 0, 1 and 2
    assert rows["digits/worst", "oblivious_only_share_at_0.05"].value == 0.5  # image 2 of 1 and 2
    assert rows["digits/worst", "oblivious_only_share_at_0.05"].n == 2


def test_an_attack_on_the_whole_defence_must_not_lose_to_one_that_ignores_it():
    equal, weak = (
        found(CLEAN, *both_attacks()),
        found(
            CLEAN,
            outputs([1, 1, 1, 1], [1, 1, 1, 1], [0.0] * 4, "routed.0", "knowing"),
            replace(outputs([1, 0, 0, 1], [1, 1, 1, 1], [0.0, 1.0, 1.5, 0.0], "cnn.0", "ignoring"), **OTHER),
        ),
    )

    assert equal["digits/pgd", "worse_than_oblivious_passed"].value == 1  # both make two images wrong
    assert equal["digits/pgd", "evades_less_than_oblivious"].value == 0.25  # images 1 and 2 against image 1
    assert (
        weak["digits/pgd", "worse_than_oblivious"].value
        == weak["digits/pgd", "evades_less_than_oblivious"].value
        == 0.5
    )
    assert weak["digits/pgd", "evades_less_than_oblivious_passed"].value == 0


def test_attacks_of_other_budgets_are_no_part_of_the_worst():
    knowing = outputs([0, 1, 1, 1], [0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0], "routed.0", "knowing")
    wider = OTHER | {"settings": OTHER["settings"] | {"eps": 0.3}}
    ignoring = replace(outputs([0, 0, 0, 0], [0, 0, 0, 0], [0.0] * 4, "cnn.0", "ignoring"), **wider)

    assert ("digits/worst", "accuracy") not in found(CLEAN, knowing, ignoring)


def test_each_of_several_budgets_has_a_worst_of_its_own():
    cells = [
        replace(cell, settings=cell.settings | {"eps": eps}, attack=f"{cell.attack}_{eps}", file=f"{cell.file}{eps}")
        for eps in (0.1, 0.3)
        for cell in both_attacks()
    ]

    places = {examples for examples, metric in found(CLEAN, *cells) if metric == "accuracy" and "worst" in examples}
    assert places == {"digits/worst_linf@0.1", "digits/worst_linf@0.3"}
