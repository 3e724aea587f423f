import math

import pytest
import torch

from touchstone.attacks.adversary.losses import cross_entropy, dlr_loss, targeted_dlr_loss


@pytest.mark.parametrize("lead", [-30.0, 0.0, 5.0, 17.0, 60.0])
def test_the_gradient_of_the_cross_entropy_is_right_however_far_the_label_leads(lead):
    logits = torch.tensor([[0.5, lead + 0.5, -1.0]], requires_grad=True)
    exact = logits.detach().double()

    loss = cross_entropy(logits, torch.tensor([1]))
    (slope,) = torch.autograd.grad(loss.sum(), logits)

    # -(1 - p), with 1 - p = e / (1 + e), where e is the sum of exp(z_k - z_label) over the other classes.
    e = float((exact[0, [0, 2]] - exact[0, 1]).exp().sum())
    others = (exact[0, [0, 2]]).softmax(0) * e / (1 + e)
    torch.testing.assert_close(loss.item(), math.log1p(e), rtol=1e-5, atol=0)
    torch.testing.assert_close(
        slope.double(),
        torch.stack([others[0], -torch.tensor(e / (1 + e)).double(), others[1]])[None],
        rtol=1e-5,
        atol=0,
    )


def test_the_dlr_loss_of_a_hand_worked_row():
    logits = torch.tensor([[4.0, 1.0, 3.0, 0.0, -1.0]])

    assert dlr_loss(logits, torch.tensor([0])) == pytest.approx(-(4 - 3) / (4 - 1))
    assert dlr_loss(logits, torch.tensor([1])) == pytest.approx(-(1 - 4) / (4 - 1))
    assert targeted_dlr_loss(logits, torch.tensor([0]), torch.tensor([3])) == pytest.approx(-4 / (4 - (1 + 0) / 2))


def test_the_dlr_loss_does_not_see_shifts_and_scales_of_logits():
    logits, labels = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)), torch.arange(5)

    torch.testing.assert_close(dlr_loss(7 * logits - 3, labels), dlr_loss(logits, labels))
