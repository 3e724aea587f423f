"""The study that an assay writes, from facts given by hand: what it leaves out, what it costs, that it is YAML."""

import re
from dataclasses import replace

import pytest
import yaml

from touchstone.assay import study
from touchstone.assay.facts import Facts, ImageFacts, ModelFacts, OODFacts
from touchstone.assay.model_zoo import Published
from touchstone.settings.study import load

MODEL = ModelFacts(
    file="/m/cnn.pt2", digest="sha256:m", input_shape=(1, 8, 8), classes=3,
    mean=(0.0,), std=(1.0,), no_features="", no_gradient_norms="", width=10, seconds=0.001,
)  # fmt: skip
IMAGES = ImageFacts("/m/pictures", "sha256:i", {"height": 8, "width": 8, "classes": ["a", "b", "c"]}, {"fit": 60, "calibration": 40, "test": 100})  # fmt: skip
FACTS = Facts("mine", "cnn.pt2 --data pictures", "touchstone assay cnn.pt2", MODEL, IMAGES, (), 0.1, "1/10", "quick", "cpu", ("a note",))  # fmt: skip


def written(**changes):
    model = replace(MODEL, **{name: changes.pop(name) for name in list(changes) if hasattr(MODEL, name)})
    made = study.write(replace(FACTS, model=model, **changes))
    content = yaml.safe_load(made.text)
    return made, content["change"] | content["data"]


def test_eps_is_written_as_it_was_typed_and_the_checks_around_it_as_numbers():
    _, sections = written()

    assert sections["attacks"]["pgd"]["eps"] == "1/10"
    assert [sections["attacks"][name]["eps"] for name in ("check_0", "check_half", "check_large")] == [0, 0.05, 0.5]


def test_a_model_without_features_has_no_detectors_of_features_and_its_question_says_so():
    made, sections = written(no_features="it has none")

    assert not {"knn", "mahalanobis", "vim"} & sections["detectors"].keys()
    assert {"gradient_network", "msp"} <= sections["detectors"].keys()
    assert "mahalanobis" not in sections["evaluations"]["evasion"]["detectors"]
    assert made.left_out[1] in sections["evaluations"]["detection"]["question"]


@pytest.mark.parametrize(("width", "fitted"), [(59, True), (60, False)])
def test_vim_needs_more_images_than_features(width, fitted):
    made, sections = written(width=width)

    assert ("vim" in sections["detectors"]) == fitted == (not any("vim" in sentence for sentence in made.left_out))


def test_the_worst_case_is_the_attack_suite_of_every_study():
    _, usual = written(effort="usual")
    made, quick = written()

    assert usual["attacks"]["worst"] == {"use": "attack_suite", "eps": "1/10"}
    assert quick["attacks"]["worst"] == {"use": "attack_suite", "eps": "1/10", "restarts": 3, "queries": 100}
    (weaker,) = (sentence for sentence in made.left_out if "weaker than the one raced" in sentence)
    assert weaker in quick["evaluations"]["robustness"]["question"] and f"# {weaker}" in made.text
    assert "weaker than the one raced" not in usual["evaluations"]["robustness"]["question"]


def test_a_set_without_classes_is_read_like_the_images_and_not_larger_than_the_test_part():
    _, sections = written(ood=(OODFacts("/m/few", "sha256:f", 50), OODFacts("/m/many", "sha256:n", 500)))

    few, many = sections["sets"]["ood_1"], sections["sets"]["ood_2"]
    assert few == {"use": "own_images", "source": "mine_ood_1", "labelled": False, "height": 8, "width": 8}
    assert many == few | {"source": "mine_ood_2", "limit": 100}
    assert sections["sources"]["mine_ood_2"] == {"use": "own_files", "location": "/m/many", "sha256": "sha256:n"}


def test_broken_pictures_are_left_out_of_each_set_that_has_any():
    torn, whole = OODFacts("/m/torn", "sha256:t", 50, broken=True), OODFacts("/m/whole", "sha256:w", 50)

    _, some = written(ood=(torn, whole))
    _, labelled = written(ood=(whole,), images=replace(IMAGES, settings=IMAGES.settings | {"broken": "leave_out"}))

    assert some["sets"]["ood_1"]["broken"] == labelled["sets"]["own_test"]["broken"] == "leave_out"
    assert not [
        sets
        for sets in (some["sets"]["ood_2"], some["sets"]["own_test"], labelled["sets"]["ood_1"])
        if "broken" in sets
    ]


def test_the_work_is_that_of_every_attack_on_every_image():
    quick, rows = study.methods.EFFORTS["quick"], 100
    guards = 4  # msp, pixel_mahalanobis, mahalanobis, gradient_network; each costs three passes with gradient norms

    made, _ = written()

    per_image = (252 + 3 * 19) + 100 / 30 + 20 + (4 * 20 + 10 + 100 / 3 + 30) + guards * 6 * 10 * 3 + 6 * 15
    assert (quick.steps, quick.queries, quick.adaptive_steps, quick.margin_steps) == (20, 100, 10, 15)
    assert made.passes == pytest.approx(rows * per_image + 60 * 20)


def test_a_published_figure_for_another_budget_is_measured_too_in_a_study_that_loads(tmp_path):
    published = Published("cifar10/L2/Some", "l2", "0.5", 90.0, 70.0, "AutoAttack")

    made, sections = written(published=published)

    assert sections["attacks"]["published_budget"]["norm"] == "l2"
    assert sections["evaluations"]["robustness"]["attacks"] == ["worst", "pgd", "published_budget"]
    assert "90 % on clean images, 70 % under attack, l2 eps 0.5" in sections["evaluations"]["robustness"]["question"]
    (tmp_path / "mine.yaml").write_text(re.sub(r"sha256:[mi]\b", f"sha256:{'0' * 64}", made.text))
    assert load("mine.yaml", tmp_path)["attacks"]["published_budget"]["eps"] == 0.5
    _, same = written(published=replace(published, norm="linf", eps="1/10"))
    assert "published_budget" not in same["attacks"]


def test_what_was_skipped_among_the_images_is_in_the_report():
    remarks = ("skipped in pictures: 3 files hidden",)

    _, sections = written(images=replace(IMAGES, remarks=remarks))

    assert sections["evaluations"]["data_sheet"]["question"].endswith(" Skipped in pictures: 3 files hidden.")


def test_so_many_images_are_attacked_at_a_time_as_the_user_asks_for():
    usual, _ = written(effort="usual")
    made, sections = written(effort="usual", rows=20, batch_size=8)

    assert yaml.safe_load(usual.text)["compute"]["batch_size"] == 100
    assert yaml.safe_load(made.text)["compute"]["batch_size"] == 8
    assert sections["sets"]["own_attacked"]["count"] == 20
    assert made.passes < usual.passes / 4  # of 100 images
