"""Every public function that takes models, images, labels or scores, given every wrong input and every right form of them."""

import warnings
from fractions import Fraction
from functools import cache, partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import touchstone
from touchstone.numerics.tensors import RandomStreams, seeded

torch.set_num_threads(1)
COUNT, SHAPE, EPS = 12, (1, 4, 4), 0.3
IMAGES = torch.rand(COUNT, *SHAPE, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(COUNT) % 3


class Network(nn.Module):
    """Two layers, and then whatever a test does to the logits."""

    def __init__(self, answer=lambda logits: logits, change=lambda images: images):
        super().__init__()
        with seeded(0, "init"):
            self.body, self.head = nn.Linear(16, 8), nn.Linear(8, 3)
        self.answer, self.change = answer, change

    def forward(self, images):
        return self.answer(self.head(self.body(self.change(images).flatten(1)).relu()))


class InPlace(Network):
    """It normalises its images where they are."""

    def forward(self, images):
        return super().forward(images.sub_(0.5).div_(0.5).add_(1).mul_(0.5))


MODEL = Network().eval()


def tensor(numbers):
    return torch.tensor(numbers, dtype=torch.float32, device="cpu")


def evaluate(model, images, labels, **given):
    result = touchstone.evaluate(model, images, labels, eps=EPS, steps=2, restarts=1, queries=4, **given)
    return tensor([result.clean_accuracy.value, result.robust_accuracy.value])


def brittle_inputs(model, images, labels):
    return tensor([one.input_margin for one in touchstone.brittle_inputs(model, images, eps=EPS)])


def brittle_threshold(model, images, labels):
    return tensor(touchstone.brittle_threshold(model, images, eps=0.9))


def scores(model, images, labels):
    return touchstone.detector_scores("msp", model, images)


def scores_inside(model, images, labels):
    return touchstone.detector_scores("gradient_sum", model, images)


def scores_of_fit(model, images, labels):
    return touchstone.detector_scores("mahalanobis", model, scored(images), fit_images=images, fit_labels=labels)


def scores_of_anomalous(model, images, labels):
    given = {"fit_images": scored(images), "anomalous_images": images}
    return touchstone.detector_scores("feature_network", model, scored(images), **given)


def scored(images):
    return IMAGES.double() if isinstance(images, torch.Tensor) and images.dtype == torch.float64 else IMAGES


def gradient_norms(model, images, labels):
    return touchstone.gradient_norms(model, images, lambda logits: logits.logsumexp(1))


def streams(images):
    return touchstone.RandomStreams(
        0, "attack", torch.arange(len(images) if isinstance(images, torch.Tensor) and images.dim() else COUNT)
    )


def attack(model, images, labels):
    return touchstone.component("attacks/pgd", eps=EPS, steps=3)(model, images, labels, streams(images))


def margin(model, images, labels):
    margins, _ = touchstone.component("margins/nearest_classes")(model, images, labels, streams(images))
    return margins


def reader_of_images(model, images, labels):
    return touchstone.component("detectors/odin")(model, images)


def scored_defence(model, images):
    return model(images), images.flatten(1)[:, 0]


def evaluate_defence(model, images, labels):
    given = {"eps": EPS, "steps": 2, "restarts": 1, "queries": 4}
    defence = partial(scored_defence, model)
    result = touchstone.evaluate_defence(defence, images, labels, calibration=IMAGES, **given)
    return tensor([rate.value for rate in result.left.values()])


def evaluate_pair(model, images, labels):
    result = touchstone.evaluate_pair(model, model, images, labels, eps=EPS, steps=2, restarts=1, queries=4)
    return tensor([result.clean_difference.value, *(rate.value for rate in result.robust)])


LABELLED = [evaluate, scores_of_fit, attack, margin]
DOORS = [
    *LABELLED, brittle_inputs, brittle_threshold, scores, scores_inside, scores_of_anomalous, gradient_norms, reader_of_images,
]  # fmt: skip
COMPARED = [evaluate_defence, evaluate_pair]  # they pass the door of evaluate, and do much more after it
CHECKED_ELSEWHERE = {"evaluate_scores"}
WITHOUT_TENSORS = {
    "BrittleInput",
    "DefenceResult",
    "EvaluationResult",
    "PairResult",
    "__version__",
    "components",
    "load_study",
}


def test_every_public_name_is_a_door_here_or_takes_no_tensors():
    opened = {"evaluate", "brittle_inputs", "brittle_threshold", "detector_scores", "gradient_norms"}
    opened |= {"component", "BoundComponent", "RandomStreams", "evaluate_defence", "evaluate_pair"}

    assert opened | CHECKED_ELSEWHERE | WITHOUT_TENSORS == set(touchstone.__all__)


def with_value(value):
    changed = IMAGES.clone()
    changed[3, 0, 1, 1] = value
    return changed


WRONG_IMAGES = {
    "array of bytes": ((IMAGES.numpy() * 255).astype("uint8"), ValueError, r"images are uint8, .*: \w+.astype\('float32'\) / 255"),
    "array of text": (np.array(["a"] * COUNT), TypeError, r"images: expected numbers, got an array of <U1"),
    "list": (IMAGES.tolist(), TypeError, r"images: expected a torch.Tensor, got list"),
    "loader": ([(IMAGES, LABELS)], TypeError, r"images: expected a torch.Tensor, got list"),
    "none": (None, (TypeError, ValueError), "images: expected a torch.Tensor, got NoneType|_images: required|give both"),
    "bytes": ((IMAGES * 255).byte(), ValueError, r"images are torch.uint8, expected floats in \[0, 1\]: .*float\(\) / 255"),
    "half": (IMAGES.half(), ValueError, r"images are torch.float16, expected floats"),
    "bool": (IMAGES > 0.5, ValueError, r"images are torch.bool, expected floats"),
    "255": (IMAGES * 255, ValueError, r"images are in \[0.*, 25\d.*\], expected \[0, 1\]: \w+ / 255"),
    "normalised": (IMAGES * 2 - 1, ValueError, r"images are in \[-.*\], expected \[0, 1\]: undo their normalisation"),
    "rounded": (IMAGES + 1.0000002 - IMAGES.max(), ValueError, r"expected \[0, 1\]: \w+.clamp\(0, 1\)"),
    "nan": (with_value(torch.nan), ValueError, r"images contain NaN or infinity in 1 of 12 rows"),
    "inf": (with_value(torch.inf), ValueError, r"images contain NaN or infinity in 1 of 12 rows"),
    "sparse": (IMAGES.to_sparse(), ValueError, r"images are torch.sparse_coo, expected a dense tensor: \w+.to_dense"),
    "no pixels": (IMAGES[..., :0], ValueError, r"images have shape \(12, 1, 4, 0\), so they have no pixels"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_IMAGES)
@pytest.mark.parametrize("door", [*DOORS, *COMPARED])
def test_wrong_images_are_refused(door, wrong):
    images, error, words = WRONG_IMAGES[wrong]

    with pytest.raises(error, match=words):
        door(MODEL, images, LABELS)


@pytest.mark.parametrize("door", [*DOORS, *COMPARED])
def test_arrays_of_any_precision_give_what_tensors_give(door):
    images, labels = IMAGES.numpy().astype("float64"), LABELS.numpy().astype("uint8")

    assert torch.equal(door(MODEL, images, labels), plain(door))


def loaded(**settings):
    return DataLoader(TensorDataset(IMAGES, LABELS), batch_size=5, **settings)


@pytest.mark.parametrize("door", [door for door in [*DOORS, *COMPARED] if door is not scores_of_fit])
@pytest.mark.parametrize(
    "loader",
    [loaded, lambda: TensorDataset(IMAGES, LABELS), lambda: ((some.numpy(), own.numpy()) for some, own in loaded())],
)
def test_loaders_data_sets_and_generators_give_what_tensors_give(door, loader):
    assert torch.equal(door(MODEL, loader(), None), plain(door))


def test_a_detector_is_fitted_on_a_loader():
    found, expected = (
        touchstone.detector_scores("mahalanobis", MODEL, IMAGES, **fitted)
        for fitted in ({"fit_images": loaded()}, {"fit_images": IMAGES, "fit_labels": LABELS})
    )

    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("loader", "labels", "words"),
    [
        (loaded, LABELS, "images is a loader, and labels come from it: omit labels"),
        (lambda: DataLoader(TensorDataset(IMAGES)), None, "images is a loader of images without labels"),
        (lambda: iter(()), None, "images yields no batches; a generator can be used only once"),
        (lambda: iter([{"pixels": IMAGES}]), None, "images yields dictionaries with 'pixels', expected batches"),
        (lambda: iter([("a.png", 0)]), None, "images yields str, int, expected batches"),
        (
            lambda: iter([(IMAGES, LABELS), (IMAGES[:, :, :2], LABELS)]),
            None,
            "images yields batches that do not fit together",
        ),
    ],
    ids=["labels twice", "no labels", "used up", "dictionaries", "names", "sizes"],
)
def test_a_loader_of_other_things_is_refused(loader, labels, words):
    with pytest.raises((TypeError, ValueError), match=words):
        touchstone.evaluate(MODEL, loader(), labels, eps=EPS)


@pytest.mark.parametrize(
    ("shape", "words"),
    [((12, 16), "reshape them"), ((12, 4, 4), r"images\[:, None\] has one channel"), ((), "reshape")],
)
@pytest.mark.parametrize("door", [door for door in DOORS if door is not gradient_norms])
def test_images_of_another_shape_are_refused(door, shape, words):
    images = IMAGES.reshape(shape) if shape else torch.tensor(0.5)

    with pytest.raises(ValueError, match=rf"images have shape .*, expected \(N, C, H, W\): .*{words}"):
        door(MODEL, images, LABELS)


@pytest.mark.parametrize("door", [door for door in DOORS if door not in (attack, margin, reader_of_images)])
def test_no_images_are_refused_where_something_is_measured(door):
    with pytest.raises(ValueError, match=r"no (fit_|anomalous_)?images, so nothing can be measured"):
        door(MODEL, IMAGES[:0], LABELS[:0])


@pytest.mark.parametrize("door", [attack, margin])
def test_an_attack_on_no_images_has_no_result(door):
    assert len(door(MODEL, IMAGES[:0], LABELS[:0])) == 0


WRONG_LABELS = {
    "array of floats": (LABELS.numpy() / 2, ValueError, r"labels are torch.float64 .*with fractions"),
    "list": (LABELS.tolist(), TypeError, r"labels: expected a torch.Tensor, got list"),
    "none": (None, (TypeError, ValueError), r"labels: expected a torch.Tensor, got NoneType|fit_labels: required"),
    "int32": (LABELS.int(), ValueError, r"labels are torch.int32, expected int64: (fit_)?labels.long\(\)"),
    "float": (LABELS.float(), ValueError, r"labels are torch.float32, expected int64: (fit_)?labels.long\(\)"),
    "bool": (LABELS > 0, ValueError, r"labels are torch.bool, expected int64: (fit_)?labels.long\(\)"),
    "soft": (LABELS / 3, ValueError, r"with fractions, expected int64 .*: pass the classes, not probabilities"),
    "one-hot": (torch.eye(3)[LABELS], ValueError, r"\(12, 3\), expected int64 \(12,\), .*argmax\(1\)"),
    "column": (LABELS[:, None], ValueError, r"\(12, 1\), expected int64 \(12,\), .*labels\[:, 0\]"),
    "row": (LABELS[None], ValueError, r"\(1, 12\), expected int64 \(12,\)"),
    "fewer": (LABELS[:5], ValueError, r"\(5,\), expected int64 \(12,\), one class for each of (fit_)?images"),
    "none left": (LABELS[:0], ValueError, r"\(0,\), expected int64 \(12,\)"),
    "number": (torch.tensor(1), ValueError, r"\(\), expected int64 \(12,\)"),
    "-1": (LABELS - 1, ValueError, r"in \[-1, 1\], the model has 3 classes, numbered from 0 to 2: leave out .* >= 0"),
    "1..K": (LABELS + 1, ValueError, r"in \[1, 3\], the model has 3 classes, numbered from 0 to 2: (fit_)?labels - 1"),
    "more": (LABELS + 5, ValueError, r"in \[5, 7\], the model has 3 classes, .*: does it belong to these classes\?"),
    "elsewhere": (LABELS.to("meta"), ValueError, r"labels are on meta, and (fit_)?images on cpu: .*labels.to\("),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_LABELS)
@pytest.mark.parametrize("door", [*LABELLED, *COMPARED])
def test_wrong_labels_are_refused(door, wrong):
    labels, error, words = WRONG_LABELS[wrong]

    with pytest.raises(error, match=words):
        door(MODEL, IMAGES, labels)


def raising(error):
    def answer(logits):
        raise error

    return answer


OUTPUTS = {
    "softmax": (lambda logits: logits.softmax(1), ValueError, r"probabilities \(each row sums to 1\): .* Remove the softmax"),
    "one output": (lambda logits: logits[:, :1], ValueError, r"shape \(1, 1\) for 1 image, .*torch.cat\(\[-z, z\], 1\)"),
    "sigmoid": (lambda logits: logits[:, 0].sigmoid(), ValueError, r"shape \(1,\) for 1 image, .* at least two classes"),
    "transposed": (lambda logits: logits.T, ValueError, r"shape \(3, 1\) for 1 image, .*as logits.T has"),
    "squeezed": (lambda logits: logits.squeeze(), ValueError, r"shape \(3,\) for 1 image, .*flatten\(1\) in place of squeeze"),
    "maps": (lambda logits: logits[:, :, None, None], ValueError, r"shape \(1, 3, 1, 1\) .*logits.mean\(\(2, 3\)\)"),
    "mean": (lambda logits: logits.mean(0, keepdim=True), ValueError, r"shape \(1, 3\) for (12|8) images"),
    "two rows": (lambda logits: logits.repeat(2, 1), ValueError, r"shape \(2, 3\) for 1 image, expected logits \(N, K\)"),
    "number": (lambda logits: logits.sum(), ValueError, r"shape \(\) for 1 image"),
    "tuple": (lambda logits: (logits, logits), TypeError, r"returns a tuple, expected logits .* model\(images\)\[0\]"),
    "dict": (lambda logits: {"out": logits}, TypeError, r"returns a dict, expected logits .* model\(images\)\['out'\]"),
    "array": (lambda logits: logits.detach().numpy(), TypeError, r"returns a ndarray, expected logits .* in torch"),
    "nothing": (lambda logits: None, TypeError, r"returns a NoneType, expected logits \(N, K\)"),
    "classes": (lambda logits: logits.long(), ValueError, r"returns torch.int64, expected logits in floats"),
    "nan": (lambda logits: logits * torch.nan, ValueError, r"returns NaN or infinity for (?P<n>\d+) of (?P=n) images; look at its weights"),
    "inf": (lambda logits: logits / 0, ValueError, r"returns NaN or infinity for (?P<n>\d+) of (?P=n) images"),
    "elsewhere": (lambda logits: logits.to("meta"), ValueError, r"returns logits on meta for images on cpu: move images"),
    "raises": (raising(RuntimeError("mat1\nmat2")), ValueError, r"does not take your images \(1 x 4 x 4, float32\): mat1"),
    "asserts": (raising(AssertionError()), ValueError, r"does not take your images \(1 x 4 x 4, float32\): AssertionError"),
    "missing": (raising(KeyError("layer")), ValueError, r"does not take your images .*: 'layer'"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", OUTPUTS)
@pytest.mark.parametrize("door", DOORS)
def test_a_model_with_another_output_is_refused(door, wrong):
    answer, error, words = OUTPUTS[wrong]

    with pytest.raises(error, match=f"the model (returns )?{words}"):
        door(Network(answer).eval(), IMAGES, LABELS)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("model.pt2", r"model: expected a network, .* got str: torch.export.load"),
        (Network, r"model: expected a network, .* got the class Network: Network\(...\) builds a network"),
        (MODEL.state_dict(), r"model: expected a network, .* got OrderedDict: load_state_dict"),
        (None, r"model: expected a network, .* got NoneType"),
        ([MODEL], r"model: expected a network, .* got list"),
    ],
    ids=["file", "class", "weights", "none", "list"],
)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_model_is_refused(door, model, words):
    with pytest.raises(TypeError, match=words):
        door(model, IMAGES, LABELS)


@pytest.mark.parametrize(
    ("model", "images", "words"),
    [
        (Network().double().eval(), IMAGES, r"has torch.float64: images.to\(torch.float64\)"),
        (Network().eval(), IMAGES.double(), r"has torch.float32: images.to\(torch.float32\)"),
        (nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(32, 3)).eval(), IMAGES.view(12, 4, 4, 1).repeat(1, 1, 1, 3),
         r"Images.permute\(0, 3, 1, 2\) puts the channels first"),
        (Network(change=lambda images: images.view(-1)).eval(), IMAGES.mT, r"Images.contiguous\(\) may help"),
    ],
    ids=["double model", "double images", "channels last", "view"],
)  # fmt: skip
@pytest.mark.parametrize("door", [evaluate, brittle_inputs, scores, gradient_norms, attack, margin])
def test_images_that_a_model_does_not_take_are_refused_with_a_remedy(door, model, images, words):
    with pytest.raises(ValueError, match=rf"the model does not take your images \(.*\): .*\. .*{words}"):
        door(model, images, LABELS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("images", [IMAGES, IMAGES.numpy(), IMAGES.double()], ids=["tensor", "array", "double"])
@pytest.mark.parametrize("door", [evaluate, brittle_inputs, scores, attack])
def test_images_for_a_network_of_half_precision_are_refused_with_what_works(door, images, dtype):
    model = Network().to(dtype).eval()
    wide = torch.float64 if getattr(images, "dtype", None) == torch.float64 else torch.float32

    with pytest.raises(ValueError, match=rf"the model does not take .*The model has {dtype}: model.to\({wide}\)$"):
        door(model, images, LABELS)
    door(model.to(wide), images, LABELS)


def test_a_model_on_another_device_is_refused():
    with pytest.raises(
        ValueError, match=r"the model is on meta|The model is on meta and the images on cpu: move images"
    ):
        touchstone.evaluate(Network().to("meta").eval(), IMAGES, LABELS)


@pytest.mark.parametrize("door", [evaluate, brittle_inputs, brittle_threshold, attack, margin])
def test_a_model_without_a_gradient_is_refused(door):
    with pytest.raises(ValueError, match="the logits have no gradient in the images, and attacks follow it"):
        door(Network(lambda logits: logits.detach()).eval(), IMAGES, LABELS)


@pytest.mark.parametrize("door", DOORS)
def test_a_model_in_train_mode_is_told_and_comes_back_in_it(door):
    model = Network().train()

    with pytest.warns(UserWarning, match="the model is in train mode; it is evaluated in eval mode") as caught:
        door(model, IMAGES, LABELS)

    assert model.training and {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("door", [evaluate, brittle_inputs, scores])
def test_outputs_of_a_sigmoid_are_told(door):
    with pytest.warns(UserWarning, match=r"all outputs are in \[0, 1\]: if the model ends with a sigmoid, remove it"):
        door(Network(torch.sigmoid).eval(), IMAGES, LABELS)


@pytest.mark.parametrize("number", [0, -3, 2.5, "8", None])
@pytest.mark.parametrize("name", ["batch_size", "draws"])
def test_numbers_of_images_and_draws_are_whole_and_positive(name, number):
    with pytest.raises((TypeError, ValueError), match=rf"{name}(: expected a whole number| must be at least 1), got"):
        touchstone.evaluate(MODEL, IMAGES, LABELS, **{name: number})


@pytest.mark.parametrize("eps", ["8/255", None, True, [0.1]])
@pytest.mark.parametrize("call", [partial(touchstone.evaluate, labels=LABELS), touchstone.brittle_inputs])
def test_an_eps_that_is_no_number_is_refused(call, eps):
    with pytest.raises(TypeError, match=r"eps: expected a number such as 8 / 255, got"):
        call(MODEL, IMAGES, eps=eps)


@pytest.mark.parametrize("make", [np.float32, np.array, torch.tensor, Fraction])
def test_an_eps_of_any_kind_of_number_gives_what_a_float_gives(make, tmp_path):
    def found(eps):
        settings = {"steps": 2, "restarts": 1, "queries": 4, "attacks": ["pgd"], "evidence": tmp_path / "evidence.npz"}
        result = touchstone.evaluate(MODEL, IMAGES, LABELS, eps=eps, **settings)
        caught = touchstone.brittle_threshold(MODEL, IMAGES, eps=3 * eps, caught=eps)
        defended = touchstone.evaluate_defence(MODEL, IMAGES, LABELS, eps=eps, steps=2, restarts=1, queries=4).eps
        return result.as_dict(), touchstone.brittle_inputs(MODEL, IMAGES, eps=eps), caught, defended

    assert found(make(0.25)) == found(0.25)
    with pytest.raises(ValueError, match=r"no input is brittle at eps 0[.]00390625, so"):
        touchstone.brittle_threshold(Network(lambda logits: 0 * logits + LABELS[:3]).eval(), IMAGES, eps=make(1 / 256))


@pytest.mark.parametrize("name", ["draws", "batch_size", "steps", "restarts", "queries", "seed"])
def test_a_whole_number_of_numpy_gives_what_a_plain_one_gives(name, tmp_path):
    settings = {"eps": 0.25, "steps": 2, "restarts": 1, "queries": 4, "evidence": tmp_path / "evidence.npz"}

    def found(number):
        return touchstone.evaluate(MODEL, IMAGES, LABELS, **settings | {name: number}).as_dict()

    assert found(np.int64(1)) == found(1)


GOOD = torch.arange(6.0)
WRONG_SCORES = {
    "text": (["a", "b"], TypeError, r"scores: expected numbers \(N,\), .* got list"),
    "ragged": ([[1.0], [2.0, 3.0]], TypeError, r"scores: expected numbers \(N,\)"),
    "none": (None, ValueError, r"scores have shape \(\), expected \(N,\)|scores: expected numbers"),
    "column": (GOOD[:, None], ValueError, r"scores have shape \(6, 1\), expected \(N,\), .*: \w+\[:, 0\]"),
    "matrix": (torch.rand(6, 3), ValueError, r"scores have shape \(6, 3\), expected \(N,\)"),
    "number": (3.0, ValueError, r"scores have shape \(\), expected \(N,\)"),
    "empty": (GOOD[:0], ValueError, r"no \w+_scores, so nothing can be measured"),
    "nan": (GOOD / GOOD, ValueError, r"scores contain NaN in 1 of 6 rows"),
}


@pytest.mark.parametrize("wrong", WRONG_SCORES)
@pytest.mark.parametrize("side", [0, 1])
def test_wrong_scores_are_refused(side, wrong):
    scores, error, words = WRONG_SCORES[wrong]

    with pytest.raises(error, match=("id_", "ood_")[side] + words if words.startswith("scores") else words):
        touchstone.evaluate_scores(*((scores, GOOD) if side == 0 else (GOOD, scores)))


@pytest.mark.parametrize(
    "form", [GOOD.numpy(), GOOD.tolist(), GOOD.bfloat16(), GOOD.clone().requires_grad_(), GOOD.int()]
)
def test_scores_may_be_of_any_numbers(form):
    kept = GOOD + 2
    expected = touchstone.evaluate_scores(GOOD, kept)["auroc"]

    assert touchstone.evaluate_scores(form, kept)["auroc"] == expected
    assert torch.equal(torch.as_tensor(form).detach().float(), GOOD)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((GOOD.tolist(),), r"logits: expected a torch.Tensor, got list"),
        ((GOOD.numpy(),), r"logits are torch.float32 \(6,\), expected floats \(N, D\)"),
        ((GOOD,), r"logits are torch.float32 \(6,\), expected floats \(N, D\)"),
        ((GOOD.view(2, 3) / 0,), r"logits contain NaN or infinity in 2 of 2 rows"),
        ((GOOD.view(2, 3).long(),), r"logits are torch.int64 \(2, 3\), expected floats"),
    ],
)
def test_a_detector_by_its_name_refuses_wrong_rows(data, words):
    with pytest.raises((TypeError, ValueError), match=words):
        touchstone.component("detectors/msp")(*data)


