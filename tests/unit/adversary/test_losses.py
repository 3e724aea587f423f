import pytest
import torch

from touchstone.adversary.losses import dlr_loss, targeted_dlr_loss


def test_the_dlr_loss_of_a_hand_worked_row():
    logits = torch.tensor([[4.0, 1.0, 3.0, 0.0, -1.0]])

    assert dlr_loss(logits, torch.tensor([0])) == pytest.approx(-(4 - 3) / (4 - 1))
    assert dlr_loss(logits, torch.tensor([1])) == pytest.approx(-(1 - 4) / (4 - 1))
    assert targeted_dlr_loss(logits, torch.tensor([0]), torch.tensor([3])) == pytest.approx(-4 / (4 - (1 + 0) / 2))


def test_the_dlr_loss_does_not_see_shifts_and_scales_of_logits():
    logits, labels = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)), torch.arange(5)

    torch.testing.assert_close(dlr_loss(7 * logits - 3, labels), dlr_loss(logits, labels))
