import pytest
import torch
from scipy.stats import weibull_min

from touchstone.detectors.openmax import OFFSET, fit, openmax, weibull

CLASSES = 4


def outputs(rows=400, seed=0, spread=1.0):
    """Logits around one mean per class. At the default spread the largest logit is nearly always that of the class."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % CLASSES
    return 8 * torch.eye(CLASSES)[labels] + spread * torch.randn(rows, CLASSES, generator=draw), labels


def test_an_image_nearer_than_every_tail_keeps_its_logits():
    """Nothing is lost, so "unknown" has the logit 0 against the logsumexp of the logits."""
    logits, labels = outputs()
    state = fit(logits.double(), labels) | {"start": torch.full((CLASSES,), 1000.0, dtype=torch.float64)}

    torch.testing.assert_close(openmax(logits, state), -torch.logsumexp(logits, 1), rtol=1e-5, atol=1e-5)


def test_far_from_all_means_each_rank_loses_its_share():
    """All weights are 1: of three revised classes the first loses its whole logit, the second 2/3, the third 1/3."""
    logits, labels = outputs()
    far = torch.tensor([[900.0, 300.0, 600.0, -300.0]], dtype=torch.float64)

    score = openmax(far, fit(logits, labels), revised=3)

    left = torch.tensor([0.0, 200.0, 200.0, -300.0], dtype=torch.float64)
    expected = 900 + 400 + 100 - torch.logsumexp(left, 0)
    torch.testing.assert_close(score, expected.view(1))


def test_only_images_that_are_classified_correctly_are_fitted():
    logits, labels = outputs()
    wrong = torch.cat([logits, -50 * torch.eye(CLASSES)]), torch.cat([labels, torch.arange(CLASSES)])

    for name, values in fit(logits, labels).items():
        torch.testing.assert_close(fit(*wrong)[name], values)


@pytest.mark.parametrize("shape", [0.7, 2.0, 300.0, 30_000.0])
def test_the_weibull_is_the_one_of_greatest_likelihood(shape):
    values = torch.from_numpy(weibull_min.rvs(shape, scale=3.0, size=200, random_state=0))

    fitted = weibull(values)

    def likelihood(k, scale):
        return weibull_min.logpdf(values.numpy(), k, scale=scale).sum()

    best = likelihood(*fitted)
    width = fitted[1] / fitted[0]  # the scale is known about so closely
    for factor, shift in ((1.02, 0), (0.98, 0), (1, 0.05), (1, -0.05)):
        assert likelihood(fitted[0] * factor, fitted[1] + shift * width) < best
    assert fitted[0] == pytest.approx(shape, rel=0.2)


def test_openmax_agrees_with_pytorch_ood():
    """Theirs is the probability, and its simplex search finds the fit to some three digits."""
    logits, labels = outputs(rows=600, spread=1.5)
    logits = logits[keep := logits.argmax(1) == labels]  # theirs counts wrong ones, too
    odd = torch.cat([logits, 5 * torch.randn(200, CLASSES, generator=torch.Generator().manual_seed(1))])
    theirs = pytest.importorskip("pytorch_ood.detector").OpenMax(None, tailsize=10, alpha=3)
    theirs.fit_logits(logits.double(), labels[keep])

    ours = openmax(odd.double(), fit(logits, labels[keep], tail=10), revised=3).sigmoid()

    torch.testing.assert_close(ours, theirs.predict_logits(odd.double()), rtol=0, atol=5e-3)


def test_the_score_has_a_gradient_wherever_the_image_lies():
    logits, labels = outputs()
    state = fit(logits, labels)
    points = torch.stack([state["means"][0], logits[1].double(), 1e4 * logits[2].double(), torch.zeros(CLASSES)])
    points.requires_grad_()

    (gradient,) = torch.autograd.grad(openmax(points, state).sum(), points)

    assert gradient.isfinite().all()
    assert (gradient.abs().sum(1) > 0).all()
    inner = (logits[:5].double() + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: openmax(x, state), inner)


def test_noise_is_more_anomalous_than_images_of_the_classes():
    state = fit(*outputs())
    known, noise = outputs(seed=1)[0], 3 * torch.randn(400, CLASSES, generator=torch.Generator().manual_seed(2))

    above = openmax(noise, state)[:, None] > openmax(known, state)
    assert above.double().mean() > 0.9  # the AUROC


def test_classes_without_a_tail_are_refused():
    logits, labels = outputs()

    with pytest.raises(ValueError, match="class 2: 0 of its images are classified correctly"):
        fit(logits, torch.where(labels == 2, 1, labels))
    with pytest.raises(ValueError, match="class 0: its 3 largest distances are all equal"):
        fit(8 * torch.eye(CLASSES).repeat(30, 1), torch.arange(CLASSES).repeat(30))


def test_a_tail_is_at_most_a_tenth_of_a_class():
    logits, labels = outputs()

    for name, values in fit(logits, labels, tail=50).items():
        torch.testing.assert_close(fit(logits, labels, tail=10)[name], values)


def test_the_tail_begins_at_the_smallest_of_the_largest_distances():
    logits, labels = outputs()
    state = fit(logits, labels, tail=5)
    rows = logits[labels == 1].double()
    rows = rows[rows.argmax(1) == 1]

    distances = (rows - rows.mean(0)).norm(dim=1).sort().values

    torch.testing.assert_close(state["start"][1], distances[-5])
    assert state["scale"][1] > OFFSET