def test_the_fit_of_a_detector_refuses_wrong_rows_and_labels():
    fit = touchstone.component("detectors/mahalanobis").fit
    features = torch.rand(12, 4)

    for labels, words in ((LABELS[:5], r"fit_labels are torch.int64 \(5,\)"), (torch.eye(3)[LABELS], r"argmax\(1\)")):
        with pytest.raises(ValueError, match=words):
            fit(features, labels)
    with pytest.raises(ValueError, match="fit_features contain NaN"):
        fit(features * torch.nan, LABELS)


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        (torch.Generator(), r"generator: expected random streams, got torch.*Generator: touchstone.RandomStreams\("),
        (0, r"generator: expected random streams, got int"),
        (RandomStreams(0, "attack", torch.arange(5)), r"generator has 5 streams for 12 images: .*torch.arange\(12\)"),
    ],
)
def test_an_attack_by_its_name_refuses_wrong_streams(generator, words):
    with pytest.raises((TypeError, ValueError), match=words):
        touchstone.component("attacks/pgd")(MODEL, IMAGES, LABELS, generator)


@pytest.mark.parametrize("ids", [np.arange(12), np.arange(12, dtype="uint8"), list(range(12)), range(12)])
def test_random_streams_take_ids_of_any_form(ids):
    found, expected = (
        touchstone.component("attacks/pgd", steps=2)(MODEL, IMAGES, LABELS, touchstone.RandomStreams(0, "attack", each))
        for each in (ids, torch.arange(12))
    )

    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        (IMAGES, TypeError, "got torch.float32"),
        (np.array(["a"]), TypeError, "got numpy.ndarray"),
        (None, TypeError, "got NoneType"),
        (LABELS[:, None], ValueError, r"got shape \(12, 1\)"),
    ],
)
def test_random_streams_refuse_what_are_no_ids(ids, error, words):
    with pytest.raises(error, match=rf"example_ids: expected whole numbers \(N,\), .*{words}"):
        touchstone.RandomStreams(0, "attack", ids)


