"""Mistakes in a study are reported before any job: file, line, key, value, what is allowed, the nearest word."""

import textwrap
from pathlib import Path

import pytest
import yaml

from projects import FEWER, study_text, write_study
from touchstone.numerics import devices
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
FULL = dict.fromkeys(("gradient_detection", "aloe", "margin_consistency", "fgsm", "translation"), "full")
DIGITS = study_text("digits", papers=FULL, change=None, scale={"seeds": 10}, data=FEWER)  # every question of the papers


def changed(project, text="", **changes):
    """The study of all questions about digits, changed: `text` is the content of its block change."""
    change = f"change:\n{textwrap.indent(text, '  ')}\n" if text else ""
    path = project / "workflow" / "studies" / "mine.yaml"
    path.write_text((study_text(DIGITS, **changes) if changes else DIGITS) + change)
    return load("mine", project)


def message(project, text="", **changes):
    with pytest.raises(ParamsError) as caught:
        changed(project, text, **changes)
    return str(caught.value)


@pytest.mark.parametrize("study", sorted(path.stem for path in (ROOT / "workflow" / "studies").glob("*.yaml")))
def test_every_shipped_study_is_right(study):
    assert load(study, ROOT).name == study


JOINT = "use: ensemble_adversarial, attack: {use: fgsm}, model: {use: mlp}, train: digits_train, validation: digits_validation"
# What a study changes, and words of the message.
MISTAKES = {
    "a word for a number": ("attacks: {pgd: {steps: fifty}}", "change.attacks.pgd.steps: expected int at least 1", 'got "fifty"'),
    "a fraction for a count": ("attacks: {pgd: {steps: 2.5}}", "change.attacks.pgd.steps: expected int", "2.5"),
    "eps out of range": ("attacks: {pgd: {eps: 8}}", "change.attacks.pgd.eps: expected float from 0 to 1", "got 8"),
    "eps as code": ('attacks: {pgd: {eps: "exec(1)"}}', "change.attacks.pgd.eps: expected float", 'got "exec(1)"'),
    "an unknown component": ("attacks: {mine: {use: pdg}}", "change.attacks.mine.use: no attacks/pdg.py", "Did you mean pgd?"),
    "an unknown word": ("attacks: {pgd: {loss: cross_entropi}}", "change.attacks.pgd.loss: expected cross_entropy or margin", "Did you mean cross_entropy?"),
    "an empty entry": ("attacks: {mine: {}}", "change.attacks.mine: empty entry: it changes nothing; give settings, or leave it out", ""),
    "an unknown reference": ("classifiers: {cnn: {train: digits_trian}}", "change.classifiers.cnn.train: no entry called digits_trian", "Did you mean digits_train?"),
    "an unknown nested setting": ("classifiers: {cnn_pgd: {attack: {stepz: 2}}}", "change.classifiers.cnn_pgd.attack.stepz: not a setting", "Did you mean steps?"),
    "a nested block that is no block": ("classifiers: {cnn_pgd: {attack: pgd}}", "change.classifiers.cnn_pgd.attack: expected block with its own use: from attacks/", ""),
    "a rate without a threshold": ("defences: {routed: {false_positive_rate: 0.06}}", "change.defences.routed.false_positive_rate: 0.06 is not among scale.false_positive_rates", "Did you mean 0.05?"),
    "seeds that its classifier lacks": ("defences: {routed: {seeds: [0, 7]}}", "change.defences.routed.seeds: cnn has only the seeds 0, 1, 2", ""),
    "more than all": ("evaluations: {data_sheet: {examples: [all, digits_test]}}", "change.evaluations.data_sheet.examples: all means every entry already; leave this setting out, or list the entries by name", ""),
    "a router that is none": ("defences: {routed: {router: energi}}", "change.defences.routed.router: no entry called energi in detectors", "Did you mean energy?"),
    "a defence without a translator": ("defences: {mine: {classifier: cnn, translator: null}}", "change.defences.mine.translator: must name an entry of translators", ""),
    "a defence with a component": ("defences: {routed: {use: pgd}}", "change.defences.routed.use: not a setting", "router"),
    "detectors of a defence": ("evaluations: {detection: {classifiers: [routed]}}", "change.evaluations.detection.classifiers: routed is a defence, but detectors", "need a single network"),
    "margins of a defence": ("evaluations: {margins: {classifiers: [routed]}}", "change.evaluations.margins.classifiers: routed is a defence, but margins", "need a single network"),
    "both paths of a network": ("evaluations: {robustness: {attacks: [both_paths]}}", "change.evaluations.robustness.attacks: both_paths attacks defences, and none is among the classifiers", "routed"),
    "an unknown victim": ("evaluations: {routing: {victims: [rooted]}}", "change.evaluations.routing.victims: no entry called rooted in classifiers or defences", "Did you mean routed?"),
    "a translator of no network": ("translators: {unet: {classifier: null}}", "change.translators.unet.classifier: must name an entry of classifiers", ""),
    "a denoiser of a network": ("translators: {denoiser: {classifier: cnn}}", "change.translators.denoiser.classifier: training/denoising.py attacks no network", ""),
    "a fitted detector without data": ("detectors: {pixel_mahalanobis: {fit: null}}", "change.detectors.pixel_mahalanobis.fit: detectors/pixel_mahalanobis.py is fitted: must name an entry of examples", ""),
    "data for a detector that is not fitted": ("detectors: {msp: {fit: digits_train}}", "change.detectors.msp.fit: detectors/msp.py is not fitted on anything; leave it out", ""),
    "no anomalies for a detector that learns from them": ("detectors: {gradient_network: {anomalous: []}}", "change.detectors.gradient_network.anomalous: detectors/gradient_network.py learns from anomalies: must name entries of examples or attacks", ""),
    "anomalies for a detector that does not": ("detectors: {pixel_mahalanobis: {anomalous: [pgd]}}", "change.detectors.pixel_mahalanobis.anomalous: detectors/pixel_mahalanobis.py learns from no anomalies; leave it out", ""),
    "a network for a detector that is not fitted": ("detectors: {msp: {classifier: cnn}}", "change.detectors.msp.classifier: detectors/msp.py is not fitted on anything; leave it out", ""),
    "held-out images that nothing reads": ("evaluations: {robustness: {fit: digits_detector_train}}", "change.evaluations.robustness.fit: neither evaluations/robustness.py nor a figure of it reads held-out images; leave it out", ""),
    "margins that nothing reads": ("evaluations: {robustness: {margins: [nearest_classes]}}", "change.evaluations.robustness.margins: neither evaluations/robustness.py nor a figure of it reads margins; leave it out", ""),
    "certificates that nothing reads": ("evaluations: {robustness: {certificates: [msp_high_05]}}", "change.evaluations.robustness.certificates: neither evaluations/robustness.py nor a figure of it reads certificates; leave it out", ""),
    "rivals that nothing reads": ("evaluations: {robustness: {rivals: [cnn]}}", "change.evaluations.robustness.rivals: neither evaluations/robustness.py nor a figure of it reads rivals; leave it out", ""),
    "detectors that nothing reads": ("evaluations: {robustness: {detectors: [msp]}}", "change.evaluations.robustness.detectors: neither evaluations/robustness.py nor a figure of it reads detectors; leave it out", ""),
    "attacked sets without an attack": ("evaluations: {data_sheet: {attacked: [digits_test]}}", "change.evaluations.data_sheet.attacked: only attacks read it, and this evaluation has none; name attacks, or leave it out", ""),
    "victims without an attack": ("evaluations: {data_sheet: {victims: [cnn]}}", "change.evaluations.data_sheet.victims: only attacks read it, and this evaluation has none; name attacks, or leave it out", ""),
    "a rate without a router": ("defences: {translated: {false_positive_rate: 0.01}}", "change.defences.translated.false_positive_rate: only a router reads it, and this defence has none; add a router, or leave it out", ""),
    "certificates in the wrong order": ("evaluations: {certified_detection: {high: [msp_low_05]}}", "change.evaluations.certified_detection.high: msp_low_05 must certify the high end at eps 0.05; it has end low, eps 0.05", ""),
    "a certificate of the wrong end": ("evaluations: {certified_detection: {low: [msp_high_05]}}", "change.evaluations.certified_detection.low: msp_high_05 must certify the low end at eps 0.05; it has end high, eps 0.05", ""),
    "no certificate": ("evaluations: {certified_detection: {high: [msp]}}", "change.evaluations.certified_detection.high: msp must certify the high end at eps 0.05; it certifies nothing", ""),
    "checks of nothing": ("evaluations: {score_checks: {checked: []}}", "change.evaluations.score_checks.checked: must name the attacks to check; the others are what they are compared with", ""),
    "checks in vain": ("evaluations: {attack_checks: {checked: [fgsm]}}", "change.evaluations.attack_checks.checked: only checks of attacks on detectors read it, and this evaluation has none; leave it out", ""),
    "a direct attack that is not made": ("evaluations: {robustness: {direct_attacks: [fgsm_02]}}", "change.evaluations.robustness.direct_attacks: fgsm_02 is not one of its attacks; name it there, too", ""),
    "no static networks": ("classifiers: {taught_together: {" + JOINT + ", static_networks: []}}", "change.classifiers.taught_together.static_networks: must name entries of classifiers", ""),
    "an unknown static network": ("classifiers: {taught_together: {" + JOINT + ", static_networks: [cnn, maxuot]}}", "change.classifiers.taught_together.static_networks: no entry called maxuot in classifiers", "Did you mean maxout?"),
    "a static network that is a defence": ("classifiers: {taught_together: {" + JOINT + ", static_networks: [routed]}}", "change.classifiers.taught_together.static_networks: no entry called routed in classifiers", ""),
    "a static network that is no list": ("classifiers: {taught_together: {" + JOINT + ", static_networks: cnn}}", "change.classifiers.taught_together.static_networks: expected a list of entries (or all), got \"cnn\"", ""),
    "static networks of an objective that attacks none": ("classifiers: {cnn_pgd: {static_networks: [cnn]}}", "change.classifiers.cnn_pgd.static_networks: training/adversarial.py attacks no other network; leave it out", ""),
    "a network that needs itself": ("classifiers: {taught_together: {" + JOINT + ", static_networks: [cnn, taught_together]}}", "change.classifiers.taught_together.static_networks: taught_together needs taught_together, but a static network has to be trained first", ""),
    "networks that need each other": ("classifiers: {taught_together: {" + JOINT + ", static_networks: [cnn, second]}, second: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: mlp}, static_networks: [third], train: digits_train, validation: digits_validation}, third: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: mlp}, static_networks: [taught_together], train: digits_train, validation: digits_validation}}", "change.classifiers.taught_together.static_networks: taught_together needs second needs third needs taught_together, but", "classifiers.third.static_networks: third needs taught_together needs second needs third"),
    "a translator that attacks static networks": ("translators: {mine: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: unet}, train: digits_train, validation: digits_validation}}", "change.translators.mine.use: training/ensemble_adversarial.py trains classifiers, not translators", ""),
    "an entry that nothing uses": ("attacks: {mine: {use: fgsm}}", "change.attacks.mine: no evaluation that is asked uses it; name it in one, or remove it", ""),
    "a name that is taken": ("attacks: {cnn: {use: fgsm}}", "change.attacks.cnn: the name is taken by classifiers.cnn; names are unique", ""),
    "a bad name": ("attacks: {Mine-1: {use: fgsm}}", "change.attacks.Mine-1", "a-z"),
    "shards of an earlier version": ("examples: {digits_test: {shards: 20}}", "change.examples.digits_test.shards: not a setting of data/digits.py.", "Settings are "),
    "a network with its own gradient": ("classifiers: {cnn: {backward: cnn}}", "change.classifiers.cnn.backward: cnn must be a network that draws no random numbers", ""),
    "margins of a random network": ("classifiers: {cnn: {draws: 20}}", "change.classifiers.cnn.draws: ", "asks for margins, but a network that draws random numbers has no fixed"),
    "a detector inside a random network": ("classifiers: {cnn: {draws: 20}}", "change.classifiers.cnn.draws: ", "which reads more than logits, so no attack could follow it"),
    "a defence around a random network": ("classifiers: {cnn: {draws: 20}}", "change.classifiers.cnn.draws: the defence translated is built on this network", ""),
    "an unknown confounding label": ("detectors: {gradient_network: {label: sofmax_all}}", "change.detectors.gradient_network.label", "Did you mean softmax_all?"),
    "unknown networks in the settings of an evaluation": ("evaluations: {unclipped_confidence: {own_probabilities: [rfb]}}", "change.evaluations.unclipped_confidence.own_probabilities: no entry called rfb in classifiers or defences", "Did you mean rbf?"),
    "an unknown entry to compare with": ("evaluations: {agreement_beyond_chance: {against: [cnnn]}}", "change.evaluations.agreement_beyond_chance.against: no entry called cnnn in classifiers or", "Did you mean cnn?"),
    "an unknown in-distribution set": ("evaluations: {detection: {id_examples: digits_tets}}", "change.evaluations.detection.id_examples: no entry called digits_tets in examples", "Did you mean digits_test?"),
    "an unknown label of an evaluation": ("evaluations: {expressivity: {label: sofmax_all}}", "change.evaluations.expressivity.label: no entry called sofmax_all in confounding", "Did you mean softmax_all?"),
    "an unknown network of a figure": ("figures: {trained_on_tested_on: {classifier: cnnn}}", "change.figures.trained_on_tested_on.classifier: no entry called cnnn in classifiers or defences", "Did you mean cnn?"),
    "a set that the evaluation of a figure does not have": ("figures: {trained_on_tested_on: {examples: few_test}}", "change.figures.trained_on_tested_on.examples: few_test is not named in evaluations.translation; name it there, or set examples to what is", ""),
    "a network that no evaluation of a figure has": ("figures: {defences_against_knowledge: {entries: [cnn, softmax]}}", "change.figures.defences_against_knowledge.entries: softmax is not named in evaluations.always_translated or routed_and_known or robustness", ""),
    "an empty list": ("evaluations: {margins: {eps: []}}", "change.evaluations.margins.eps: expected list of float", ""),
    "a published claim": ("claims: {P3-8: {plain: cnn}}", "change.claims.P3-8: a published figure", "the criteria about it: F2, F3"),
    "an unknown role": ("claims: {M1: {robbust: cnn_pgd}}", "change.claims.M1.robbust: not a role. Its roles are robust, measured", "Did you mean robust?"),
    "an unknown entry in a role": ("claims: {M1: {robust: cnn_pdg}}", "change.claims.M1.robust: no entry called cnn_pdg in classifiers", "Did you mean cnn_pgd?"),
    "an entry of another section in a role": ("claims: {M1: {robust: pgd}}", "change.claims.M1.robust: no entry called pgd in classifiers", ""),
    "several entries where one plays": ("claims: {T1: {net: [cnn]}}", "change.claims.T1.net: expected an entry of classifiers, got ['cnn']", ""),
    "roles side by side that differ in number": ("claims: {G11: {attacks: [pgd]}}", "change.claims.G11.attacks: is compared with detectors entry by entry", ""),
    "an unknown shared role": ("claims: {shared: {examplez: digits_test}}", "change.claims.shared.examplez: no claim has such a role", "Did you mean examples?"),
    "a claim with neither roles nor a reason": ("claims: {M1: 3}", "change.claims.M1: expected its roles, or a text that says why it is not run", ""),
    "training on test data": ("classifiers: {cnn: {train: digits_test}}", "change.classifiers.cnn.train: digits_test is tested on by evaluations.", ""),
    "validating on training data": ("classifiers: {cnn: {validation: digits_train}}", "change.classifiers.cnn.validation: digits_train is also the training set; use another set", ""),
    "fitting on test data": ("detectors: {pixel_mahalanobis: {fit: digits_test}}", "change.detectors.pixel_mahalanobis.fit: digits_test is tested on", ""),
    "an anomaly that is tested on": ("detectors: {gradient_network: {anomalous: [uniform]}}", "change.detectors.gradient_network.anomalous: uniform is tested on", ""),
    "outliers made as a test set is": ("classifiers: {cnn_oe_0: {outliers: [blobs, uniform_fit]}}", "change.classifiers.cnn_oe_0.outliers: uniform_fit is of the family of uniform", "made by data/uniform_noise"),
    "outliers from a test set's source": ("classifiers: {cnn_oe_0: {outliers: [textures_fit]}}", "change.classifiers.cnn_oe_0.outliers: textures_fit is of the family of textures", ""),
    "outliers changed from what is tested on": ("examples: {hazy: {use: corruption, of: textures, kind: contrast, severity: 3}}\nclassifiers: {cnn_oe_0: {outliers: [hazy]}}", "change.classifiers.cnn_oe_0.outliers: hazy is of the family of textures", ""),
    "outliers changed as a test set is": ("examples: {hazy: {use: corruption, of: digits_train, kind: contrast, severity: 1}}\nclassifiers: {cnn_oe_0: {outliers: [hazy]}}", "change.classifiers.cnn_oe_0.outliers: hazy is of the family of corrupted_gaussian_noise", "made by data/corruption"),
    "fitting on calibration data": ("detectors: {pixel_mahalanobis: {fit: digits_calibration}}", "change.detectors.pixel_mahalanobis.fit: digits_calibration gives the thresholds (data.calibration)", ""),
    "a network's thresholds from test data": ("classifiers: {cnn_known_5: {calibration: digits_test}}", "change.classifiers.cnn_known_5.calibration: digits_test is tested on", ""),
    "fitting on a network's calibration data": ("detectors: {gradient_network_split_5: {fit: known_5_calibration}}", "change.detectors.gradient_network_split_5.fit: known_5_calibration gives the thresholds (classifiers.cnn_known_5.calibration)", ""),
    "a seed twice": ("classifiers: {cnn: {seeds: [0, 0, 1]}}", "change.classifiers.cnn.seeds: names a seed twice", ""),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_file_line_key_value_and_nearest_word(project, mistake):
    text, *words = MISTAKES[mistake]
    before = DIGITS.count("\n") + 1

    error = message(project, text)

    file = project / "workflow" / "studies" / "mine.yaml"
    lines = [f"{file}:{before + line}: {words[0]}" for line in (1, 2)]
    assert any(line in error for line in lines)
    for word in words:
        assert word in error


def test_an_evaluation_may_name_margins_that_only_a_figure_of_it_reads(project):
    figure = "figures: {drawn: {use: margin_scatter, evaluation: robustness, caption: Margins.}}"

    study = changed(project, "evaluations: {robustness: {margins: [nearest_classes]}}\n" + figure)

    assert study["evaluations"]["robustness"]["margins"] == ["nearest_classes"]


def test_an_evaluation_may_name_detectors_that_only_an_attack_of_it_evades(project):
    attacks = [*changed(project)["evaluations"]["robustness"]["attacks"], "adaptive"]

    study = changed(project, f"evaluations: {{robustness: {{attacks: {attacks}, detectors: [msp]}}}}")

    assert study["evaluations"]["robustness"]["detectors"] == ["msp"]


def test_what_an_evaluation_inherits_for_its_attacks_may_stay_without_them(project):
    changes = "{transfer: {attacks: []}, effort: {attacks: [pgd]}}"

    questions = changed(project, f"evaluations: {changes}")["evaluations"]

    assert questions["transfer"]["victims"] and not questions["transfer"]["attacks"]
    assert questions["effort"]["detectors"]


def test_a_defence_without_a_router_needs_no_threshold(project):
    names = [name for name, defence in changed(project)["defences"].items() if defence["router"]]
    routed = ", ".join(f"{name}: {{false_positive_rate: 0.01}}" for name in names)

    study = changed(
        project,
        f"defences: {{{routed}}}",
        scale={"false_positive_rates": [0.01], "attacked_false_positive_rate": 0.01},
    )

    assert study["defences"]["translated"]["router"] is None


def test_a_mistake_in_params_names_params(project):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["scale"]["epochz"] = 3
    (project / "params.yaml").write_text(yaml.safe_dump(params))

    with pytest.raises(
        ParamsError, match=r"params\.yaml:\d+: scale\.epochz: no such setting\..* Did you mean epochs\?"
    ):
        changed(project)


def test_a_wrong_value_in_params_names_params_unless_the_study_has_its_own(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("device: cpu", "device: gpu").replace("epochs: 20", "epochs: 0"))

    with pytest.raises(ParamsError, match=r"^[^\n]*params\.yaml:\d+: compute\.device: expected one of[^\n]*$"):
        changed(project)
    assert changed(project, compute={"device": "cpu"})["study"]["device"] == "cpu"


def test_all_mistakes_are_reported_at_once(project):
    error = message(project, "attacks: {pgd: {stepz: 1, eps: 7}}")

    assert "stepz" in error
    assert "got 7" in error


def test_an_unknown_study_names_the_nearest(project):
    for name in ("tiny", "digits"):
        write_study(project, name, name)

    with pytest.raises(ParamsError, match=r"no study called tny; there are digits, tiny\. Did you mean tiny\?"):
        load("tny", project)


def test_a_change_of_one_setting_keeps_the_rest(project):
    before, after = changed(project), changed(project, "attacks: {pgd: {eps: 8/255}}")

    assert after["attacks"]["pgd"] == before["attacks"]["pgd"] | {"eps": 8 / 255}
    assert after["attacks"]["fgsm"] == before["attacks"]["fgsm"]


def test_a_set_with_its_own_use_replaces_the_shared_one(project):
    after = changed(project, data={"ood_noise": {"uniform": {"use": "standard_normal", "count": 400}}})

    assert after["examples"]["uniform"]["use"] == "data/standard_normal"


def test_roles_are_filled_from_the_shared_ones(project):
    assert changed(project)["claims"]["T1"] == {
        "net": "cnn", "defence": "routed", "always": "translated", "attack": "pgd_10", "examples": "digits_attacked",
    }  # fmt: skip


def test_a_claim_of_what_the_grade_leaves_out_says_why_it_is_not_run(project):
    full = changed(project)["claims"]

    quick = changed(project, papers=dict.fromkeys(FULL, "quick"))["claims"]

    assert quick.keys() == full.keys()
    left = {name: cast for name, cast in quick.items() if isinstance(cast, str) and not isinstance(full[name], str)}
    assert len(left) > 5 and all("the grade quick" in why for why in left.values()), left


def test_a_default_written_out_resolves_to_the_same_settings(project):
    assert changed(project, "attacks: {fgsm: {clip: true}}").settings == changed(project).settings


def test_a_study_without_papers_takes_nothing_over(project):
    error = message(project, "attacks: {pgd: {steps: 3}}", papers=None)

    assert "change.attacks.pgd: no such entry; a new one needs its own use:" in error


def test_a_study_without_papers_names_its_file_in_every_mistake(project):
    error = message(project, "attacks: {pgd: {steps: 3}}", papers=None, compute={"threads": 0})

    assert all(line.startswith(str(project / "workflow" / "studies" / "mine.yaml")) for line in error.splitlines())


def test_a_grade_that_does_not_ask_an_evaluation_draws_no_figure_of_it(project):
    full, smoke = changed(project), changed(project, papers=dict.fromkeys(FULL, "smoke"))

    left = full["evaluations"].keys() - smoke["evaluations"].keys()
    assert left
    assert all(figure["evaluation"] in smoke["evaluations"] for figure in smoke["figures"].values())
    assert any(figure["evaluation"] in left for figure in full["figures"].values())


def test_a_study_with_few_roles_asks_only_what_they_allow(project):
    block = yaml.safe_load(DIGITS)
    data = {role: block["data"][role] for role in ("train", "validation", "calibration", "test")}
    write_study(project, "mine", "", title="Few", data=data, papers={"fgsm": "full", "translation": "full"})

    few = load("mine", project)

    assert "robustness" in few["evaluations"] and "darker_images" not in few["evaluations"]
    assert few["claims"]["T4"].startswith("the study gives no data role darker: ")
    assert "photographs" not in few["examples"] and "logistic" not in few["classifiers"]


OOD_SOURCES = [
    (study, source)
    for study, sources in (
        ("cifar10", ["svhn", "textures", "places365", "lsun_crop", "lsun_resize", "isun"]),
        ("cifar100", ["svhn", "textures", "places365", "lsun_crop", "lsun_resize", "isun"]),
        ("gtsrb", ["svhn", "textures", "places365", "lsun_crop", "lsun_resize", "isun"]),
    )
    for source in sources
]


def without(project, study, *sources):
    """A shipped study of its own that says that some of its sources cannot be had."""
    block = yaml.safe_load((ROOT / f"workflow/studies/{study}.yaml").read_text())
    block.setdefault("scale", {})["absent"] = list(sources)
    (project / f"workflow/studies/{study}.yaml").write_text(yaml.safe_dump(block, sort_keys=False))
    return load(study, project)


@pytest.mark.parametrize(("study", "source"), OOD_SOURCES)
def test_a_source_that_cannot_be_had_is_left_out_with_all_that_leans_on_it(project, study, source):
    whole = load(study, ROOT)
    made = {name for name, entry in whole["examples"].items() if entry["source"] == source}
    for _ in range(3):  # house_numbers, without their classes, a few of them
        made |= {name for name, entry in whole["examples"].items() if entry["of"] in made}

    left = without(project, study, source)

    assert made and source not in left["sources"] and not made & left["examples"].keys()
    assert left["evaluations"].keys() == whole["evaluations"].keys()
    for name, entry in left["evaluations"].items():
        assert entry["examples"] == [item for item in whole["evaluations"][name]["examples"] if item not in made]
    assert not any(source in path for path in Plan(left).tasks)
    assert left["study"]["absent"] == [source]


def test_a_claim_about_what_is_absent_is_not_run(project):
    left = without(project, "cifar10", "places365")

    assert left["claims"]["G14"].startswith("places (examples) is not in this study")


def test_an_evaluation_of_absent_sets_alone_goes_with_what_only_it_asks(project):
    left = without(project, "cifar10", "di0_file")

    assert "di0" not in left["classifiers"] and "pseudo_margins" not in left["evaluations"]
    assert left["evaluations"]["published_margins"]["classifiers"] == ["ad10"]


def test_what_everything_leans_on_cannot_be_absent(project):
    assert "data.calibration: no example set called digits_calibration" in message(
        project, scale={"absent": ["sklearn_digits"]}
    )


@pytest.mark.parametrize(("driver", "device"), [(True, "cuda"), (False, "cpu")])
def test_the_device_auto_is_what_is_here_and_stays_it_for_the_jobs(project, monkeypatch, driver, device):
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    place = project / "nvidiactl"
    monkeypatch.setattr(devices, "DRIVER", place)
    if driver:
        place.touch()

    assert changed(project, compute={"device": "auto"})["study"]["device"] == device
    place.unlink() if driver else place.touch()  # a job on another machine
    assert load("mine", project)["study"]["device"] == device
    assert changed(project, compute={"device": "cpu"})["study"]["device"] == "cpu"  # who says cpu gets it


def test_a_wrong_device_in_the_environment_is_reported(project, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "gpu")

    assert "compute.device: auto: TOUCHSTONE_DEVICE=gpu: expected cpu or cuda" in message(
        project, compute={"device": "auto"}
    )


def test_tf32_without_a_gpu_is_refused(project):
    error = message(project, compute={"precision": "tf32"})

    assert "compute.precision: tf32 is a number format of GPUs, and compute.device is cpu" in error
