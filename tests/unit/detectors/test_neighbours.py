import pytest
import torch

from touchstone.detectors import _neighbours
from touchstone.detectors._neighbours import nearest_distances

torch.set_num_threads(1)


def test_distances_come_in_ascending_order():
    distances = nearest_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0], [-2.0, 0.0]]), 2)

    assert distances.tolist() == [[1, 2]]


def test_a_tiny_distance_keeps_its_digits():
    references = 1000 + torch.rand(50, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = torch.full((1, 8), 1e-7, dtype=torch.float64)

    distances = nearest_distances(references[:1] + step, references, 1)

    torch.testing.assert_close(distances[0, 0], torch.linalg.vector_norm(step), rtol=1e-4, atol=0)


def test_the_gradient_at_a_reference_is_finite():
    features = torch.rand(3, 4).requires_grad_()

    (gradient,) = torch.autograd.grad(nearest_distances(features, features.detach(), 2).sum(), features)

    assert gradient.isfinite().all()


def test_more_neighbours_than_references_are_refused():
    with pytest.raises(ValueError, match="k must be at most the 3 reference rows fitted, got 4"):
        nearest_distances(torch.rand(1, 2), torch.rand(3, 2), 4)


def test_many_references_are_compared_in_blocks_to_the_same_distances(monkeypatch):
    features, references = (torch.randn(rows, 8, generator=torch.Generator().manual_seed(rows)) for rows in (70, 300))
    whole, sizes, cdist = nearest_distances(features, references, 3), [], torch.cdist

    def watched(first, second):
        sizes.append(len(first) * len(second))
        return cdist(first, second)

    monkeypatch.setattr(_neighbours, "PAIRS", 32 * 300)
    monkeypatch.setattr(torch, "cdist", watched)
    blocks = nearest_distances(features, references, 3)

    assert sizes == [32 * 300, 32 * 300, 6 * 300]
    torch.testing.assert_close(blocks, whole)


def test_the_nearest_of_rows_that_are_close_together_for_their_length_are_found_whatever_the_batch():
    generator = torch.Generator().manual_seed(0)
    references, features = (1 + 0.003 * torch.randn(rows, 128, generator=generator) for rows in (1000, 8))

    distances = nearest_distances(features, references, 20)

    assert torch.equal(distances, distances.sort(dim=1).values)
    assert torch.equal(distances, torch.cat([nearest_distances(row[None], references, 20) for row in features]))
    expected = torch.cdist(features.double(), references.double()).sort(dim=1).values[:, :20]
    torch.testing.assert_close(distances.double(), expected, rtol=1e-4, atol=0)
