import pytest
import torch

from touchstone.detectors.msp import msp


def test_msp_of_hand_worked_rows():
    logits = torch.tensor([[3.0, 1.0], [0.0, 0.0]]).log1p()  # odds 4 : 2 and 1 : 1

    scores = msp(logits)

    torch.testing.assert_close(scores, torch.tensor([-2 / 3, -1 / 2]))


def test_msp_ranks_a_uniform_row_above_a_peaked_one():
    scores = msp(torch.tensor([[1.0, 1.0, 1.0], [9.0, 0.0, 0.0]]))

    assert scores[0] > scores[1]


def test_a_higher_temperature_flattens_msp_towards_minus_one_over_k():
    logits = torch.tensor([[4.0, 0.0, -1.0, 2.0]])

    scores = [msp(logits, temperature=t).item() for t in (1, 10, 1e6)]

    assert scores == sorted(scores)
    assert scores[2] == pytest.approx(-1 / 4, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_msp_agrees_with_pytorch_ood(temperature):
    reference = pytest.importorskip("pytorch_ood.detector").MaxSoftmax
    logits = 4 * torch.randn(30, 10, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(msp(logits, temperature=temperature), reference.score(logits, temperature))


@pytest.mark.parametrize("lead", [3.0, 17.0, 40.0])
def test_the_gradient_of_a_confident_row_leads_where_that_of_double_precision_does(lead):
    exact = torch.tensor([[lead, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    top, others = exact[0, 0], exact[0, 1:].logsumexp(0)
    (expected,) = torch.autograd.grad(-1 / (1 + (others - top).exp()), exact)
    row = exact.detach().float().requires_grad_()

    (gradient,) = torch.autograd.grad(msp(row).sum(), row)

    torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=0)
