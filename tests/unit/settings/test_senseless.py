"""Settings that can be read and make no sense are refused at the place that says them."""

import pytest

from projects import study_text
from touchstone.pipeline.planning import apart
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

PART = {"use": "digits", "source": "sklearn_digits"}
NO_SUBSET = dict.fromkeys(("of", "skip", "count"))
PAIR = {"use": "two_classes", "of": "digits_test", "negative": 3, "positive": 7}
FIVELESS = {"use": "held_out_classes", "of": "every_class", "classes": [5], "keep": False, "source": None, "part": None}
FLOWERS = {"use": "own_images", "source": "mine", "labelled": False, "height": 28, "width": 28, "colour": "gray"}
FILES = {"use": "own_files", "sha256": None}
TESTED = {"ood_far": ["textures", {"flowers": FLOWERS}]}
MNIST = {"use": "mnist", "source": "mnist", "part": "test"}
ASKED = {"question": "What is it?", "classifiers": ["cnn"], "examples": ["digits_test"]}
ONE_SIDE = {key: value for key, value in FLOWERS.items() if key != "width"}
DEEP = FLOWERS | {"inside": "a" * 300}
NEAR = {"evaluations": {"detection": {"detectors": ["$inherited", "near"]}}}
PAIRED = ASKED | {"use": "paired_detection", "detectors": ["msp", "odin"], "id_examples": "digits_test"}
PAIRED["examples"] = ["digits_test", "textures"]
PIX2PIX = {"use": "pix2pix", "model": {"use": "unet"}, "classifier": "cnn", "attack": {"use": "pgd"}}
ADDRESS = {"use": "download", "url": "https://example.org/flowers.zip", "sha256": "sha256:" + "0" * 64}
CLEAN = {"use": "clean", "model": {"use": "small_cnn"}}
WIDE = {"use": "wide_resnet", "depth": 27}
CLOTHES = {"use": "fashion_mnist", "source": "fashion_mnist", "part": "test", "limit": 359}
SENSELESS = {
    "images of another set twice": (
        {"data": {"pair_train": {"three_seven_train": PAIR}}},
        "data.pair.three_seven_test: three_seven_test has images of three_seven_train",
    ),
    "another split": (
        {"data": {"train": {"digits_train": PART | {"part": "train", "split_seed": 3}}}},
        "digits_test has images of digits_train: evaluations.clean_accuracy tests on the first",
    ),
    "half of a texture twice": (
        {"data": {"sets": {"textures": {"part": "upper"}}}},
        "textures has images of textures_fit: evaluations.detection tests on the first",
    ),
    "classes that were held out of training": (
        {"data": {"train": {"digits_train": FIVELESS}, "sets": {"every_class": PART | {"part": "train"}}}},
        "data.test: digits_test has class 5, which digits_train lacks",
    ),
    "another pair of classes": (
        {"data": {"pair": {"three_seven_test": PAIR | {"negative": 4}}}},
        "data.pair: three_seven_test is of the classes [4, 7], and three_seven_train of the classes [3, 7]",
    ),
    "a set twice": ({"data": {"ood_far": ["textures", "faces", "faces"]}}, "data.ood_far: names faces twice"),
    "an attack twice": (
        {"change": {"evaluations": {"robustness": {"attacks": ["pgd", "pgd"]}}}},
        "change.evaluations.robustness.attacks: names pgd twice",
    ),
    "a set twice, once by its role": (
        {"change": {"classifiers": {"cnn_aloe": {"outliers": ["$outliers", "blobs"]}}}},
        "change.classifiers.cnn_aloe.outliers: names blobs twice; name it once",
    ),
    "a translator as a classifier": (
        {"change": {"classifiers": {"cnn": {"model": {"use": "unet"}}}}},
        "cnn.model.use: models/unet.py returns images, and a classifier returns logits",
    ),
    "a classifier as a translator": (
        {"scale": {"translators": {"model": {"use": "maxout", "filters": None}}}},
        "model.use: models/maxout.py returns logits, and a translator returns images",
    ),
    "less than a level": (
        {"change": {"attacks": {"pgd": {"eps": 1e-30}}}},
        "change.attacks.pgd.eps: must be at least 1/255: this attack would change no image",
    ),
    "steps that lead nowhere": (
        {"change": {"attacks": {"pgd": {"step_size": 1e-4}}}},
        "pgd.step_size: 40 steps of 0.0001 lead 0.004 far, and eps 0.1 is farther; expected at least eps / steps, 0.0025",
    ),
    "restarts from one point": (
        {"change": {"attacks": {"pgd": {"random_start": False, "restarts": 5}}}},
        "change.attacks.pgd.restarts: without a random start, its 5 restarts are one and the same",
    ),
    "fewer seeds for a claim": (
        {"scale": {"seeds": 3, "claims": {"G1": 1}}},
        "scale.claims.G1: its networks have these seeds already; name more",
    ),
    "a name that means something else": (
        {"data": {"ood_far": {"all": {"use": "subset", "of": "faces", "count": 9}}}},
        "all: expected a name other than all, which means every entry",
    ),
    "another shift than the role says": (
        {"data": {"darker": {"digits_test_darker": {"shift": "sharper"}}}},
        "data.darker: digits_test_darker is sharper: this role is of images that are darker",
    ),
    "a paper that is switched off": (
        {"papers": {"fgsm": False}},
        "got False. To leave a paper out, delete its line",
    ),
    "sources in the first column": (
        {"sources": {"mine": {"use": "own_files", "location": "pictures", "sha256": None}}},
        "sources: no such setting. Settings are scale, compute, title, base, pdf, data, papers, change, plugins."
        " Write sources in data.",
    ),
    "an attack in another norm": (
        {"change": {"attacks": {"pgd_10": {"norm": "l2"}}}},
        "change.attacks.pgd_10.norm: pgd_10 would be another than its name and the papers' claims say; give yours another",
    ),
    "a training that is none": (
        {"change": {"classifiers": {"cnn_pgd": {"clean_weight": 1.0}}}},
        "change.classifiers.cnn_pgd.clean_weight: cnn_pgd would be another than its name",
    ),
    "an adversarial training of one's own on clean images": (
        {
            "change": {
                "classifiers": {"mine": CLEAN | {"use": "adversarial", "attack": {"use": "pgd"}, "clean_weight": 1.0}}
            }
        },
        "change.classifiers.mine.clean_weight: at 1 the images are never attacked",
    ),
    "the worst of an attack that moves nothing": (
        {"change": {"attacks": {"both": {"use": "worst_of", "attacks": [{"use": "pgd", "eps": 0}]}}}},
        "change.attacks.both.attacks.0.eps: must be above 0",
    ),
    "clothes in the place of digits": (
        {"data": {"sources": {"fashion_mnist": {"use": "fashion_mnist"}}, "test": {"digits_test": CLOTHES}}},
        "data.test: digits_test shows the classes of fashion_mnist, and digits_train those of digits",
    ),
    "threes and sevens, counted as digits from 0 to 9": (
        {"change": {"evaluations": {"robustness": {"examples": ["three_seven_test"]}}}},
        "robustness.examples: three_seven_test is of the classes [3, 7], and digits_train of all classes, on which",
    ),
    "a validation on other classes": (
        {"change": {"classifiers": {"cnn": {"train": "three_seven_train"}}}},
        "data.validation: digits_validation is of all classes, and three_seven_train of the classes [3, 7]",
    ),
    "an eps in levels": (
        {"change": {"evaluations": {"attack_checks": {"main_eps": 8.0}}}},
        "change.evaluations.attack_checks.main_eps: pixels lie between 0 and 1, got 8; write eight levels of 255 as 8/255",
    ),
    "a default that every network overrides": (
        {"scale": {"classifiers": {"model": {"width": 32}}}},
        "scale.classifiers.model: every network writes its own model, so this would change none",
    ),
    "a training of classifiers for a translator": (
        {"change": {"translators": {"unet": {"use": "clean"}}}},
        "change.translators.unet.use: unet uses",
    ),
    "a translator's training for a classifier": (
        {"change": {"classifiers": {"mine": CLEAN | {"use": "denoising"}}}},
        "change.classifiers.mine.use: training/denoising.py trains translators; write it there",
    ),
    "a deep part of an ensemble": (
        {"change": {"classifiers": {"mine": CLEAN | {"model": {"use": "ensemble", "member": WIDE}}}}},
        "mine.model.member.depth: expected 6 n + 4",
    ),
    "files of this machine at an address": (
        {"data": {"sources": {"mine": FILES | {"location": "https://example.org/a.zip"}}} | TESTED},
        "data.sources.mine.location: own_files.py copies files of this machine; download.py has a url",
    ),
    "a place that no file system has": (
        {"data": {"sources": {"mine": FILES | {"location": "a" * 300}}} | TESTED},
        "data.sources.mine.location: no file or folder can have this path",
    ),
    "known images that are none of its sets": (
        {"change": {"evaluations": {"detection": {"id_examples": "few_digits"}}}},
        "change.evaluations.detection.id_examples: few_digits is not one of its examples; name it there, too",
    ),
    "digits of another source as unknown images": (
        {"data": {"sources": {"mnist": {"use": "mnist"}}, "ood_far": ["textures", {"more": MNIST}]}},
        "data.ood_far: more has classes of digits_train, which networks learn, so they are not unknown",
    ),
    "noise that a detector learns as normal": (
        {"change": {"detectors": {"pixel_mahalanobis": {"fit": "uniform_fit"}}}},
        "change.detectors.pixel_mahalanobis.fit: uniform_fit is noise, and known images are asked for",
    ),
    "an evaluation of no detector": (
        {"change": {"evaluations": {"mine": ASKED | {"use": "detection", "id_examples": "digits_test"}}}},
        "change.evaluations.mine.detectors: evaluations/detection.py reads detectors, and this evaluation names none",
    ),
    "an evaluation of no network": (
        {"change": {"evaluations": {"mine": ASKED | {"use": "robustness", "classifiers": []}}}},
        "change.evaluations.mine.classifiers: evaluations/robustness.py reads classifiers, and this evaluation names none",
    ),
    "more neighbours than images": (
        {"change": {"detectors": {"near": {"use": "knn", "fit": "digits_detector_train", "k": 270}}} | NEAR},
        "change.detectors.near.k: looks for the 270 nearest of 270 images; expected fewer",
    ),
    "one side of an image": (
        {
            "data": {
                "sources": {"mine": FILES | {"location": "pictures"}},
                "ood_far": ["textures", {"flowers": ONE_SIDE}],
            }
        },
        "flowers.width: height and width go together",
    ),
    "a folder that no file system has": (
        {"data": {"sources": {"mine": FILES | {"location": "pictures"}}, "ood_far": ["textures", {"flowers": DEEP}]}},
        "flowers.inside: no file or folder can have this path",
    ),
    "more words than entries": (
        {"change": {"attacks": {"pgd_of_*": {"each": list(range(600)), "use": "pgd", "eps": 0.1}}}},
        "each: names 600 words; a section may have at most 500 entries",
    ),
    "a blank question": (
        {"change": {"evaluations": {"robustness": {"question": " "}}}},
        "change.evaluations.robustness.question: expected a sentence for the report, got none",
    ),
    "images without labels that are counted as right": (
        {"change": {"evaluations": {"robustness": {"examples": ["textures"]}}}},
        "robustness.examples: textures has no labels, and evaluations/robustness.py counts the images whose class is",
    ),
    "a shift out of the picture": (
        {"scale": {"classifiers": {"crop": 28}}},
        "crop: shifts images by up to 28 pixels, and those of digits_train have 28; shift by less",
    ),
    "batches of outliers without outliers": (
        {"change": {"classifiers": {"cnn": {"outlier_batch_size": 9}}}},
        "change.classifiers.cnn.outlier_batch_size: only outliers are read in such batches",
    ),
    "a wide network of no such depth": (
        {"change": {"classifiers": {"cnn": {"model": {"use": "wide_resnet", "depth": 27}}}}},
        "cnn.model.depth: expected 6 n + 4 with n at least 1, such as 16, 22 or 28, got 27",
    ),
    "a choice on fewer images of the test": (
        {"data": {"choosing": {"digits_choosing": PART | NO_SUBSET | {"part": "test", "limit": 20}}}},
        "chooses a score on the first and judges it on the second; choose on other images",
    ),
    "a statistic that there is not": (
        {"change": {"evaluations": {"mine": PAIRED | {"against": ["msp"], "statistics": ["auorc"]}}}},
        "fpr95_ood, detection_error, got auorc. Did you mean auroc?",
    ),
    "every detector subtracted": (
        {"change": {"evaluations": {"mine": PAIRED | {"against": ["odin"], "turned": ["msp"]}}}},
        "change.evaluations.mine.against: names all detectors of this evaluation, so that none is left to compare",
    ),
    "labels smoothed away": (
        {"change": {"classifiers": {"mine": CLEAN | {"use": "label_smoothing", "smoothing": 1.0}}}},
        "change.classifiers.mine.smoothing: must be less than 1: every class would be equally right",
    ),
    "a translator that judges": (
        {"change": {"translators": {"mine": PIX2PIX | {"discriminator": {"use": "unet"}}}}},
        "change.translators.mine.discriminator.use: models/unet.py judges no patches; write use: patch_discriminator",
    ),
    "data of no licence": (
        {"data": {"sources": {"mine": ADDRESS | {"licence": " ", "citation": "A. Author"}}} | TESTED},
        "data.sources.mine.licence: expected a line of text for the report, such as CC BY 4.0, got none",
    ),
    "a size that is measured twice": (
        {"change": {"evaluations": {"margins": {"eps": [0.1, 0.1]}}}},
        "change.evaluations.margins.eps: names 0.1 twice; name it once",
    ),
    "a figure of a size that is not measured": (
        {"change": {"figures": {"brittle_inputs_found": {"eps": [0.3]}}}},
        "change.figures.brittle_inputs_found.eps: evaluations.margins measures at eps 0.05, 0.1, 0.15, and not at 0.3",
    ),
    "no place": (
        {"data": {"sources": {"mine": FILES | {"location": ""}}} | TESTED},
        "data.sources.mine.location: expected a file or a folder",
    ),
}


