"""Detectors by name on a model of one's own, and their scores against values computed by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import touchstone
from touchstone import registry
from touchstone.api.detector_scores import detector_scores, evaluate_scores

SHAPE = (1, 4, 4)


def test_scores_of_six_rows_are_evaluated_as_by_hand():
    found = evaluate_scores(torch.tensor([0.1, 0.2, 0.4]), torch.tensor([0.3, 0.5, 0.6]), resamples=200)

    assert found["auroc"].value == pytest.approx(8 / 9)
    assert found["fpr95_id"].value == pytest.approx(1 / 3)
    assert found["fpr95_ood"].value == pytest.approx(1 / 3)
    assert found["auroc"].low <= found["auroc"].value <= found["auroc"].high


@pytest.mark.parametrize("name", registry.names("detectors"))
def test_every_detector_scores_the_images_of_a_model_by_its_name(world, name):
    model, (fit_images, fit_labels), (images, _) = world
    anomalous = torch.rand(90, *SHAPE, generator=torch.Generator().manual_seed(5))
    given = {"fit_images": fit_images, "fit_labels": fit_labels, "anomalous_images": anomalous}

    scores = detector_scores(name, model, images, **given, batch_size=50)

    assert scores.shape == (120,) and scores.isfinite().all()
    torch.testing.assert_close(scores[50:], detector_scores(name, model, images[50:], **given), rtol=1e-3, atol=1e-4)


def test_settings_reach_the_fit_and_the_score(world):
    model, (fit_images, _), (images, _) = world

    near, far = (detector_scores("knn", model, images, fit_images=fit_images, k=k) for k in (1, 40))

    assert (far >= near).all() and (far > near).any()


def test_no_images_have_no_scores(world):
    model, (fit_images, _), (images, _) = world

    with pytest.raises(ValueError, match="no images, so nothing can be measured"):
        detector_scores("msp", model, images[:0])
    with pytest.raises(ValueError, match="no fit_images, so nothing can be measured"):
        detector_scores("knn", model, images, fit_images=fit_images[:0])


class Elsewhere(torch.nn.Module):
    """Its last linear layer, in module order, is its first, or is not called."""

    def __init__(self, called):
        super().__init__()
        self.head = torch.nn.Linear(16, 3)
        self.body, self.called = torch.nn.Linear(16, 16), called

    def forward(self, images):
        rows = images.flatten(1)
        return self.head(torch.relu(self.body(rows) if self.called else rows))


@pytest.mark.parametrize("called", [True, False])
def test_features_are_not_read_from_a_layer_that_does_not_make_the_logits(world, called):
    _, (fit_images, _), (images, _) = world
    model = Elsewhere(called)

    with pytest.raises(ValueError, match="and its last linear layer does not make the logits"):
        detector_scores("knn", model, images, fit_images=fit_images, k=3)

    assert detector_scores("msp", model, images).shape == (120,)


def test_gradient_norms_are_read_of_a_network_whose_last_linear_layer_is_not_called(world):
    _, _, (images, _) = world
    bare = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))

    class Unused(torch.nn.Sequential):
        def forward(self, images):
            return self[0](images)

    model = Unused(bare, torch.nn.Linear(3, 3))
    torch.testing.assert_close(
        detector_scores("gradient_sum", model, images), detector_scores("gradient_sum", bare, images)
    )


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("nkn", {}, "Did you mean knn"),
        ("knn", {"kk": 3}, r"detectors/knn: kk: unknown setting; expected k\."),
        ("knn", {}, "detectors/knn: fit_images: required"),
        ("gradient_sum", {"label": "softmax_al"}, "Did you mean softmax_all"),
    ],
)
def test_a_detector_that_cannot_be_used_is_told(world, name, settings, told):
    model, _, (images, _) = world

    with pytest.raises(ValueError, match=told):
        detector_scores(name, model, images, **settings)


def test_metrics_of_scores_print_in_a_few_lines():
    metrics = evaluate_scores(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 5.0]))

    assert len(repr(metrics)) < 1000


class Headed(nn.Module):
    """A network whose logits are made of the maps of its body without any nn.Linear."""

    def __init__(self):
        super().__init__()
        self.body, self.head, self.unused = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 3, 1), nn.Conv2d(1, 1, 1)
        self.pairs, self.tokens = Paired(), nn.Flatten(2)

    def forward(self, images):
        maps = self.body(images)
        self.pairs(maps), self.tokens(maps)
        return self.answer(maps.relu())

    def answer(self, maps):
        return self.head(maps).mean((2, 3))


class Paired(nn.Module):
    def forward(self, maps):
        return maps, maps


class CosineHead(Headed):
    def answer(self, maps):
        return 10 * functional.normalize(maps.mean((2, 3))) @ functional.normalize(self.head.weight[:, :, 0, 0]).T


class FunctionalHead(Headed):
    def answer(self, maps):
        return functional.linear(maps.mean((2, 3)), self.head.weight[:, :, 0, 0])


def built(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind().eval()


FEW_IMAGES = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("kind", [Headed, CosineHead, FunctionalHead])
def test_features_are_read_at_the_module_that_the_user_names(kind, parallel):
    network = built(kind)
    model, name = (nn.DataParallel(network), "module.body") if parallel else (network, "body")
    means = network.body(FEW_IMAGES).mean((2, 3)).detach()
    component = touchstone.component("detectors/knn", k=3)
    assert name in dict(model.named_modules())

    found = touchstone.detector_scores("knn", model, FEW_IMAGES[20:], fit_images=FEW_IMAGES[:20], k=3, features=name)

    assert torch.allclose(found, component(means[20:], component.fit(means[:20])))


@pytest.mark.parametrize(
    ("detector", "name", "words"),
    [
        ("knn", "bodi", r"the network has no module 'bodi'. Did you mean body"),
        ("knn", "unused", r"the network does not call its module 'unused'; name one that it calls"),
        ("knn", "pairs", r"the module 'pairs' returns a tuple for 40 images, expected \(N, D\) or maps"),
        ("knn", "tokens", r"the module 'tokens' returns shape \(40, 6, 16\) for 40 images, expected \(N, D\) or maps"),
        ("msp", "body", "detectors/msp reads none"),
    ],
)
def test_a_name_of_a_module_without_features_or_without_effect_is_refused(detector, name, words):
    with pytest.raises(ValueError, match=words):
        touchstone.detector_scores(detector, built(Headed), FEW_IMAGES, fit_images=FEW_IMAGES, features=name)


def test_a_module_inside_data_parallel_has_the_name_that_data_parallel_gives_it():
    model = nn.DataParallel(built(Headed))

    with pytest.raises(ValueError, match=r"the network has no module 'body'\. Did you mean module\.body"):
        touchstone.detector_scores("knn", model, FEW_IMAGES, fit_images=FEW_IMAGES, features="body")
