"""The graph: addresses, rules whose outputs are disjoint, tasks that depend on their own slice of the settings alone."""

from pathlib import Path

import pytest

import planned_outputs
from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.planning.plan import Plan, digests_of
from touchstone.pipeline.provenance import code
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.pipeline.settings.study import Study, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The plan of params.yaml with every question; the shipped overlay of digits leaves some out."""
    overlay = tmp_path_factory.mktemp("whole") / "digits.yaml"
    overlay.write_text("study: {title: Every question}\n")
    return Plan(load(str(overlay), ROOT))


def example_wildcards(plan, rule):
    values = {
        "source": "sklearn_digits", "examples": "digits_test", "trained": "cnn.0", "net": "cnn.0", "victim": "cnn.0",
        "seed": "0", "margin": "nearest_classes", "evaluation": "detection",
    }  # fmt: skip
    return {name: values[name] for name in rule.wildcards}


def test_a_job_makes_its_rules_outputs_in_order_and_of_a_bundle_only_members_that_something_reads(plan):
    assert planned_outputs.check(plan) > 500


def test_a_job_that_nothing_reads_makes_its_whole_bundle(plan):
    rule = plan.rules["infer_ood_test"]
    assert (rule, {"net": "rbf.0"}) not in plan.jobs()

    tasks = plan.tasks(rule, net="rbf.0")

    assert [task.output for task in tasks] == [output.format(net="rbf.0") for output in plan.outputs(rule)]


def test_a_network_is_run_for_the_gradient_norms_that_something_reads_and_no_others(plan):
    made = {task.output: set(task.settings["confounding"]) for task in tasks_of(plan, "infer")}
    read = {address: set() for address in made}
    for task in [*tasks_of(plan, "score"), *tasks_of(plan, "fit"), *tasks_of(plan, "evaluate")]:
        for address in read.keys() & set(task.input_files):
            read[address] |= {task.settings["component"].get("label")} - {None}
    for task in tasks_of(plan, "attack"):
        for address in read.keys() & set(task.input_files):
            read[address] |= set(task.settings["confounding"])

    assert made["data/digits/outputs/cnn.0/id_test.zip#digits_attacked"] == set(plan.study["confounding"])
    assert made["data/digits/outputs/mlp.0/id_test.zip#digits_attacked"] == {
        "softmax_all"
    }  # only expressivity reads them
    assert made == read


def test_no_set_is_attacked_or_translated_that_no_question_asks_for(plan):
    questions, fitted = plan.study["evaluations"].values(), plan.study["detectors"].values()
    for task in tasks_of(plan, "attack"):
        examples, _, attack = task.output.removesuffix(".safetensors").split("/")[3:]
        asked = any(attack in q["attacks"] and examples in (q["attacked"] or q["examples"]) for q in questions)
        assert asked or any(attack in one["anomalous"] and examples == one["fit"] for one in fitted), task.output
    for task in tasks_of(plan, "translate"):
        examples, *_, translator = task.output.removesuffix(".safetensors").split("/")[3:]
        asked = [q for q in questions if translator.partition(".")[0] in q["translators"]]
        assert any(examples in q["examples"] for q in asked), task.output


def tasks_of(plan, step):
    return [t for rule, wildcards in plan.jobs() if rule.step == step for t in plan.tasks(rule, **wildcards)]


def test_no_two_rules_make_the_same_file(plan):
    outputs = [output for rule in plan.rules.values() for output in plan.files(rule)]

    assert len(outputs) == len(set(outputs))


def test_what_a_job_of_small_artefacts_makes_is_one_file_that_its_rule_is_found_by(plan):
    for rule, wildcards in plan.jobs():
        files = files_of(task.output for task in plan.tasks(rule, **wildcards))

        assert len(files) == 1 or rule.step in ("attack", "translate"), rule.name
        assert all(plan.maker(file) == (rule, wildcards) for file in files), rule.name


def test_a_member_is_named_by_the_batch_and_the_networks_behind_its_set():
    plan = Plan(load("tiny", ROOT))

    assert plan.layout.outputs_of("cnn.0", Set("digits_test")) == "data/tiny/outputs/cnn.0/tested.zip#digits_test"
    attacked = Set("digits_test", "cnn.0", "pgd")
    assert (
        plan.layout.outputs_of("cnn.0", attacked)
        == "data/tiny/outputs/cnn.0/tested_plain/cnn.0.zip#digits_test/cnn.0/pgd"
    )
    scores = plan.layout.scores_of("cnn.0", "msp", Set("digits_test", "cnn.0+msp@0.05", "adaptive"))
    assert scores.startswith("data/tiny/scores/cnn.0/all_detectors/tested_aware_all_detectors.zip#msp/digits_test/")


@pytest.mark.parametrize(
    ("examples", "path"),
    [
        (Set("a"), "data/digits/examples/a.safetensors"),
        (Set("a", "cnn.0", "pgd"), "data/digits/attacked/a/cnn.0/pgd.safetensors"),
        (Set("a", translator="unet.1"), "data/digits/translated/a/unet.1.safetensors"),
        (Set("a", "cnn.0", "pgd", "unet.1"), "data/digits/translated/a/cnn.0/pgd/unet.1.safetensors"),
    ],
)
def test_an_example_set_lies_where_its_address_says(plan, examples, path):
    assert plan.layout.set_file(examples) == path


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({}, {}),
        ({"precision": "bfloat16"}, {"train": {"precision": "bfloat16"}}),
        ({"precision": "tf32"}, {step: {"precision": "tf32"} for step in ("train", "infer")}),
        ({"memory_format": "channels_last"}, {step: {"memory_format": "channels_last"} for step in ("train", "infer")}),
    ],
    ids=str,
)
def test_how_numbers_are_held_is_part_of_the_jobs_that_it_changes(plan, changed, where):
    study = plan.study.settings | {"study": plan.study["study"] | changed}
    other = Plan(Study(plan.study.name, study))

    for step, rule in {"train": "train", "infer": "infer_id_test", "prepare": "prepare"}.items():
        tasks = [made.tasks(made.rules[rule], **example_wildcards(made, made.rules[rule])) for made in (plan, other)]
        usual, asked = tasks[0][0], tasks[1][0]
        assert asked.settings == usual.settings | where.get(step, {})


def test_transfer_is_the_outputs_of_one_network_on_the_attack_of_another(plan):
    files = [cell.file for cell in plan.questions.cells("transfer", ("outputs",))]

    assert plan.layout.outputs_of("mlp.1", Set("digits_attacked", "softmax.1", "fgsm_25")) in files


def test_checkpoints_can_be_asked_for_of_classifiers_and_of_translators(plan):
    cells = plan.questions.cells("translation", ("checkpoints",))

    asked = {(cell.facts.get("entry", ""), cell.facts["translator"]): cell.file for cell in cells}
    assert asked[("cnn", "")] == "data/digits/checkpoints/cnn.2.safetensors"
    assert asked[("", "unet.1")] == "data/digits/checkpoints/unet.1.safetensors"


def test_seeds_are_paired_from_classifier_to_translator(plan):
    (task,) = plan.tasks(plan.rules["train"], trained="unet.2")

    assert task.inputs["classifier"] == "data/digits/checkpoints/cnn.2.safetensors"


def test_static_networks_are_inputs_of_the_training_and_their_architectures_are_of_its_settings(plan):
    (task,) = plan.tasks(plan.rules["train"], trained="cnn_ensemble_pgd.2")

    assert task.inputs["static_networks"] == [
        f"data/digits/checkpoints/{net}.safetensors" for net in ("cnn.2", "maxout.2")
    ]
    assert [block["use"] for block in task.settings["static_architectures"]] == ["models/small_cnn", "models/maxout"]
    assert "static_networks" not in task.settings["loop"]
    assert "models.maxout.maxout" in code.code_of(task.step, task.settings).definitions


def test_what_attacks_no_static_networks_has_none_in_its_job(plan):
    (task,) = plan.tasks(plan.rules["train"], trained="cnn_pgd.2")

    assert not {"static_networks", "static_architectures"} & (task.inputs.keys() | task.settings.keys())
    assert "static_networks" not in task.settings["loop"]


def test_thresholds_come_from_the_calibration_set_alone(plan):
    for task in plan.tasks(plan.rules["fit_all_detectors"], net="cnn.0"):
        scored = [str(task.inputs[role]) for role in ("outputs", "examples") if role in task.inputs]

        assert scored
        assert all("digits_calibration" in file for file in scored)
        assert not any("digits_test" in file for file in task.input_files)


def changed(plan, section, entry, **settings):
    study = plan.study
    entries = study[section] | {entry: study[section][entry] | settings}
    return Plan(Study(study.name, study.settings | {section: entries}))


def jobs_that_differ(before, after):
    return {
        rule.name
        for rule in before.rules.values()
        if digests_of(before.tasks(rule, **example_wildcards(before, rule)))
        != digests_of(after.tasks(rule, **example_wildcards(after, rule)))
    }


def test_one_setting_of_one_attack_touches_only_the_jobs_that_read_it(plan):
    after = changed(plan, "attacks", "pgd_02", steps=41)

    assert jobs_that_differ(plan, after) == {"attack_id_test_curve", "report"}


def test_a_detector_setting_touches_its_own_jobs(plan):
    after = changed(plan, "detectors", "feature_network", hidden=32)

    differ = jobs_that_differ(plan, after)

    assert {name for name in differ if not name.startswith("score_")} == {
        "fit_all_detectors",
        "attack_id_test_adaptive_all_detectors",
        "report",
    }


def test_an_adaptive_attack_is_made_on_those_detectors_of_a_group_that_a_question_names(plan):
    made = plan.outputs(plan.rules["attack_few_score_curve_post_hoc"])

    on = {name: {file.split("/")[-1] for file in made if f"+{name}@" in file} for name in ("msp", "energy")}
    assert on["energy"] == {"score_05.safetensors"}
    assert on["msp"] == {f"score_{eps}.safetensors" for eps in ("02", "05", "10", "20")}


def test_the_robust_nets_attack_does_not_touch_the_plain_net(plan):
    attack = plan.study["classifiers"]["cnn_pgd"]["attack"] | {"steps": 9}
    after = changed(plan, "classifiers", "cnn_pgd", attack=attack)

    assert jobs_that_differ(plan, after) == {"report"}
    rule = plan.rules["train"]
    assert plan.tasks(rule, trained="cnn_pgd.0") != after.tasks(rule, trained="cnn_pgd.0")


def test_a_network_is_named_by_entry_and_seed():
    assert Net.parse("cnn_pgd.2") == Net("cnn_pgd", 2)
    assert Net.parse("cnn.0+energy@0.05") == Net("cnn", 0)


def inputs_of(plan, rule, **wildcards):
    return {task.output: task.inputs for task in plan.tasks(plan.rules[rule], **wildcards)}


def test_a_defence_has_its_classifiers_seeds_and_is_run_from_classifier_translators_and_router(plan):
    assert plan.layout.models("routed") == [Net("routed", seed) for seed in (0, 1, 2)]

    (inputs,) = inputs_of(plan, "infer_id_test", net="routed.1").values()

    assert inputs == {
        "checkpoint": "data/digits/checkpoints/cnn.1.safetensors",
        "translators": ["data/digits/checkpoints/unet.1.safetensors"],
        "router": plan.layout.detector_of("cnn.1", plan.study["defences"]["routed"]["router"]),
        "examples": "data/digits/examples/digits_attacked.safetensors",
    }


def test_a_defence_without_a_router_needs_no_detector(plan):
    (inputs,) = inputs_of(plan, "attack_id_test_both_paths", victim="translated.2").values()

    assert "router" not in inputs
    assert inputs["translators"] == ["data/digits/checkpoints/unet.2.safetensors"]


def test_defences_are_attacked_whole_and_through_the_network_that_they_protect(plan):
    files = {cell.file for cell in plan.questions.cells("routing", ("outputs",)) if cell.facts["seed"] == 1}

    assert plan.layout.outputs_of("routed.1", Set("digits_attacked", "routed.1", "both_paths")) in files
    assert plan.layout.outputs_of("routed.1", Set("digits_attacked", "cnn.1", "pgd")) in files
    assert plan.layout.outputs_of("routed.1", Set("digits_attacked", "mlp.1", "pgd")) in files
    assert not [file for file in files if "routed.1/pgd" in file or "cnn.1/both_paths" in file]


def test_a_defences_router_is_given_to_its_evaluation_with_the_rate_that_it_is_run_at(plan):
    cells = [cell for cell in plan.questions.cells("routing", ("detectors",)) if cell.facts["entry"] == "routed"]

    assert [cell.facts["settings"] for cell in cells] == [
        {"protects": f"cnn.{seed}", "false_positive_rate": 0.05} for seed in (0, 1, 2)
    ]


def test_evaluations_at_a_threshold_get_the_scores_of_the_images_that_gave_it(plan):
    """Those of the network that the detector reads, for a router too; no other evaluation asks for them."""
    file = plan.layout.scores_of("cnn.1", "pixel_mahalanobis", Set("digits_calibration"))

    for evaluation, entry in (("evasion", "cnn"), ("routing", "routed")):
        cells = plan.questions.cells(evaluation, ("calibration_scores",))
        own = [cell for cell in cells if (cell.file, cell.facts["entry"]) == (file, entry)]
        assert [cell.facts["seed"] for cell in own] == [1], evaluation
    asking = {
        name
        for name in plan.study["evaluations"]
        for task in plan.tasks(plan.rules["evaluate"], evaluation=name)
        if any("/scores/" in path and path.endswith("/digits_calibration") for path in task.input_files)
    }
    assert asking == {
        "evasion",
        "evasion_curve",
        "evasion_kinds",
        "routing",
        "routing_of_all_clean",
        "routers",
        "routing_at_other_eps",
    }


def test_a_network_with_calibration_images_of_its_own_has_the_scores_of_these(plan):
    (cell, *_) = plan.questions.cells("evasion", ("calibration_scores",))

    file, calibration = plan.questions._calibration(Net("cnn_known_0", 0), "msp_split")

    assert cell.facts["examples"] == "digits_calibration"
    assert calibration == Set("known_0_calibration")
    assert file == plan.layout.scores_of("cnn_known_0.0", "msp_split", calibration)


def test_no_job_asks_for_what_a_defence_cannot_give(plan):
    asked = {(rule.step, wildcards.get("net", "")) for rule, wildcards in plan.jobs()}
    attacked = {wildcards["victim"] for rule, wildcards in plan.jobs() if rule.name == "attack_id_test_both_paths"}

    assert not {step for step, net in asked if net.split(".")[0] in plan.study["defences"]} - {"attack", "infer"}
    three = {f"{name}.{seed}" for name in ("translated", "translated_by_gan", "routed") for seed in (0, 1, 2)}
    assert attacked == three | {"denoised.0", "routed_by_gradients.0"}


def test_a_routers_confounding_label_is_not_hidden_by_those_that_are_read_of_a_network(plan):
    rule = plan.rules["infer_id_test"]
    (task,) = plan.tasks(rule, net="routed_by_gradients.0")

    assert set(task.settings["router_confounding"]) == {"softmax_all"}
    assert task.settings["confounding"] == {}


def test_all_classifiers_are_the_networks_without_the_defences(plan):
    assert "routed" not in plan.study["evaluations"]["robustness"]["classifiers"]


def test_a_dry_run_names_the_jobs_of_a_defence(bare):
    planned = bare.planned("data/tiny/metrics/routing.csv")

    assert planned["Attack routed.0: tested_both_paths"] == 1
    assert planned["Run routed.0: tested"] == 1
    assert planned["Train unet.0"] == 1
    assert planned["Fit on cnn.0: all_detectors"] == 1


def test_a_detector_may_learn_on_another_network_of_the_same_seed_else_of_its_first(plan):
    tasks = plan.tasks(plan.rules["fit_near_detectors"], net="cnn_known_2.2")
    of_detector = {task.output.partition("#")[2]: task.inputs for task in tasks}
    same, first = (of_detector[f"gradient_network_split_{split}"] for split in (2, 0))  # cnn_seen_0 has seed 0 only

    assert same["fit_outputs"] == plan.layout.outputs_of("cnn_seen_2.2", Set("seen_2_fit"))
    assert first["fit_outputs"] == plan.layout.outputs_of("cnn_seen_0.0", Set("seen_0_fit"))
    assert first["anomalous_outputs"] == [plan.layout.outputs_of("cnn_seen_0.0", Set("met_0"))]
    assert first["outputs"] == plan.layout.outputs_of("cnn_known_2.2", Set("known_2_calibration"))


def test_a_network_without_its_own_calibration_set_takes_the_studys(plan):
    task = plan.tasks(plan.rules["fit_all_detectors"], net="cnn.0")[0]

    assert task.inputs["examples"] == "data/digits/examples/digits_calibration.safetensors"


def test_an_evaluation_asks_just_its_seeds(plan):
    files = [cell.file for cell in plan.questions.cells("cross_attack", ("scores", "detectors"))]

    assert any("/cnn.0/" in file for file in files)
    assert not any("/cnn.1/" in file for file in files)


def test_adaptive_attacks_are_made_on_the_detectors_that_a_question_asks_them_of_and_on_no_others(plan):
    made = plan.outputs(plan.rules["attack_id_test_adaptive_all_detectors"])

    guards = {file.split("+")[1].split("@")[0] for file in made}
    assert guards == {*plan.study["evaluations"]["evasion"]["detectors"]} - {"msp", "mahalanobis"}  # of another group
    assert guards < {*plan.study["groups"]["detectors"]["all_detectors"]}


def test_the_cell_of_a_detector_says_what_it_was_trained_on(plan):
    trained = {
        cell.facts["detector"]: cell.facts["settings"] for cell in plan.questions.cells("cross_attack", ("detectors",))
    }

    assert trained["gradient_network_fgsm"] == {"anomalous": ["fgsm"]}


def test_a_router_may_read_an_encoder_instead_of_the_classifier(plan):
    after = changed(plan, "defences", "routed", encoder="mlp")

    (inputs,) = inputs_of(after, "infer_id_test", net="routed.1").values()

    assert inputs["checkpoint"] == "data/digits/checkpoints/cnn.1.safetensors"
    assert inputs["encoder"] == "data/digits/checkpoints/mlp.1.safetensors"
    assert inputs["router"] == plan.layout.detector_of("mlp.1", "pixel_mahalanobis")


def test_a_network_is_read_under_the_confounding_labels_that_are_asked_of_it_alone(plan):
    def labels(net):
        (task,) = plan.tasks(plan.rules["infer_id_test"], net=net)
        return set(task.settings["confounding"])

    assert labels("cnn.0") == set(plan.study["confounding"])
    assert labels("cnn_aloe.0") == set()


def test_no_attack_is_made_on_a_certificate_and_it_is_calibrated_by_its_own_small_set(plan):
    outputs = {task.output for rule, wildcards in plan.jobs() for task in plan.tasks(rule, **wildcards)}
    fits = {task.output: task for task in plan.tasks(plan.rules["fit_certificates"], net="cnn_aloe.0")}

    assert not any("+msp_high_02@" in output for output in outputs)
    scored = {output.partition("#")[2] for output in outputs if "/scores/cnn_aloe.0/certificates/few.zip#" in output}
    ood = ["few_photographs", "few_textures", "few_faces", "few_uniform", "few_gaussian"]
    # Only clean sets are scored: ID images by the high ends, others by the low ones. Nothing reads the other ends.
    ends = [f"msp_high_{eps}/few_digits" for eps in ("02", "05")]
    assert scored == {*ends, *(f"msp_low_{eps}/{name}" for eps in ("02", "05") for name in ood)}
    read = {file for task in fits.values() for file in task.input_files}
    assert any("few_calibration" in file for file in read)
    assert not any("digits_calibration" in file for file in read)
