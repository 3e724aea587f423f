"""The plan: which jobs there are, what each reads, tasks that depend on their own slice of the settings alone."""

from collections import Counter
from pathlib import Path

import pytest

from projects import FEWER, study_text
from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import code
from touchstone.provenance.job_folders import job_of, name_of
from touchstone.settings import papers
from touchstone.settings.files import ParamsError
from touchstone.settings.study import Study, load

ROOT = Path(__file__).parents[2]
FOLDER = "results/digits"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The plan of digits with every question; the shipped study leaves some out."""
    study = tmp_path_factory.mktemp("whole") / "digits.yaml"
    study.write_text(study_text("digits", papers=dict.fromkeys(papers.shipped(), "full"), data=FEWER))
    return Plan(load(str(study), ROOT))


def tasks_of(plan, step):
    return [task for task in plan.tasks.values() if task.step == step]


def about(plan, step, *of):
    """The task of a step that is about these, such as a network and a detector."""
    tasks = plan.tasks
    (path,) = [path for path, made in plan.layout.made_by.items() if made == (step, of) and path in tasks]
    return tasks[path]


def names(files):
    return {name_of(file) for file in files}


# --- jobs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("tiny", {"fetch": 1, "prepare": 1, "train": 8, "attack": 3, "translate": 1, "measure": 3, "detect": 3, "defend": 1, "evaluate": 6, "report": 1}),
        ("digits", {"fetch": 4, "prepare": 1, "train": 66, "attack": 51, "translate": 3, "measure": 37, "detect": 21, "defend": 6, "evaluate": 6, "report": 1}),
    ],
)  # fmt: skip
def test_a_study_has_few_jobs_each_named_by_what_it_works_on(study, expected):
    assert Counter(rule for rule, _ in Plan(load(study, ROOT)).jobs) == expected


def test_every_task_is_in_the_job_that_its_path_names_behind_those_whose_results_it_reads(plan):
    for key, job in plan.jobs.items():
        done = set()
        for task in job.tasks:
            assert job_of(task.output) == key
            own = {file for file in task.input_files if job_of(file) == key}
            assert own <= done, f"{task.output} is made before what it reads"
            done.add(task.output)
    assert sum(len(job.tasks) for job in plan.jobs.values()) == len(plan.tasks)


def test_a_job_reads_the_jobs_that_make_its_inputs_and_the_report_reads_all(plan):
    for (rule, name), job in plan.jobs.items():
        read = {"/".join(job_of(file)) for task in job.tasks for file in task.input_files} - {f"{rule}/{name}"}
        assert set(job.inputs) == (read if rule != "report" else {str(one) for one in plan.jobs.values()} - {str(job)})


def test_two_networks_whose_detectors_are_fitted_on_each_others_outputs_are_refused(plan):
    study = plan.study.settings
    detectors = dict(study["detectors"])
    for name, other in (("msp", "cnn_pgd"), ("features_on_fgsm", "cnn")):
        detectors[name] = detectors["features_on_fgsm"] | {"classifier": other, "anomalous": ["fgsm"]}
    questions = {
        "detection": study["evaluations"]["detection"]
        | {"classifiers": ["cnn", "cnn_pgd"], "detectors": ["msp", "features_on_fgsm"]}
    }
    settings = study | {"detectors": detectors, "evaluations": questions, "figures": {}}

    with pytest.raises(
        ParamsError, match=r"these jobs wait for each other: .*detect/cnn.0.*waits for.*detect/cnn_pgd.0"
    ):
        Plan(Study("digits", settings)).jobs  # noqa: B018


# --- names and paths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("examples", "path"),
    [
        (Set("a"), "prepare/digits/examples/a"),
        (Set("a", "cnn.0", "pgd"), "attack/cnn.0/attacked/a/cnn.0/pgd"),
        (Set("a", "cnn.0+msp@0.05", "adaptive"), "detect/cnn.0/attacked/a/cnn.0+msp@0.05/adaptive"),
        (Set("a", "routed.1", "both_paths"), "defend/routed.1/attacked/a/routed.1/both_paths"),
        (Set("a", translator="unet.1"), "translate/1/translated/a/unet.1"),
        (Set("a", "cnn.0", "pgd", "unet.1"), "translate/1/translated/a/cnn.0/pgd/unet.1"),
        (Set("a", "routed.1", "pgd", "unet.1"), "defend/routed.1/translated/a/routed.1/pgd/unet.1"),
    ],
)
def test_an_example_set_lies_with_the_job_that_makes_it(plan, examples, path):
    assert plan.layout.set_file(examples) == f"{FOLDER}/{path}.safetensors"


def test_outputs_lie_with_the_detectors_of_their_network_or_else_with_its_margins_or_its_defence(plan):
    layout, clean = plan.layout, Set("digits_test")

    assert layout.outputs_of(Net("cnn", 0), clean) == f"{FOLDER}/detect/cnn.0/outputs/cnn.0/digits_test.safetensors"
    assert job_of(layout.outputs_of(Net("mlp", 0), clean)) == ("measure", "mlp.0")
    assert job_of(layout.outputs_of(Net("routed", 1), clean)) == ("defend", "routed.1")
    assert job_of(layout.outputs_of(Net("cnn", 0), Set("a", "routed.1", "pgd"))) == ("defend", "routed.1")
    assert job_of(layout.scores_of(Net("cnn", 0), "msp", Set("a", "routed.1", "pgd"))) == ("defend", "routed.1")
    assert (
        layout.margins_of(Net("cnn", 0), "fab", clean)
        == f"{FOLDER}/measure/cnn.0/margins/cnn.0/fab/digits_test.safetensors"
    )


def test_a_table_names_what_it_was_made_of_without_the_job_that_made_it(plan):
    (task,) = [task for task in tasks_of(plan, "evaluate") if task.settings["evaluation"] == "detection"]

    cells = [cell["file"] for cell in task.settings["cells"]]
    assert "scores/cnn.0/gradients_on_pgd_10/digits_attacked" in cells
    assert set(cells) == names(task.input_files)
    assert task.output == f"{FOLDER}/evaluate/gradient_detection/metrics/detection.csv"


def test_a_network_is_named_by_entry_and_seed():
    assert Net.parse("cnn_pgd.2") == Net("cnn_pgd", 2)
    assert Net.parse("cnn.0+energy@0.05") == Net("cnn", 0)


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_a_network_is_run_for_the_gradient_norms_that_something_reads_and_no_others(plan):
    made = {task.output: set(task.settings["confounding"]) for task in tasks_of(plan, "infer")}
    read = {path: set() for path in made}
    for task in [*tasks_of(plan, "score"), *tasks_of(plan, "fit"), *tasks_of(plan, "evaluate")]:
        for path in read.keys() & set(task.input_files):
            read[path] |= {task.settings["component"].get("label")} - {None}
    for task in tasks_of(plan, "attack"):
        for path in read.keys() & set(task.input_files):
            read[path] |= set(task.settings["confounding"])

    by_name = {name_of(path): labels for path, labels in made.items()}
    assert by_name["outputs/cnn.0/digits_attacked"] == set(plan.study["confounding"])
    assert by_name["outputs/cnn_pgd.0/digits_attacked"] == {"softmax_all"}  # only expressivity reads them
    assert by_name["outputs/cnn_aloe_0.0/eight_test_0"] == set()
    assert made == read


def test_no_set_is_attacked_or_translated_that_no_question_asks_for(plan):
    questions, fitted = plan.study["evaluations"].values(), plan.study["detectors"].values()
    for task in tasks_of(plan, "attack"):
        _, examples, _, attack = name_of(task.output).split("/")
        asked = any(attack in q["attacks"] and examples in (q["attacked"] or q["examples"]) for q in questions)
        assert asked or any(attack in one["anomalous"] and examples == one["fit"] for one in fitted), task.output
    for task in tasks_of(plan, "translate"):
        _, examples, *_, translator = name_of(task.output).split("/")
        asked = [q for q in questions if translator.partition(".")[0] in q["translators"]]
        assert any(examples in q["examples"] for q in asked), task.output


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

    for name in ("networks/cnn.0", "outputs/cnn.0/digits_test", "examples/digits_test"):
        usual, asked = (
            next(task for path, task in made.tasks.items() if name_of(path) == name) for made in (plan, other)
        )
        assert asked.settings == usual.settings | where.get(usual.step, {})


def test_transfer_is_the_outputs_of_one_network_on_the_attack_of_another(plan):
    files = [cell.file for cell in plan.questions.cells("transfer", ("outputs",))]

    assert plan.layout.outputs_of(Net("maxout", 1), Set("digits_attacked", "maxout_fgsm.1", "fgsm_25")) in files


def test_checkpoints_can_be_asked_for_of_classifiers_and_of_translators(plan):
    cells = plan.questions.cells("translation", ("checkpoints",))

    asked = {(cell.facts.get("entry", ""), cell.facts["translator"]): name_of(cell.file) for cell in cells}
    assert asked[("cnn", "")] == "networks/cnn.0"
    assert asked[("", "gan_unet.2")] == "networks/gan_unet.2"


def test_seeds_are_paired_from_classifier_to_translator(plan):
    assert name_of(about(plan, "train", Net("gan_unet", 2)).inputs["classifier"]) == "networks/cnn.2"


def test_static_networks_are_inputs_of_the_training_and_their_architectures_are_of_its_settings(plan):
    taught = {
        "use": "training/ensemble_adversarial",
        "static_networks": ["cnn", "maxout"],
        "static_share": 0.5,
        "seeds": [0],
    }
    task = about(changed(plan, "classifiers", "cnn_pgd", **taught), "train", Net("cnn_pgd", 0))

    assert list(map(name_of, task.inputs["static_networks"])) == ["networks/cnn.0", "networks/maxout.0"]
    assert [block["use"] for block in task.settings["static_architectures"]] == ["models/small_cnn", "models/maxout"]
    assert "static_networks" not in task.settings["loop"]
    assert "models.maxout.maxout" in code.code_of(task.step, task.settings).definitions


def test_what_attacks_no_static_networks_has_none_in_its_job(plan):
    task = about(plan, "train", Net("cnn_pgd", 2))

    assert not {"static_networks", "static_architectures"} & (task.inputs.keys() | task.settings.keys())
    assert "static_networks" not in task.settings["loop"]


def test_thresholds_come_from_the_calibration_set_alone(plan):
    fits = [task for task in tasks_of(plan, "fit") if name_of(task.output).startswith("detectors/cnn.0/")]
    for task in fits:
        scored = [str(task.inputs[role]) for role in ("outputs", "examples") if role in task.inputs]

        assert scored
        assert all("_calibration" in file for file in scored)
        assert not any("digits_test" in file for file in task.input_files)
    assert len(fits) > 10


def changed(plan, section, entry, **settings):
    study = plan.study
    entries = study[section] | {entry: study[section][entry] | settings}
    return Plan(Study(study.name, study.settings | {section: entries}))


def differing(before, after):
    """The names of the artefacts whose own task differs, without the report."""
    return {
        name_of(path) for path, task in after.tasks.items() if before.tasks.get(path) != task and task.step != "report"
    }


def test_one_setting_of_one_attack_changes_that_attack_and_the_tables_that_name_it(plan):
    differ = differing(plan, changed(plan, "attacks", "pgd_02", steps=41))

    assert {name.split("/")[0] for name in differ} == {"attacked", "metrics"}
    assert all(name.endswith("/pgd_02") for name in differ if name.startswith("attacked/"))


def test_a_detector_setting_changes_its_own_tasks(plan):
    differ = differing(plan, changed(plan, "detectors", "features_on_fgsm", hidden=32))

    assert {name.split("/")[0] for name in differ} == {"detectors", "scores"}
    assert all("features_on_fgsm" in name for name in differ)


def test_the_robust_nets_attack_changes_its_training_alone(plan):
    attack = plan.study["classifiers"]["cnn_pgd"]["attack"] | {"steps": 9}

    differ = differing(plan, changed(plan, "classifiers", "cnn_pgd", attack=attack))

    assert differ == {f"networks/cnn_pgd.{seed}" for seed in range(5)}


def test_an_adaptive_attack_is_made_on_those_detectors_that_a_question_names(plan):
    made = names(task.output for task in tasks_of(plan, "attack"))
    on = {detector: {name.split("/")[-1] for name in made if f"+{detector}@" in name} for detector in ("msp", "odin", "energy")}  # fmt: skip

    assert {"deployed_05", "doubled_05", "square_05"} <= on["msp"] & on["odin"]
    assert not on["energy"]


def test_sets_and_detectors_of_one_split_of_the_classes_meet_only_networks_of_that_split(plan):
    made = names(task.output for task in tasks_of(plan, "score"))
    met = {name.split("/")[1] for name in made if "/layered_1/" in name}
    tested = {name.split("/")[1] for name in made if "/held_out_1" in name}

    assert met == {f"cnn_{kind}_1.1" for kind in ("original", "adv", "oe", "aoe", "aloe")}
    assert tested == {f"cnn_{kind}_1.1" for kind in ("original", "oe", "aloe")}


def test_a_detector_scores_the_points_that_were_made_against_another_where_a_question_crosses_them(plan):
    made = names(task.output for task in tasks_of(plan, "score"))

    assert "scores/cnn_aloe_1.1/odin/held_out_1/cnn_aloe_1.1+msp@0.05/deployed_05" in made


def test_adaptive_attacks_are_made_on_the_detectors_that_a_question_asks_them_of(plan):
    made = names(task.output for task in tasks_of(plan, "attack"))

    guards = {name.split("+")[1].split("@")[0] for name in made if name.endswith("/adaptive") and "/cnn.0+" in name}
    assert guards >= {*plan.study["evaluations"]["evasion"]["detectors"]}
    assert guards < {*plan.study["detectors"]}


# --- defences ---------------------------------------------------------------------------------------------------------


def test_a_defence_has_its_classifiers_seeds_and_is_run_from_classifier_translators_and_router(plan):
    assert plan.layout.models("routed") == [Net("routed", seed) for seed in range(5)]

    inputs = about(plan, "infer", Net("routed", 1), Set("digits_attacked")).inputs

    assert inputs == {
        "checkpoint": plan.layout.network(Net("cnn", 1)),
        "translators": [plan.layout.network(Net("gan_unet", 1))],
        "encoder": plan.layout.network(Net("encoder", 1)),
        "router": plan.layout.detector_of(Net("encoder", 1), plan.study["defences"]["routed"]["router"]),
        "examples": plan.layout.set_file(Set("digits_attacked")),
    }


def test_a_defence_without_a_router_needs_no_detector(plan):
    inputs = about(plan, "attack", Set("digits_attacked", "translated.2", "both_paths")).inputs

    assert "router" not in inputs
    assert inputs["translators"] == [plan.layout.network(Net("gan_unet", 2))]


def test_defences_are_attacked_whole_and_through_the_network_that_they_protect(plan):
    files = {cell.file for cell in plan.questions.cells("always_translated", ("outputs",)) if cell.facts["seed"] == 1}
    whole = Net("translated", 1)

    assert plan.layout.outputs_of(whole, Set("digits_attacked", "translated.1", "both_paths")) in files
    assert plan.layout.outputs_of(whole, Set("digits_attacked", "cnn.1", "pgd_10")) in files
    assert plan.layout.outputs_of(whole, Set("digits_attacked", "mlp.1", "pgd_10")) in files
    assert not [file for file in files if "translated.1/pgd_10" in file or "cnn.1/both_paths" in file]


def test_a_defences_router_is_given_to_its_evaluation_with_the_rate_that_it_is_run_at(plan):
    cells = [cell for cell in plan.questions.cells("routing", ("detectors",)) if cell.facts["entry"] == "routed"]

    assert [cell.facts["settings"] for cell in cells] == [
        {"protects": f"cnn.{seed}", "false_positive_rate": 0.05} for seed in range(5)
    ]


def test_evaluations_at_a_threshold_get_the_scores_of_the_images_that_gave_it(plan):
    """Those of the network that the detector reads, for a router too; no other evaluation asks for them."""
    read = (("evasion", "cnn", "gradients_on_pgd_10"), ("routers", "routed_by_pixels", "pixel_mahalanobis"))
    for evaluation, entry, detector in read:
        file = plan.layout.scores_of(Net("cnn", 0), detector, Set("digits_calibration"))
        cells = plan.questions.cells(evaluation, ("calibration_scores",))
        own = [cell for cell in cells if (cell.file, cell.facts["entry"]) == (file, entry)]
        assert [cell.facts["seed"] for cell in own] == [0], evaluation
    asking = {
        task.settings["evaluation"]
        for task in tasks_of(plan, "evaluate")
        if any(name.startswith("scores/") and name.endswith("/digits_calibration") for name in names(task.input_files))
    }
    assert asking == {
        "evasion", "routing", "routing_of_all_clean", "routers", "routed_and_known",
    }  # fmt: skip


def test_a_network_with_calibration_images_of_its_own_has_the_scores_of_these(plan):
    (cell, *_) = plan.questions.cells("evasion", ("calibration_scores",))

    file, calibration = plan.questions._calibration(Net("cnn_known_5", 5), "msp_split")

    assert cell.facts["examples"] == "digits_calibration"
    assert calibration == Set("known_5_calibration")
    assert file == plan.layout.scores_of(Net("cnn_known_5", 5), "msp_split", calibration)


def test_no_job_asks_for_what_a_defence_cannot_give(plan):
    defences = plan.study["defences"]
    steps = {task.step for (rule, _), job in plan.jobs.items() if rule == "defend" for task in job.tasks}
    attacked = {name for _, name in plan.jobs if name.split(".")[0] in defences}

    assert steps <= {"attack", "translate", "infer", "score"}
    assert attacked >= {f"{name}.{seed}" for name in ("translated", "routed") for seed in range(5)} | {
        "routed_by_gradients.0"
    }


def test_a_routers_confounding_label_is_not_hidden_by_those_that_are_read_of_a_network(plan):
    task = about(plan, "infer", Net("routed_by_gradients", 0), Set("digits_attacked"))

    assert set(task.settings["router_confounding"]) == {"softmax_all"}
    assert task.settings["confounding"] == {}


def test_all_classifiers_are_the_networks_without_the_defences(plan):
    assert "routed" not in plan.study["evaluations"]["robustness"]["classifiers"]


def test_a_router_may_read_an_encoder_instead_of_the_classifier(plan):
    after = changed(plan, "defences", "routed_by_pixels", encoder="mlp")

    inputs = about(after, "infer", Net("routed_by_pixels", 0), Set("digits_attacked")).inputs

    assert name_of(inputs["checkpoint"]) == "networks/cnn.0"
    assert name_of(inputs["encoder"]) == "networks/mlp.0"
    assert inputs["router"] == after.layout.detector_of(Net("mlp", 0), "pixel_mahalanobis")


# --- detectors --------------------------------------------------------------------------------------------------------


def test_a_detector_may_learn_on_another_network_of_the_same_seed_else_of_its_first(plan):
    def fit(split):
        return about(plan, "fit", Net("cnn_known_7", 7), f"gradient_network_split_{split}").inputs

    def outputs(entry, seed, examples):
        return plan.layout.outputs_of(Net(entry, seed), Set(examples))

    assert fit(7)["fit_outputs"] == outputs("cnn_seen_7", 7, "seen_7_fit")
    if f"{FOLDER}/detect/cnn_known_7.7/detectors/cnn_known_7.7/gradient_network_split_5.safetensors" in plan.tasks:
        assert fit(5)["fit_outputs"] == outputs("cnn_seen_5", 5, "seen_5_fit")  # cnn_seen_5 has seed 5 only
    assert fit(7)["outputs"] == outputs("cnn_known_7", 7, "known_7_calibration")


def test_a_network_without_its_own_calibration_set_takes_the_studys(plan):
    assert (
        name_of(about(plan, "fit", Net("cnn", 0), "pixel_mahalanobis").inputs["examples"])
        == "examples/digits_calibration"
    )


def test_an_evaluation_asks_just_its_seeds(plan):
    files = [cell.file for cell in plan.questions.cells("planted_problems", ("scores", "detectors"))]

    assert any("/cnn.0/" in file for file in files)
    assert not any("/cnn.1/" in file for file in files)


def test_the_cell_of_a_detector_says_what_it_was_trained_on(plan):
    trained = {
        cell.facts["detector"]: cell.facts["settings"] for cell in plan.questions.cells("cross_attack", ("detectors",))
    }

    assert trained["gradients_on_fgsm"] == {"anomalous": ["fgsm"]}


def test_no_attack_is_made_on_a_certificate_and_it_is_calibrated_by_its_own_small_set(plan):
    made = names(plan.tasks)
    fits = [task for task in tasks_of(plan, "fit") if "/cnn_aloe_0.0/msp_high_" in task.output]

    assert not any("+msp_high_05@" in name for name in made)
    scored = {
        name.split("/", 2)[2]
        for name in made
        if name.startswith(("scores/cnn_aloe_0.0/msp_high_", "scores/cnn_aloe_0.0/msp_low_"))
    }
    # Only clean sets are scored: ID images by the high end, others by the low one. Nothing reads the other ends.
    assert {name for name in scored if "calibration" not in name} == {
        "msp_high_05/few_known",
        "msp_low_05/few_anomalies",
    }
    read = {file for task in fits for file in task.input_files}
    assert any("few_calibration" in file for file in read)
    assert not any("digits_calibration" in file for file in read)
