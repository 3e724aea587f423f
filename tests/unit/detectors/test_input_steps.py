import torch

from touchstone.detectors._input_steps import best_magnitude, stepped


def test_the_step_is_against_the_direction_and_not_clipped():
    images = torch.tensor([[0.25, 1.0], [0.0, 0.5]])
    direction = torch.tensor([[1.0, -1.0], [1.0, 0.0]])

    moved = stepped(images, lambda _: direction, 0.5)

    torch.testing.assert_close(moved, torch.tensor([[-0.25, 1.5], [-0.5, 0.5]]))


def test_a_magnitude_of_0_needs_no_direction():
    images = torch.rand(3, 2)

    assert stepped(images, lambda _: 1 / 0, 0.0) is images


def test_the_choice_does_not_depend_on_batches():
    """Rows are a score and how fast a step lowers it, at least twice as fast for ID rows."""
    draw = torch.Generator().manual_seed(0)
    known = torch.stack([torch.rand(97, generator=draw).sort().values, torch.ones(97)], dim=1)
    anomalous = torch.stack([0.3 + torch.rand(61, generator=draw), 0.5 * torch.rand(61, generator=draw)], dim=1)

    def choice(batch_size):
        return best_magnitude(
            known,
            anomalous,
            lambda rows: rows[:, 1:] * torch.tensor([1.0, 0.0]),
            lambda rows: rows[:, 0],
            largest=2.0,
            choices=21,
            batch_size=batch_size,
        )

    assert 0 < choice(100).item() < 2
    assert choice(7) == choice(100)
