import pytest
import torch

from touchstone.detectors.vim import default_dimensions, fit, vim


def outputs(rows=200, width=12, classes=4):
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(classes, width, generator=draw), torch.randn(classes, generator=draw)
    features = torch.randn(rows, width, generator=draw) * torch.linspace(3, 0.1, width)
    return features, features @ weight.T + bias, weight, bias


def test_vim_adds_a_virtual_logit_of_the_mean_size_of_the_largest_one():
    features, logits, _, _ = outputs()

    scores = vim(logits, features, fit(logits, features))

    virtual = scores + torch.logsumexp(logits, 1)
    assert virtual.mean().item() == pytest.approx(logits.amax(1).mean().item(), rel=1e-4)
    assert virtual.min() >= 0


def test_a_step_into_the_residual_space_raises_the_score():
    features, logits, _, _ = outputs()
    state = fit(logits, features)
    step = state["residual"][:, 0].float()

    assert (vim(logits, features + 5 * step, state) > vim(logits, features, state)).float().mean() > 0.9


@pytest.mark.parametrize(("width", "kept"), [(100, 50), (767, 383), (768, 512), (2048, 1000)])
def test_the_default_size_is_the_authors_rule(width, kept):
    assert default_dimensions(width) == kept


def test_the_residual_space_is_what_the_principal_one_leaves():
    features, logits, _, _ = outputs()

    assert fit(logits, features)["residual"].shape == (12, 6)
    assert fit(logits, features, dimensions=9)["residual"].shape == (12, 3)


def test_a_principal_space_of_everything_is_refused():
    features, logits, _, _ = outputs()

    with pytest.raises(ValueError, match="dimensions must be < 12"):
        fit(logits, features, dimensions=12)


def test_mostly_negative_logits_are_refused():
    features, logits, _, _ = outputs()

    with pytest.raises(ValueError, match="alpha must be positive"):
        fit(logits - 100, features)


@pytest.mark.parametrize("dimensions", [3, 8])
def test_vim_agrees_with_pytorch_ood(dimensions):
    features, logits, weight, bias = outputs()
    reference = pytest.importorskip("pytorch_ood.detector").ViM(None, dimensions, weight, bias)
    reference.fit_features(features, torch.zeros(len(features)))

    ours = vim(logits, features, fit(logits, features, dimensions=dimensions))

    torch.testing.assert_close(ours, reference.predict_features(features), rtol=1e-3, atol=1e-3)
