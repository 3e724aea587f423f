import pytest
import torch

from touchstone.detectors.max_logit import max_logit


def test_max_logit_of_hand_worked_rows():
    scores = max_logit(torch.tensor([[3.0, 1.0, -8.0], [-2.0, -5.0, -2.0]]))

    assert scores.tolist() == [-3, 2]


def test_max_logit_tells_rows_apart_whose_softmax_is_equal():
    low, high = max_logit(torch.tensor([[1.0, 0.0], [11.0, 10.0]]))

    assert low > high


def test_max_logit_agrees_with_pytorch_ood():
    reference = pytest.importorskip("pytorch_ood.detector").MaxLogit
    logits = torch.randn(30, 10, generator=torch.Generator().manual_seed(0))

    assert torch.equal(max_logit(logits), reference.score(logits))
