"""The exact least value of a linear function of a small ReLU network's logits, by a mixed-integer linear program."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp


def exact_least(weights, biases, row, low, high):
    """Return the minimum over the box [low, high] of row @ logits.

    weights and biases: of the affine layers, with a ReLU between every two. Each ReLU y = max(x, 0) is y >= 0, y >= x,
    y <= high * on, y <= x - low * (1 - on) with a binary `on` (Tjeng et al. 2019). Variables: pixels, then per hidden layer
    the y and the `on` of its units.
    """
    sizes = [len(low), *(2 * len(bias) for bias in biases[:-1])]
    starts = np.cumsum([0, *sizes])
    matrices, least_sides, lower, upper = [], [], [*low], [*high]
    integral = [0] * len(low)
    least, most = np.array(low), np.array(high)
    for layer, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
        units, inputs = weight.shape
        middle, radius = weight @ (least + most) / 2 + bias, abs(weight) @ (most - least) / 2
        before, after = middle - radius, middle + radius
        ys = slice(starts[layer + 1], starts[layer + 1] + units)
        ons = slice(starts[layer + 1] + units, starts[layer + 2])
        xs = slice(starts[layer], starts[layer] + inputs)
        for matrix_y, matrix_x, matrix_on, side in (
            (np.eye(units), -weight, np.zeros((units, units)), bias),  # y - x >= 0
            (-np.eye(units), np.zeros_like(weight), np.diag(np.maximum(after, 0)), np.zeros(units)),  # high on - y >= 0
            (
                -np.eye(units),
                weight,
                np.diag(np.minimum(before, 0)),
                np.minimum(before, 0) - bias,
            ),  # x - y >= low (1 - on)
        ):
            part = np.zeros((units, starts[-1]))
            part[:, ys], part[:, xs], part[:, ons] = matrix_y, matrix_x, matrix_on
            matrices.append(part)
            least_sides.append(side)
        least, most = np.maximum(before, 0), np.maximum(after, 0)
        lower += [0.0] * (2 * units)
        upper += [*most, *np.ones(units)]
        integral += [0] * units + [1] * units
    cost = np.zeros(starts[-1])
    cost[starts[-2] : starts[-2] + weights[-1].shape[1]] = row @ weights[-1]
    result = milp(
        cost,
        constraints=[LinearConstraint(np.concatenate(matrices), np.concatenate(least_sides), np.inf)],
        integrality=integral,
        bounds=Bounds(lower, upper),
        options={"mip_rel_gap": 0.0},
    )
    assert result.success, result.message
    return result.fun + row @ biases[-1]
