import pytest
import torch

from touchstone.detectors import _two_layer_net
from touchstone.detectors._two_layer_net import fit_two_layer_net, log_scale, two_layer_logit

torch.set_num_threads(1)

SCHEDULE = {
    "hidden": 16, "epochs": 60, "learning_rate": 1e-2, "weight_decay": 1e-4, "batch_size": 64, "validation_share": 0.2,
    "patience": 10,
}  # fmt: skip


def rows(count, shift=0.0, seed=0):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)) + shift


def auroc(known, anomalous):
    return (anomalous[:, None] > known).double().mean().item()


def test_the_logit_is_the_network_of_the_paper():
    state = {
        "mean": torch.tensor([1.0, 0.0]), "std": torch.tensor([2.0, 1.0]),
        "weight1": torch.tensor([[1.0, 0.0], [0.0, -1.0]]), "bias1": torch.tensor([0.5, 0.0]),
        "weight2": torch.tensor([[2.0, 3.0]]), "bias2": torch.tensor([-1.0]),
    }  # fmt: skip

    logits = two_layer_logit(torch.tensor([[5.0, 1.0], [-9.0, -2.0]]), state)

    assert logits.tolist() == [2 * 2.5 + 0 - 1, 0 + 3 * 2 - 1]


def test_identical_distributions_are_not_told_apart():
    state = fit_two_layer_net(rows(400), rows(400, seed=1), 0, **SCHEDULE)

    known, anomalous = (two_layer_logit(rows(2000, seed=seed), state) for seed in (2, 3))

    assert auroc(known, anomalous) == pytest.approx(0.5, abs=0.05)


def test_permuted_labels_are_not_learnt():
    mixed = torch.cat([rows(200), rows(200, shift=3, seed=1)])
    mixed = mixed[torch.randperm(400, generator=torch.Generator().manual_seed(7))]
    state = fit_two_layer_net(mixed[:200], mixed[200:], 0, **SCHEDULE)

    both = torch.cat([rows(500, seed=2), rows(500, shift=3, seed=3)])
    both = two_layer_logit(both[torch.randperm(1000, generator=torch.Generator().manual_seed(8))], state)

    assert auroc(both[:500], both[500:]) == pytest.approx(0.5, abs=0.05)


def test_classes_of_unequal_size_weigh_the_same():
    state = fit_two_layer_net(rows(900, shift=-1), rows(60, shift=1, seed=1), 0, **SCHEDULE)

    known, anomalous = two_layer_logit(rows(1000, -1, 2), state), two_layer_logit(rows(1000, 1, 3), state)

    missed, flagged = (anomalous < 0).float().mean(), (known > 0).float().mean()
    assert missed < 0.15
    assert flagged < 0.15


def test_training_stops_when_the_held_out_loss_no_longer_falls(monkeypatch):
    epochs = []
    batches = _two_layer_net.batches
    monkeypatch.setattr(_two_layer_net, "batches", lambda *_: epochs.append(1) or batches(*_))

    fit_two_layer_net(rows(40), rows(40, seed=1), 0, **SCHEDULE | {"epochs": 300, "patience": 5})

    assert 5 < len(epochs) < 100


def test_the_best_held_out_epoch_is_kept_and_not_the_last_one():
    known, anomalous = rows(40), rows(40, seed=1)  # nothing to learn: the first epochs are the best

    patient, impatient = (
        fit_two_layer_net(known, anomalous, 0, **SCHEDULE | {"epochs": 60, "patience": patience})
        for patience in (60, 5)
    )

    assert all(torch.equal(patient[name], impatient[name]) for name in patient)


def test_scale_and_offset_of_the_inputs_change_nothing():
    scale, offset = torch.tensor([1e4, 1.0, 1e-4]).double(), torch.tensor([-3.0, 0.0, 1e3]).double()
    known, anomalous, new = rows(60).double(), rows(60, 1.0, 1).double(), rows(60, 0.5, 2).double()

    plain = fit_two_layer_net(known, anomalous, 0, **SCHEDULE)
    moved = fit_two_layer_net(known * scale + offset, anomalous * scale + offset, 0, **SCHEDULE)

    torch.testing.assert_close(
        two_layer_logit(new, plain), two_layer_logit(new * scale + offset, moved), rtol=1e-4, atol=1e-4
    )


def test_a_constant_input_is_harmless():
    known, anomalous = rows(50), rows(50, shift=2, seed=1)
    known[:, 1] = anomalous[:, 1] = 4

    state = fit_two_layer_net(known, anomalous, 0, **SCHEDULE)

    assert state["std"][1] == 1
    assert two_layer_logit(known, state).isfinite().all()


def test_another_seed_gives_another_network():
    first, second = (fit_two_layer_net(rows(50), rows(50, 1.0, 1), seed, **SCHEDULE) for seed in (0, 1))

    assert not torch.equal(first["weight1"], second["weight1"])


def test_fitting_works_where_gradients_are_off():
    with torch.no_grad():
        state = fit_two_layer_net(rows(200), rows(200, shift=3, seed=1), 0, **SCHEDULE)

    assert auroc(two_layer_logit(rows(200, seed=2), state), two_layer_logit(rows(200, 3.0, 3), state)) > 0.95


def test_a_single_row_of_a_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 in-distribution and 2 anomalous rows, got 50 and 1"):
        fit_two_layer_net(rows(50), rows(1), 0, **SCHEDULE)
    with pytest.raises(ValueError, match="got 0 and 50"):
        fit_two_layer_net(rows(0), rows(50), 0, **SCHEDULE)


def test_log_scale_reaches_zero():
    torch.testing.assert_close(log_scale(torch.tensor([0.0, 1.0])), torch.tensor([-27.6310211, 0.0]))
