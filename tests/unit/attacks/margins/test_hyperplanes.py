import pytest
import torch
from linear_margins import linear_margins
from scipy.optimize import linprog, minimize

from touchstone.attacks.margins._hyperplanes import dual_norms, smallest_change


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_inside_the_box_the_smallest_change_is_the_dual_norm_formula():
    points, slopes, gaps = row(0.5, 0.5, 0.5), row(1.0, -2.0, 0.0), torch.tensor([0.6], dtype=torch.float64)

    change, distance = smallest_change(points, slopes, gaps)
    change_l2, distance_l2 = smallest_change(points, slopes, gaps, "l2")

    torch.testing.assert_close(change, row(0.2, -0.2, 0.0))  # 0.6 / ||w||_1
    torch.testing.assert_close(distance, torch.tensor([0.2], dtype=torch.float64))
    torch.testing.assert_close(change_l2, row(0.12, -0.24, 0.0))  # 0.6 w / ||w||_2^2
    torch.testing.assert_close(distance_l2, torch.tensor([0.6 / 5**0.5], dtype=torch.float64))


def test_the_dual_of_linf_is_l1_and_l2_is_its_own_dual():
    rows = torch.tensor([[[3.0, -4.0]], [[0.0, 0.0]]])

    assert dual_norms(rows, "linf").tolist() == [7.0, 0.0]
    assert dual_norms(rows, "l2").tolist() == [5.0, 0.0]


def test_a_pixel_at_the_border_stops_and_the_others_go_further():
    change, distance = smallest_change(row(0.9, 0.5), row(1.0, 1.0), torch.tensor([0.5], dtype=torch.float64))

    torch.testing.assert_close(change, row(0.1, 0.4))
    assert distance.item() == pytest.approx(0.4)


def test_a_gap_that_no_image_closes_is_infinitely_far_and_a_closed_one_is_no_change():
    points, slopes = row(0.9, 0.5).expand(2, 2), row(1.0, 1.0).expand(2, 2)

    change, distance = smallest_change(points, slopes, torch.tensor([0.7, -0.1], dtype=torch.float64))

    assert distance.tolist() == [float("inf"), 0.0]
    torch.testing.assert_close(change, torch.cat([row(0.1, 0.5), row(0.0, 0.0)]))


def test_the_smallest_change_agrees_with_linear_and_quadratic_programming():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(8, 5, generator=generator, dtype=torch.float64)
    slopes = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    gaps = 0.6 * (slopes.abs() * torch.where(slopes > 0, 1 - points, points)).sum(1)

    for i in range(8):
        x, w, gap = points[i].numpy(), slopes[i].numpy(), gaps[i].item()
        # minimise t over (d, t): |d| <= t, 0 <= x + d <= 1, w d >= gap
        rows = [[*(sign if k == j else 0 for k in range(5)), -1] for j in range(5) for sign in (1, -1)]
        program = linprog(
            [0] * 5 + [1], A_ub=[*rows, [*-w, 0]], b_ub=[0] * 10 + [-gap],
            bounds=[(-v, 1 - v) for v in x] + [(0, None)],
        )  # fmt: skip
        quadratic = minimize(
            lambda d: d @ d, 0.1 * w, jac=lambda d: 2 * d, bounds=[(-v, 1 - v) for v in x], method="SLSQP",
            constraints={"type": "ineq", "fun": lambda d, w=w, gap=gap: w @ d - gap}, options={"ftol": 1e-14},
        )  # fmt: skip

        assert smallest_change(points, slopes, gaps)[1][i].item() == pytest.approx(program.fun, abs=1e-9)
        assert smallest_change(points, slopes, gaps, "l2")[1][i].item() == pytest.approx(quadratic.fun**0.5, rel=1e-4)


def test_interior_linear_margins_are_the_smallest_logit_difference_over_the_dual_norm():
    generator = torch.Generator().manual_seed(1)
    weights, bias = torch.randn(4, 6, generator=generator), 0.01 * torch.randn(4, generator=generator)
    images = 0.45 + 0.1 * torch.rand(30, 1, 2, 3, generator=generator)
    logits = images.flatten(1) @ weights.T + bias
    own = logits.argmax(1)
    ratios = [
        (logits.amax(1, keepdim=True) - logits) / (weights[own][:, None] - weights).norm(p, dim=2).clamp_min(1e-9)
        for p in (1, 2)
    ]
    expected = [ratio.scatter(1, own[:, None], torch.inf).amin(1) for ratio in ratios]
    inside = expected[1] < 0.4

    for norm, exact in zip(("linf", "l2"), expected, strict=True):
        found = linear_margins(weights, bias, images, norm).float()
        torch.testing.assert_close(found[inside], exact[inside], rtol=1e-4, atol=1e-6)
    assert inside.sum() > 10


def test_equidistant_rows_put_margins_in_the_order_of_the_logit_gap():
    images = 0.3 + 0.4 * torch.rand(50, 1, 1, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    logits = 4 * images.flatten(1)
    top = logits.topk(2, dim=1).values

    found = linear_margins(4 * torch.eye(3), torch.zeros(3), images)

    torch.testing.assert_close(found, (top[:, 0] - top[:, 1]) / 8)  # d_out / (2c)


def test_unequal_rows_break_the_order_of_the_logit_gap():
    images = torch.tensor([[0.5, 0.4, 0.05], [0.3, 0.1, 0.09]], dtype=torch.float64).view(2, 1, 1, 3)
    weights = torch.diag(torch.tensor([1.0, 1.0, 5.0]))
    top = (images.flatten(1) @ weights.double()).topk(2, dim=1).values

    found = linear_margins(weights, torch.zeros(3), images)

    gap = top[:, 0] - top[:, 1]
    assert gap[0] < gap[1] and found[0] > found[1]


def test_an_image_that_cannot_leave_its_class_has_an_infinite_margin():
    weights, bias = torch.zeros(2, 3), torch.tensor([1.0, 0.0])

    assert linear_margins(weights, bias, torch.full((1, 1, 1, 3), 0.5)).isinf().all()