def test_a_detector_by_its_name_is_fitted_on_a_loader():
    detector = touchstone.component("detectors/layered_mahalanobis")
    others = torch.rand(8, *SHAPE, generator=torch.Generator().manual_seed(1))

    found, expected = (
        detector.fit(model=MODEL, anomalous_images=others, seed=0, **fitted)
        for fitted in ({"fit_images": loaded()}, {"fit_images": IMAGES, "fit_labels": LABELS})
    )

    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("cross_entropy", r"loss: expected a function of logits, got str"),
        (lambda logits: None, r"the loss returns a NoneType, expected a tensor \(N,\)"),
        (lambda logits: logits.sum(), r"the loss has shape \(\), expected one value per row"),
    ],
)
def test_gradient_norms_refuse_a_wrong_loss(loss, words):
    with pytest.raises((TypeError, ValueError), match=words):
        touchstone.gradient_norms(MODEL, IMAGES, loss)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"fit_images": IMAGES[..., :2]}, r"each of fit_images have shape \(1, 4, 2\), and each of images \(1, 4, 4\)"),
        ({"fit_images": IMAGES.double()}, r"each of fit_images are torch.float64, and each of images torch.float32"),
        ({"fit_images": None, "fit_labels": LABELS}, r"fit_labels are given without fit_images: give both"),
    ],
)
def test_images_of_a_fit_that_are_unlike_the_others_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        touchstone.detector_scores("mahalanobis", MODEL, IMAGES, **{"fit_labels": LABELS} | given)


