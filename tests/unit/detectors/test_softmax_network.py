import torch

from touchstone.detectors.softmax_network import fit, softmax_network


def logits(scale, seed):
    return scale * torch.randn(300, 5, generator=torch.Generator().manual_seed(seed))


def test_the_score_does_not_depend_on_which_class_is_which_or_on_a_constant():
    state, rows = fit(logits(4, 0), logits(1, 1), 0), logits(2, 2)

    scores = softmax_network(rows, state)

    torch.testing.assert_close(softmax_network(rows[:, [3, 1, 4, 0, 2]] + 7, state), scores, rtol=1e-3, atol=1e-3)


def test_unsure_rows_score_higher_than_sure_ones():
    state = fit(logits(6, 0), logits(1, 1), 0)

    sure, unsure = softmax_network(logits(6, 2), state), softmax_network(logits(1, 3), state)

    assert (unsure[:, None] > sure).double().mean() > 0.9
