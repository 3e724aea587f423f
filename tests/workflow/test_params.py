"""Mistakes in params.yaml and in overlays are reported before any job: file, key, value, what is allowed, the nearest word."""

from pathlib import Path

import pytest
import yaml

from touchstone.numerics import devices
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    """A copy of params.yaml that a test may damage, and a folder for an overlay."""
    (tmp_path / "workflow" / "studies").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    return tmp_path


def overlay(project, text):
    (project / "workflow" / "studies" / "mine.yaml").write_text(text)
    return load("mine", project)


def message(project, text):
    with pytest.raises(ParamsError) as caught:
        overlay(project, text)
    return str(caught.value)


@pytest.mark.parametrize(
    "study", ["digits", *sorted(path.stem for path in (ROOT / "workflow" / "studies").glob("*.yaml"))]
)
def test_every_shipped_study_is_right(study):
    assert load(study, ROOT).name == study


MISTAKES = {
    "an unknown setting": ("attacks: {pgd: {step_sise: 0.1}}", "attacks.pgd.step_sise: not a setting of attacks/pgd.py", "Did you mean step_size?"),
    "a word for a number": ("attacks: {pgd: {steps: fifty}}", "attacks.pgd.steps: expected int at least 1", 'got "fifty"'),
    "a fraction for a count": ("attacks: {pgd: {steps: 2.5}}", "expected int", "2.5"),
    "eps out of range": ("attacks: {pgd: {eps: 8}}", "attacks.pgd.eps: expected float from 0 to 1", "got 8"),
    "eps as code": ('attacks: {pgd: {eps: "exec(1)"}}', "expected float", 'got "exec(1)"'),
    "not a number": ("attacks: {pgd: {eps: .nan}}", "expected float", "nan"),
    "an unknown component": ("attacks: {mine: {use: pdg}}", "attacks.mine.use: no attacks/pdg.py", "Did you mean pgd?"),
    "an unknown word": ("attacks: {pgd: {loss: cross_entropi}}", "cross_entropy or margin", "Did you mean cross_entropy?"),
    "an unknown entry": ("attacks: {pdg: {steps: 3}}", "attacks.pdg: no such entry", "Did you mean pgd?"),
    "an entry without use": ("attacks: {mine: {steps: 3}}", "attacks.mine: no such entry; a new one needs its own use:", ""),
    "removing what is not there": ("attacks: {mine: null}", "null removes an entry, but there is no such entry", ""),
    "an empty entry": ("attacks: {mine: {}}", "attacks.mine", "use:"),
    "an unknown section": ("attack: {pgd: {}}", "attack: no such section", "Did you mean attacks?"),
    "a section that is no mapping": ("attacks: [1]", "attacks: expected entries", ""),
    "an unknown reference": ("classifiers: {cnn: {train: digits_trian}}", "classifiers.cnn.train: no entry called digits_trian", "Did you mean digits_train?"),
    "an unknown nested setting": ("classifiers: {cnn_pgd: {attack: {stepz: 2}}}", "classifiers.cnn_pgd.attack.stepz: not a setting", "Did you mean steps?"),
    "a nested block that is no block": ("classifiers: {cnn_pgd: {attack: pgd}}", "expected block with its own use: from attacks/", ""),
    "a rate without a threshold": ("defences: {routed: {false_positive_rate: 0.06}}", "defences.routed.false_positive_rate: 0.06 is not among study.false_positive_rates", "Did you mean 0.05?"),
    "seeds that its classifier lacks": ("defences: {routed: {seeds: [0, 7]}}", "defences.routed.seeds: cnn has only the seeds 0, 1, 2", ""),
    "seeds that its classifier lacks in another run": ("study: {first_seed: 3}\ndefences: {routed: {seeds: [0, 7]}}", "defences.routed.seeds: cnn has only the seeds 0, 1, 2", ""),
    "more than all": ("evaluations: {data_sheet: {examples: [$inherited, digits_test]}}", "evaluations.data_sheet.examples: all means every entry already; leave this setting out, or list the entries by name", ""),
    "a router that is none": ("defences: {routed: {router: energi}}", "defences.routed.router: no entry called energi in detectors", "Did you mean energy?"),
    "a defence without a translator": ("defences: {mine: {classifier: cnn, translator: null}}", "defences.mine.translator: must name an entry of translators", ""),
    "a defence with a component": ("defences: {routed: {use: pgd}}", "defences.routed.use: not a setting", "router"),
    "detectors of a defence": ("evaluations: {detection: {classifiers: [routed]}}", "evaluations.detection.detectors: routed is a defence", "need a single network"),
    "margins of a defence": ("evaluations: {margins: {classifiers: [routed]}}", "evaluations.margins.margins: routed is a defence", "need a single network"),
    "both paths of a network": ("evaluations: {robustness: {attacks: [both_paths]}}", "evaluations.robustness.attacks: both_paths attacks defences, and none is among the classifiers", "routed"),
    "an unknown victim": ("evaluations: {routing: {victims: [rooted]}}", "no entry called rooted in classifiers or defences", "Did you mean routed?"),
    "a translator of no network": ("translators: {unet: {classifier: null}}", "translators.unet.classifier: must name an entry of classifiers", ""),
    "a denoiser of a network": ("translators: {denoiser: {classifier: cnn}}", "translators.denoiser.classifier: training/denoising.py attacks no network", ""),
    "a fitted detector without data": ("detectors: {mahalanobis: {fit: null}}", "detectors.mahalanobis.fit: detectors/mahalanobis.py is fitted: must name an entry of examples", ""),
    "data for a detector that is not fitted": ("detectors: {msp: {fit: digits_train}}", "detectors.msp.fit: detectors/msp.py is not fitted on anything; leave it out", ""),
    "no anomalies for a detector that learns from them": ("detectors: {gradient_network: {anomalous: []}}", "detectors.gradient_network.anomalous: detectors/gradient_network.py learns from anomalies: must name entries of examples or attacks", ""),
    "anomalies for a detector that does not": ("detectors: {mahalanobis: {anomalous: [pgd]}}", "detectors.mahalanobis.anomalous: detectors/mahalanobis.py learns from no anomalies; leave it out", ""),
    "a network for a detector that is not fitted": ("detectors: {msp: {classifier: cnn}}", "detectors.msp.classifier: detectors/msp.py is not fitted on anything; leave it out", ""),
    "held-out images that nothing reads": ("evaluations: {robustness: {fit: digits_detector_train}}", "evaluations.robustness.fit: neither evaluations/robustness.py nor a figure of it reads held-out images; leave it out", ""),
    "margins that nothing reads": ("evaluations: {robustness: {margins: [nearest_classes]}}", "evaluations.robustness.margins: neither evaluations/robustness.py nor a figure of it reads margins; leave it out", ""),
    "certificates that nothing reads": ("evaluations: {robustness: {certificates: [msp_high_02]}}", "evaluations.robustness.certificates: neither evaluations/robustness.py nor a figure of it reads certificates; leave it out", ""),
    "rivals that nothing reads": ("evaluations: {robustness: {rivals: [cnn]}}", "evaluations.robustness.rivals: neither evaluations/robustness.py nor a figure of it reads rivals; leave it out", ""),
    "detectors that nothing reads": ("evaluations: {robustness: {detectors: [msp]}}", "evaluations.robustness.detectors: neither evaluations/robustness.py nor a figure of it reads detectors; leave it out", ""),
    "attacked sets without an attack": ("evaluations: {data_sheet: {attacked: [digits_test]}}", "evaluations.data_sheet.attacked: only attacks read it, and this evaluation has none; name attacks, or leave it out", ""),
    "victims without an attack": ("evaluations: {data_sheet: {victims: [cnn]}}", "evaluations.data_sheet.victims: only attacks read it, and this evaluation has none; name attacks, or leave it out", ""),
    "a rate without a router": ("defences: {translated: {false_positive_rate: 0.01}}", "defences.translated.false_positive_rate: only a router reads it, and this defence has none; add a router, or leave it out", ""),
    "certificates in the wrong order": ("evaluations: {certified_detection: {high: [msp_high_05, msp_high_02]}}", "evaluations.certified_detection.high: msp_high_05 must certify the high end at eps 0.02; it has end high, eps 0.05", ""),
    "a certificate of the wrong end": ("evaluations: {certified_at_training_eps: {low: [msp_high_05]}}", "evaluations.certified_at_training_eps.low: msp_high_05 must certify the low end at eps 0.05; it has end high, eps 0.05", ""),
    "no certificate": ("evaluations: {certified_at_training_eps: {high: [msp]}}", "evaluations.certified_at_training_eps.high: msp must certify the high end at eps 0.05; it certifies nothing", ""),
    "checks of nothing": ("evaluations: {score_checks: {checked: []}}", "evaluations.score_checks.checked: must name the attacks to check; the others are what they are compared with", ""),
    "checks in vain": ("evaluations: {attack_checks: {checked: [fgsm]}}", "evaluations.attack_checks.checked: only checks of attacks on detectors read it, and this evaluation has none; leave it out", ""),
    "a direct attack that is not made": ("evaluations: {robustness: {direct_attacks: [fgsm_02]}}", "evaluations.robustness.direct_attacks: fgsm_02 is not one of its attacks; name it there, too", ""),
    "no static networks": ("classifiers: {cnn_ensemble_pgd: {static_networks: []}}", "classifiers.cnn_ensemble_pgd.static_networks: must name entries of classifiers", ""),
    "an unknown static network": ("classifiers: {cnn_ensemble_pgd: {static_networks: [cnn, maxuot]}}", "classifiers.cnn_ensemble_pgd.static_networks: no entry called maxuot in classifiers", "Did you mean maxout?"),
    "a static network that is a defence": ("classifiers: {cnn_ensemble_pgd: {static_networks: [routed]}}", "classifiers.cnn_ensemble_pgd.static_networks: no entry called routed in classifiers", ""),
    "a static network that is no list": ("classifiers: {cnn_ensemble_pgd: {static_networks: cnn}}", "classifiers.cnn_ensemble_pgd.static_networks: expected a list of entries (or all), got \"cnn\"", ""),
    "static networks of an objective that attacks none": ("classifiers: {cnn_pgd: {static_networks: [cnn]}}", "classifiers.cnn_pgd.static_networks: training/adversarial.py attacks no other network; leave it out", ""),
    "a network that needs itself": ("classifiers: {cnn_ensemble_pgd: {static_networks: [cnn, cnn_ensemble_pgd]}}", "classifiers.cnn_ensemble_pgd.static_networks: cnn_ensemble_pgd needs cnn_ensemble_pgd, but a static network has to be trained first", ""),
    "networks that need each other": ("classifiers: {cnn_ensemble_pgd: {static_networks: [cnn, second]}, second: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: mlp}, static_networks: [third], train: digits_train, validation: digits_validation}, third: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: mlp}, static_networks: [cnn_ensemble_pgd], train: digits_train, validation: digits_validation}}", "classifiers.cnn_ensemble_pgd.static_networks: cnn_ensemble_pgd needs second needs third needs cnn_ensemble_pgd, but", "classifiers.third.static_networks: third needs cnn_ensemble_pgd needs second needs third"),
    "a translator that attacks static networks": ("translators: {denoiser: {use: ensemble_adversarial, attack: {use: fgsm}, model: {use: unet}, train: digits_train, validation: digits_validation}}", "translators.denoiser.use: training/ensemble_adversarial.py trains classifiers, not translators", ""),
    "an entry that nothing uses": ("attacks: {mine: {use: fgsm}}", "attacks.mine: no evaluation uses it", ""),
    "a name that is taken": ("attacks: {cnn: {use: fgsm}}", "cnn", "names are unique"),
    "a bad name": ("attacks: {Mine-1: {use: fgsm}}", "attacks.Mine-1", "a-z"),
    "shards of an earlier version": ("examples: {digits_test: {shards: 20}}", "examples.digits_test.shards: not a setting of data/digits.py.", "Settings are "),
    "a network with its own gradient": ("classifiers: {cnn: {backward: cnn}}", "classifiers.cnn.backward: cnn must be a network that draws no random numbers", ""),
    "margins of a random network": ("classifiers: {cnn: {draws: 20}}", "classifiers.cnn.draws: ", "asks for margins, but a network that draws random numbers has no fixed"),
    "a detector inside a random network": ("classifiers: {cnn: {draws: 20}}", "classifiers.cnn.draws: ", "which reads more than logits, so no attack could follow it"),
    "a defence around a random network": ("classifiers: {cnn: {draws: 20}}", "classifiers.cnn.draws: the defence translated is built on this network", ""),
    "Apple's GPU": ("study: {device: mps}", "study.device: mps: Apple's GPUs have no float64", ""),
    "an unknown study setting": ("study: {device: gpu}", "study.device: expected one of cpu, cuda, auto", ""),
    "a threshold without data": ("study: {calibration: nowhere}", "study.calibration: no example set called nowhere", ""),
    "an unknown confounding label": ("detectors: {gradient_network: {label: sofmax_all}}", "detectors.gradient_network.label", "Did you mean softmax_all?"),
    "unknown networks in the settings of an evaluation": ("evaluations: {single_step: {own_probabilities: [rfb]}}", "evaluations.single_step.own_probabilities: no entry called rfb in classifiers or defences", "Did you mean rbf?"),
    "an unknown entry to compare with": ("evaluations: {agreement_beyond_chance: {against: [cnnn]}}", "evaluations.agreement_beyond_chance.against: no entry called cnnn in classifiers or", "Did you mean cnn?"),
    "an unknown in-distribution set": ("evaluations: {detection: {id_examples: digits_tets}}", "evaluations.detection.id_examples: no entry called digits_tets in examples", "Did you mean digits_test?"),
    "an unknown label of an evaluation": ("evaluations: {expressivity: {label: sofmax_all}}", "evaluations.expressivity.label: no entry called sofmax_all in confounding", "Did you mean softmax_all?"),
    "an unknown network of a figure": ("figures: {trained_on_tested_on: {classifier: cnnn}}", "figures.trained_on_tested_on.classifier: no entry called cnnn in classifiers or defences", "Did you mean cnn?"),
    "a set that the evaluation of a figure does not have": ("figures: {trained_on_tested_on: {examples: few_test}}", "figures.trained_on_tested_on.examples: few_test is not named in evaluations.translation; name it there, or set examples to what is", ""),
    "a network that no evaluation of a figure has": ("figures: {defences_against_knowledge: {entries: [cnn, cnn_hundred]}}", "figures.defences_against_knowledge.entries: cnn_hundred is not named in evaluations.routing or always_translated or robustness", ""),
    "an empty list": ("evaluations: {margins: {eps: []}}", "evaluations.margins.eps: expected list of float", ""),
    "an unknown claim": ("claims: {S3-44: {softmax: softmax}}", "claims.S3-44: no such claim", "Did you mean S3-4?"),
    "a published claim": ("claims: {P3-8: {plain: cnn}}", "claims.P3-8: a published figure", "use what scales it down: S3-4"),
    "an unknown role": ("claims: {S2-1: {robbust: cnn_pgd}}", "claims.S2-1.robbust: not a role. Its roles are robust, measured", "Did you mean robust?"),
    "an unknown entry in a role": ("claims: {S2-1: {robust: cnn_pdg}}", "claims.S2-1.robust: no entry called cnn_pdg in classifiers", "Did you mean cnn_pgd?"),
    "an entry of another section in a role": ("claims: {S2-1: {robust: pgd}}", "no entry called pgd in classifiers", ""),
    "several entries where one plays": ("claims: {S4-1: {net: [cnn]}}", "claims.S4-1.net: expected an entry of classifiers, got ['cnn']", ""),
    "roles side by side that differ in number": ("claims: {S3-12: {pgd: [pgd, pgd_02]}}", "claims.S3-12.fgsm: is compared with pgd entry by entry", ""),
    "an unknown shared role": ("claims: {shared: {examplez: digits_test}}", "claims.shared.examplez: no claim has such a role", "Did you mean examples?"),
    "a claim with neither roles nor a reason": ("claims: {S2-1: 3}", "claims.S2-1: expected its roles, or a text that says why it is not run", ""),
    "a key twice": ("attacks: {pgd: {eps: 0.1, eps: 0.2}}", "eps is defined twice", ""),
    "training on test data": ("classifiers: {cnn: {train: digits_test}}", "classifiers.cnn.train: digits_test is tested on by evaluations.", ""),
    "validating on training data": ("classifiers: {cnn: {validation: digits_train}}", "classifiers.cnn.validation: digits_train is also the training set; use another set", ""),
    "fitting on test data": ("detectors: {mahalanobis: {fit: digits_test}}", "detectors.mahalanobis.fit: digits_test is tested on", ""),
    "an anomaly that is tested on": ("detectors: {gradient_network: {anomalous: [uniform]}}", "detectors.gradient_network.anomalous: uniform is tested on", ""),
    "outliers made as a test set is": ("classifiers: {cnn_oe: {outliers: [blobs, uniform_fit]}}", "classifiers.cnn_oe.outliers: uniform_fit is of the family of uniform", "made by data/uniform_noise"),
    "outliers from a test set's source": ("classifiers: {cnn_oe: {outliers: [textures_fit]}}", "classifiers.cnn_oe.outliers: textures_fit is of the family of textures", ""),
    "outliers changed from what is tested on": ("examples: {hazy: {use: corruption, of: textures, kind: contrast, severity: 3}}\nclassifiers: {cnn_oe: {outliers: [hazy]}}", "classifiers.cnn_oe.outliers: hazy is of the family of textures", ""),
    "outliers changed as a test set is": ("examples: {hazy: {use: corruption, of: digits_train, kind: contrast, severity: 1}}\nclassifiers: {cnn_oe: {outliers: [hazy]}}", "classifiers.cnn_oe.outliers: hazy is of the family of noisy", "made by data/corruption"),
    "fitting on calibration data": ("detectors: {mahalanobis: {fit: digits_calibration}}", "gives the thresholds", ""),
    "a network's thresholds from test data": ("classifiers: {cnn_known_0: {calibration: digits_test}}", "classifiers.cnn_known_0.calibration: digits_test is tested on", ""),
    "fitting on a network's calibration data": ("detectors: {gradient_network_split_0: {fit: known_0_calibration}}", "gives the thresholds (classifiers.cnn_known_0.calibration)", ""),
    "thresholds from test data": ("study: {calibration: digits_test}", "study.calibration: digits_test is tested on", ""),
    "a seed twice": ("classifiers: {cnn: {seeds: [0, 0, 1]}}", "classifiers.cnn.seeds: names a seed twice", ""),
    "broken yaml": ("attacks: {pgd", "mine.yaml:", "not readable as YAML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_file_key_value_and_nearest_word(project, mistake):
    text, *words = MISTAKES[mistake]

    error = message(project, text)

    assert "workflow/studies/mine.yaml" in error
    for word in words:
        assert word in error


def test_an_evaluation_may_name_margins_that_only_a_figure_of_it_reads(project):
    figure = "figures: {drawn: {use: margin_scatter, evaluation: robustness, caption: Margins.}}"

    study = overlay(project, "evaluations: {robustness: {margins: [nearest_classes]}}\n" + figure)

    assert study["evaluations"]["robustness"]["margins"] == ["nearest_classes"]


def test_an_evaluation_may_name_detectors_that_only_an_attack_of_it_evades(project):
    study = overlay(project, "evaluations: {robustness: {attacks: [$inherited, adaptive], detectors: [msp]}}")

    assert study["evaluations"]["robustness"]["detectors"] == ["msp"]


def test_what_an_evaluation_inherits_for_its_attacks_may_stay_without_them(project):
    changes = "{transfer: {attacks: []}, effort: {attacks: [pgd]}}"

    questions = overlay(project, f"evaluations: {changes}")["evaluations"]

    assert questions["transfer"]["victims"] and not questions["transfer"]["attacks"]
    assert questions["effort"]["detectors"]


def test_a_defence_without_a_router_needs_no_threshold(project):
    rates = "study: {false_positive_rates: [0.01], attacked_false_positive_rate: 0.01}"
    names = ("routed", "routed_by_features", "routed_by_energy", "routed_by_gradients")
    routed = ", ".join(f"{name}: {{false_positive_rate: 0.01}}" for name in names)

    assert overlay(project, f"{rates}\ndefences: {{{routed}}}")["defences"]["translated"]["router"] is None


def test_a_mistake_in_the_base_file_names_the_base_file(project):
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["attacks"]["pgd"]["restartz"] = 3
    (project / "params.yaml").write_text(yaml.safe_dump(params))

    with pytest.raises(ParamsError, match=r"params\.yaml:\d+: attacks\.pgd\.restartz: .* Did you mean restarts\?"):
        load("digits", project)


def test_thresholds_from_training_data_are_refused(project):
    error = message(project, "study: {calibration: digits_train}")

    assert "classifiers.cnn.train: digits_train gives the thresholds (study.calibration)" in error


def test_all_mistakes_are_reported_at_once(project):
    error = message(project, "attacks: {pgd: {stepz: 1, eps: 7}}")

    assert "stepz" in error
    assert "got 7" in error


def test_an_unknown_study_names_the_nearest(project):
    (project / "workflow" / "studies" / "tiny.yaml").write_text("{}")

    with pytest.raises(ParamsError, match=r"no study called tny; there are digits, tiny\. Did you mean tiny\?"):
        load("tny", project)


def test_an_overlay_changes_one_setting_and_keeps_the_rest(project):
    before, after = load("digits", project), overlay(project, "attacks: {pgd: {eps: 8/255}}")

    assert after["attacks"]["pgd"] == before["attacks"]["pgd"] | {"eps": 8 / 255}
    assert after["attacks"]["fgsm"] == before["attacks"]["fgsm"]


def test_an_overlay_with_its_own_use_replaces_the_entry(project):
    after = overlay(project, "attacks: {pgd: {use: fgsm, eps: 0.3}}")

    assert after["attacks"]["pgd"]["use"] == "attacks/fgsm"
    assert "steps" not in after["attacks"]["pgd"]


def test_roles_are_filled_from_the_shared_ones(project):
    assert load("digits", project)["claims"]["S4-1"] == {
        "net": "cnn", "translator": "unet", "defence": "routed", "attack": "pgd", "examples": "digits_attacked",
    }  # fmt: skip


def test_a_claim_whose_role_an_overlay_emptied_is_not_asked(project):
    without = "translators: {unet_darker: null}\nevaluations: {natural_shifts: {translators: [unet]}}"

    claims = overlay(project, without)["claims"]

    assert claims["S4-8"] == "unet_darker (translators) is not in this study"
    assert claims["S4-1"] == load("digits", project)["claims"]["S4-1"]


def test_a_default_written_out_resolves_to_the_same_settings(project):
    assert overlay(project, "attacks: {fgsm: {clip: true}}").settings == load("digits", project).settings


def test_a_study_of_its_own_takes_nothing_over(project):
    error = message(project, "base: none\nattacks: {pgd: {steps: 3}}")

    assert "attacks.pgd: no such entry; a new one needs its own use:" in error


def test_a_study_of_its_own_names_its_file_in_every_mistake(project):
    error = message(project, "base: none\nstudy: {device: cpu}")

    assert "workflow/studies/mine.yaml:2: study.title: must be given" in error
    assert "params.yaml" not in error.replace("workflow/studies/mine.yaml", "")


def test_an_unknown_base_is_reported(project):
    error = message(project, "base: digit")

    assert "mine.yaml:1: base: expected params, none or a study; no study called digit; there are digits" in error
    assert "Did you mean digits?" in error


def test_a_removed_evaluation_takes_its_figures_and_a_removed_entry_leaves_lists(project):
    before, after = (
        load(root=project),
        overlay(project, "evaluations: {margin_survey: null}\nexamples: {few_faces: null}"),
    )

    assert "few_faces" in before["evaluations"]["attacked_detection"]["examples"]
    assert "few_faces" not in after["evaluations"]["attacked_detection"]["examples"]
    assert before["figures"].keys() - after["figures"].keys() == {"margins_found", "tau_and_robustness"}
    assert after["claims"]["S1-2"] == "few_faces (examples) is not in this study"


def test_a_list_that_the_overlay_writes_keeps_what_it_removed_for_the_checks(project):
    text = "attacks: {bim: null}\nevaluations: {effort: {attacks: [bim, fgsm]}}"

    assert "evaluations.effort.attacks: no entry called bim in attacks" in message(project, text)


def test_an_overlay_with_roles_of_its_own_asks_only_what_they_allow(project):
    after = overlay(project, "roles: {train: digits_train, validation: digits_validation, calibration: digits_calibration,"
                             " id_test: [digits_test], noise: uniform}\nquestions: [robustness, effort]")  # fmt: skip

    assert after["evaluations"].keys() == {"robustness", "effort"}
    assert after["claims"]["S1-1"].startswith("the study gives no role few_ood: ")
    assert "photographs" not in after["examples"] and "softmax" not in after["classifiers"]


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
    block["study"]["absent"] = list(sources)
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

    assert left["claims"]["S1-2"] == "few_places (examples) is not in this study"


def test_an_evaluation_of_absent_sets_alone_goes_with_what_only_it_asks(project):
    left = without(project, "cifar10", "di0_file")

    assert "di0" not in left["classifiers"] and "pseudo_margins" not in left["evaluations"]
    assert left["evaluations"]["published_margins"]["classifiers"] == ["ad10"]


def test_an_absent_source_that_does_not_exist_names_the_nearest(project):
    assert "study.absent: no source called sklearn_digit. Did you mean sklearn_digits?" in message(
        project, "study: {absent: [sklearn_digit]}"
    )


def test_what_everything_leans_on_cannot_be_absent(project):
    assert "study.calibration: no example set called digits_calibration" in message(
        project, "study: {absent: [sklearn_digits]}"
    )


@pytest.mark.parametrize(("driver", "device"), [(True, "cuda"), (False, "cpu")])
def test_the_device_auto_is_what_is_here_and_stays_it_for_the_jobs(project, monkeypatch, driver, device):
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    place = project / "nvidiactl"
    monkeypatch.setattr(devices, "DRIVER", place)
    if driver:
        place.touch()

    assert overlay(project, "study: {device: auto}")["study"]["device"] == device
    place.unlink() if driver else place.touch()  # a job on another machine
    assert load("mine", project)["study"]["device"] == device
    assert load(root=project)["study"]["device"] == "cpu"  # who says cpu gets it


def test_a_wrong_device_in_the_environment_is_reported(project, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "gpu")

    assert "study.device: auto: TOUCHSTONE_DEVICE=gpu: expected cpu or cuda" in message(
        project, "study: {device: auto}"
    )


def test_tf32_without_a_gpu_is_refused(project):
    error = message(project, "study: {precision: tf32}")

    assert "study.precision: tf32 is a number format of GPUs, and study.device is cpu" in error