FORMS = {
    "not contiguous": lambda: (MODEL, IMAGES.repeat_interleave(2, 0)[::2], LABELS.repeat_interleave(2)[::2]),
    "channels last": lambda: (MODEL, IMAGES.contiguous(memory_format=torch.channels_last), LABELS),
    "requires grad": lambda: (MODEL, IMAGES.clone().requires_grad_(), LABELS),
    "of a graph": lambda: (MODEL, IMAGES.clone().requires_grad_() * 1, LABELS),
    "expanded labels": lambda: (MODEL, IMAGES, torch.stack([LABELS, LABELS], 1)[:, 0]),
    "double": lambda: (Network().double().eval(), IMAGES.double(), LABELS),
    "data parallel": lambda: (nn.DataParallel(Network()).eval(), IMAGES, LABELS),
    "a module in a module": lambda: (nn.Sequential(Network()).eval(), IMAGES, LABELS),
}
CLOSED = {
    "function": lambda: lambda images: MODEL(images),
    "partial": lambda: partial(MODEL.__call__),
    "method": lambda: MODEL.forward,
    "script": lambda: torch.jit.trace(MODEL, IMAGES),
    "program": lambda: torch.export.export(
        MODEL, (IMAGES[:2],), dynamic_shapes=({0: torch.export.Dim("n", min=1)},)
    ).module(),
    "compiled": lambda: torch.compile(Network().eval(), backend="eager"),
    "double logits": lambda: lambda images: MODEL(images).double(),
    "one buffer": lambda: OneBuffer(),
}