@pytest.mark.parametrize("name", SENSELESS)
def test_what_makes_no_sense_is_refused_where_it_is_written(tmp_path, name):
    changes, message = SENSELESS[name]
    path = tmp_path / "mine.yaml"
    path.write_text(study_text("digits", **changes))

    with pytest.raises(ParamsError) as error:
        apart.check(load(str(path)))

    assert any(message in line and line.startswith(f"{path}:") for line in str(error.value).splitlines()), error.value


def test_a_mistake_that_meets_a_file_of_touchstone_is_to_be_mended_in_the_study(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(study_text("tiny", data={"choosing": "digits_test"}))

    with pytest.raises(ParamsError) as error:
        load(str(path))

    *first, last = str(error.value).splitlines()
    assert any("papers/aloe/experiment.yaml:" in line.partition(" ")[0] for line in first), first
    assert last.startswith(f"{path}: touchstone's own file reads what this study says otherwise")


def test_a_paper_of_which_nothing_is_chosen_is_remarked(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(study_text("digits", papers={"aloe": "chosen"}))

    assert (
        "papers.aloe: chosen asks what change.evaluations names, and that names none of its" in load(str(path)).remarks
    )


def test_a_source_that_nothing_reads_is_remarked(tmp_path):
    path = tmp_path / "mine.yaml"
    source = {"mine": {"use": "own_files", "location": "pictures", "sha256": None}}
    path.write_text(study_text("digits", data={"sources": source}))

    assert "data.sources.mine: no set and no network of this study reads it" in load(str(path)).remarks


def test_a_change_of_what_no_paper_of_the_study_asks_is_remarked(tmp_path):
    path = tmp_path / "mine.yaml"
    lines = study_text("digits").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.strip().startswith("translation: quick")))

    remark = "change.translators.unet_darker changes nothing: no question of this study is about it"
    assert remark in load(str(path)).remarks