class OneBuffer:
    """It returns the same tensor each time, as a captured graph does."""

    def __init__(self):
        self.buffer = torch.zeros(COUNT, 3)

    def __call__(self, images):
        self.buffer = self.buffer.detach()
        kept = self.buffer[: len(images)]
        kept.copy_(MODEL(images))
        return kept


@cache
def plain(door):
    """What a door gives for a network, images and labels as they mostly are."""
    return door(MODEL, IMAGES, LABELS).detach().clone()


def close(found, expected):
    torch.testing.assert_close(found.float(), expected.float(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.filterwarnings("ignore")
def test_every_form_of_images_gives_the_same(door, form):
    close(door(*FORMS[form]()).detach(), plain(door))


@pytest.mark.parametrize("form", CLOSED)
@pytest.mark.parametrize(
    "door", [evaluate, brittle_inputs, brittle_threshold, scores, attack, margin, reader_of_images]
)
@pytest.mark.filterwarnings("ignore")
def test_every_form_of_model_gives_the_same(door, form):
    close(door(CLOSED[form](), IMAGES, LABELS), plain(door))


@pytest.mark.parametrize("form", ["function", "script", "program"])
@pytest.mark.parametrize("door", [scores_inside, scores_of_fit, gradient_norms])
@pytest.mark.filterwarnings("ignore")
def test_a_model_without_layers_is_refused_where_they_are_read(door, form):
    with pytest.raises(TypeError, match=r": it reads .* inside the network, and a function, .* give the nn.Module"):
        door(CLOSED[form](), IMAGES, LABELS)


@pytest.mark.parametrize("door", DOORS)
def test_one_image_is_enough(door):
    if door not in (scores_of_fit, scores_of_anomalous):  # which need a few
        door(MODEL, IMAGES[:1], LABELS[:1])


def snapshot(model, *tensors):
    flags = [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    hooks = [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()]
    values = [value.detach().clone() for value in (*tensors, *model.state_dict().values(), torch.get_rng_state())]
    return flags, hooks, [module.training for module in model.modules()], values


def check_same(before, after):
    assert before[:3] == after[:3]
    for old, new in zip(before[3], after[3], strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize("make", [Network, InPlace], ids=["out of place", "in place"])
@pytest.mark.parametrize("door", [*DOORS, *COMPARED])
def test_the_callers_tensors_stay_as_they_are_and_a_model_that_writes_gives_the_same(door, make):
    images, labels, model = IMAGES.clone(), LABELS.clone(), make().eval()
    before = snapshot(model, images, labels)

    first, second = door(model, images, labels), door(model, images, labels)

    check_same(before, snapshot(model, images, labels))
    assert torch.equal(first, second)
    close(first, plain(door))
    first.fill_(7)
    assert torch.equal(images, IMAGES)


def test_a_loss_that_writes_into_the_logits_gives_the_same():
    found = touchstone.gradient_norms(MODEL, IMAGES, lambda logits: logits.mul_(1).logsumexp(1))

    close(found, gradient_norms(MODEL, IMAGES, LABELS))


def test_gradient_norms_can_be_differentiated_in_the_images_of_a_model_that_writes():
    images = IMAGES.clone().requires_grad_()

    slopes = [
        torch.autograd.grad(touchstone.gradient_norms(model, images, lambda z: z.logsumexp(1), create_graph=True).sum(), images)[0]
        for model in (MODEL, InPlace().eval())
    ]  # fmt: skip

    assert slopes[0].abs().sum() > 0
    close(slopes[1], slopes[0])


def test_scores_of_a_detector_by_its_name_can_be_differentiated():
    logits = MODEL(IMAGES).detach().requires_grad_()

    touchstone.component("detectors/energy")(logits).sum().backward()

    assert logits.grad.abs().sum() > 0


STATES = {
    "double": lambda: default("dtype", torch.float64),
    "half": lambda: default("dtype", torch.float16),
    "device": lambda: default("device", "meta"),
    "device block": lambda: torch.device("meta"),
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "grad off": lambda: torch.set_grad_enabled(False),
    "anomalies": torch.autograd.detect_anomaly,
}


class default:
    """`torch.set_default_dtype` or `torch.set_default_device`, for a block."""

    def __init__(self, kind, value):
        self.set, self.value = getattr(torch, f"set_default_{kind}"), value
        self.before = getattr(torch, f"get_default_{kind}")()

    def __enter__(self):
        self.set(self.value)

    def __exit__(self, *_):
        self.set(None if isinstance(self.before, torch.device) else self.before)


def torch_state():
    return (
        *(torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()),
        *(torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        *(torch.is_autocast_cache_enabled(), torch.is_anomaly_enabled()),
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("door", [*DOORS, *COMPARED])
@pytest.mark.filterwarnings("ignore")
def test_the_state_of_torch_changes_no_result_and_is_restored(door, state):
    expected = plain(door)

    with STATES[state]():
        images, labels = (IMAGES.clone(), LABELS.clone()) if state == "inference" else (IMAGES, LABELS)
        before = torch_state()
        kept = touchstone.RandomStreams(0, "attack", torch.arange(COUNT, device="cpu"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(globals(), "streams", lambda images: kept)
            found = door(MODEL, images, labels)
        assert torch_state() == before
        with pytest.raises(ValueError, match="images are in"):
            door(MODEL, images + 2, labels)
        assert torch_state() == before

    assert torch.equal(found.cpu(), expected)


@pytest.mark.parametrize("door", [*DOORS, *COMPARED])
@pytest.mark.filterwarnings("ignore")
def test_autocast_reaches_the_model_only(door):
    expected = plain(door)

    with torch.autocast("cpu", torch.bfloat16):
        before = torch_state()
        found = door(MODEL, IMAGES, LABELS)
        assert torch_state() == before

    assert found.dtype == expected.dtype
    if found.shape == expected.shape:  # an image near eps may turn
        assert (found - expected).abs().quantile(0.8) <= 0.05 * expected.abs().max()


def test_a_model_built_in_inference_mode_is_refused():
    with torch.inference_mode():
        model = Network().eval()

    with pytest.raises(ValueError, match=r"model: it was built in torch.inference_mode\(\).*build it outside"):
        evaluate(model, IMAGES, LABELS)


@pytest.mark.parametrize("door", [evaluate, scores, *COMPARED])
def test_a_model_finds_torch_as_its_caller_left_it(door):
    seen = []

    def model(images):
        seen.append((torch.get_default_dtype(), torch.is_autocast_enabled("cpu")))
        return MODEL(images)

    with default("dtype", torch.float64), torch.autocast("cpu"):
        door(model, IMAGES, LABELS)

    assert set(seen) == {(torch.float64, True)}


def test_a_model_that_fails_late_leaves_torch_and_the_model_as_they_were():
    def answer(logits):
        if torch.is_grad_enabled() and len(logits) > 1:
            raise RuntimeError("late")
        return logits

    model = Network(answer).eval()
    before = snapshot(model, IMAGES)

    with default("dtype", torch.float64):
        state = torch_state()
        with pytest.raises(RuntimeError, match="late"):
            evaluate(model, IMAGES, LABELS)
        assert torch_state() == state

    check_same(before, snapshot(model, IMAGES))


def test_warnings_name_no_line_of_touchstone():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        touchstone.detector_scores("msp", lambda images: Network().train()(images) + torch.rand(1), IMAGES)

    assert {warning.filename for warning in caught} == {__file__}
    assert any("answers differently when it is called again" in str(warning.message) for warning in caught)


def test_numpy_in_its_strictest_mode_changes_nothing():
    with np.errstate(all="raise"):
        touchstone.evaluate_scores(GOOD, GOOD + 2)
        evaluate(MODEL, IMAGES, LABELS)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 256])
def test_one_row_that_happens_to_sum_to_1_is_no_row_of_probabilities_whatever_the_batch(batch_size):
    def model(images):
        lead = images.flatten(1).mean(1)
        return torch.stack([lead, 1 - lead - 20 * (lead - 0.6)], 1)

    images = torch.tensor([0.6, 0.1, 0.9]).view(3, 1, 1, 1)

    result = touchstone.evaluate(
        model, images, model(images).argmax(1), batch_size=batch_size, steps=2, restarts=1, queries=2
    )
    assert result.robust_accuracy.value == pytest.approx(2 / 3)
