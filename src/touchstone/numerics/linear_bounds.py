"""Linear bounds on a network within a box of images (CROWN).

They are sound: no image in the box violates them, whatever an attack finds.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from touchstone.numerics.layer_graphs import Affine, Box, Maximum, Node, Relu, Rows, Sum, Unbounded, layer_graph

SAME = 1e-3  # of the largest logit: rounding changes less
LARGEST = 2**20  # coefficients of one layer that are held at a time: 8 MB, which a cache holds


class Bounds:
    """Bounds on linear functions of a network's logits, valid anywhere in each image's box.

    Each ReLU is enclosed by two lines, and each maximum by a unit and a constant, from bounds on what they are given. Those
    are linear bounds, too. Of a network without ReLU and maximum the bounds are exact up to rounding. The cost is a pass
    back through the layers per hidden unit; a unit of a convolution costs no more than the positions that it sees.

    Args:
        graph: of `layer_graphs.layer_graph`.
        low: (N, C, H, W), the lower corner of each box.
        high: (N, C, H, W), the upper corner.

    References:
        Zhang et al. 2018 (CROWN); Singh et al. 2019 (DeepPoly) for maxima.
    """

    def __init__(self, graph: list[Node], low: Tensor, high: Tensor) -> None:
        self.graph = graph
        self.boxes: list[Box] = [(low.double(), high.double())]
        for place, node in enumerate(graph[1:], 1):
            source = node.inputs[0]
            if isinstance(node.layer, Relu | Maximum) and isinstance(graph[source].layer, Affine | Sum):
                self.boxes[source] = self._tightened(source)
            self.boxes.append(self._box(graph[place], [self.boxes[source] for source in node.inputs]))

    def lower(self, rows: Tensor) -> Tensor:
        """Return a lower bound (N, M) on rows (N, M, K) times the logits."""
        return self._lower(Rows(rows), len(self.graph) - 1)

    @staticmethod
    def _box(node: Node, before: list[Box]) -> Box:
        (least, most), layer = before[0], node.layer
        if isinstance(layer, Affine):
            return layer.box(before[0])
        if isinstance(layer, Sum):
            return least + before[1][0], most + before[1][1]
        if isinstance(layer, Maximum):
            return layer.windows(least).amax(2), layer.windows(most).amax(2)
        return least.clamp_min(0), most.clamp_min(0)

    def _tightened(self, place: int) -> Box:
        """Return linear bounds on every unit of a layer, where they are tighter than its box."""
        least, most = self.boxes[place]
        if all(isinstance(node.layer, Affine) for node in self.graph[1 : place + 1]):
            return least, most  # exact already
        largest = max(self.boxes[before][0][0].numel() for before in range(place + 1))
        found: list[Tensor] = []
        for units in _windows(least, max(1, LARGEST // (2 * len(least) * largest))):
            both = Rows(torch.cat([units.values, -units.values], 1), units.top, units.left)
            found.append(torch.stack(self._lower(both, place).chunk(2, 1), 1))
        # Of a flat layer the windows follow one another, of positions each has one unit per channel.
        bounds = torch.cat(found, 2) if least.dim() == 2 else torch.stack(found, 3)
        least = torch.maximum(least, bounds[:, 0].reshape(least.shape))
        return least, torch.maximum(least, torch.minimum(most, -bounds[:, 1].reshape(most.shape)))

    def _lower(self, rows: Rows, place: int) -> Tensor:
        constant = rows.values.new_zeros(())
        waiting = {place: rows}
        for at in range(place, 0, -1):
            if (rows_here := waiting.pop(at, None)) is None:
                continue
            node = self.graph[at]
            before, more = self._back(node, rows_here)
            constant = constant + more
            for source in node.inputs:
                waiting[source] = before if source not in waiting else self._added(before, waiting[source], source)
        rows = waiting[0]
        low, high = self.boxes[0]
        ends = (
            rows._replace(values=rows.values.clamp_min(0)).dot(low),
            rows._replace(values=rows.values.clamp_max(0)).dot(high),
        )
        return ends[0] + ends[1] + constant

    def _back(self, node: Node, rows: Rows) -> tuple[Rows, Tensor]:
        """Return rows over a layer's inputs, and constants, that together are never above rows over its outputs."""
        least, most = self.boxes[node.inputs[0]]
        if isinstance(node.layer, Affine):
            return node.layer.back(rows)
        if isinstance(node.layer, Relu):
            return _back_through_relu(rows, least, most)
        if isinstance(node.layer, Maximum):
            return _back_through_maximum(node.layer, rows, least, most)
        return rows, rows.values.new_zeros(())

    def _added(self, first: Rows, second: Rows, place: int) -> Rows:
        if first.values.dim() < 5 or (first.values.shape[2:], *first[1:]) == (second.values.shape[2:], *second[1:]):
            return first._replace(values=first.values + second.values)
        shape = self.boxes[place][0].shape[1:]
        return Rows(first.padded(shape) + second.padded(shape))


def checked_graph(model: nn.Module, images: Tensor) -> list[Node]:
    """Return the layers of a network, checked on its logits.

    A hook, or a sum in place whose old value is read again, leaves no trace in the graph. Bounds would not hold then.

    Args:
        model: in eval mode.
        images: (N, C, H, W), on which graph and network are compared.

    Raises:
        ValueError: a layer has no bounds, see `layer_graph`; or the layers do not compute what the network returns.
    """
    graph, values = layer_graph(model, images), [images.double()]
    with torch.no_grad():
        for node in graph[1:]:
            values.append(Bounds._box(node, [(values[source], values[source]) for source in node.inputs])[1])
        logits = model(images).double()
    if bool(((values[-1] - logits).abs() > SAME * logits.abs().max()).any()):
        raise Unbounded("no linear bounds: the network returns other logits than its layers, one after the other")
    return graph


def least_lead(graph: list[Node], low: Tensor, high: Tensor, classes: Tensor) -> Tensor:
    """Return a lower bound (N,) on how far one logit leads all others, anywhere in the box.

    It bounds each difference of logits by itself, which is tighter than to bound the logits.

    Args:
        graph: of `layer_graphs.layer_graph`.
        low: (N, C, H, W), the lower corner of each box.
        high: (N, C, H, W), the upper corner.
        classes: (N,) int64, the leading logit of each image.
    """
    bounds = Bounds(graph, low, high)
    unit = torch.eye(bounds.boxes[-1][0].shape[1], dtype=torch.float64, device=low.device)
    leads = bounds.lower(unit[classes][:, None] - unit)
    return leads.scatter(1, classes[:, None], torch.inf).amin(1)


def _back_through_relu(rows: Rows, least: Tensor, most: Tensor) -> tuple[Rows, Tensor]:
    upper = (most.clamp_min(0) / (most - least).clamp_min(1e-300)).where(least < 0, torch.ones_like(most))
    upper = upper.where(most > 0, torch.zeros_like(most))
    # Below an undecided ReLU any line through 0 of slope 0 to 1 is sound; this one encloses the least area.
    lower = torch.where(most > -least, 1.0, 0.0).to(most).where(least < 0, torch.ones_like(most))
    down = rows._replace(values=rows.values.clamp_max(0))
    constant = down.dot(upper * (-least).clamp_min(0))
    return rows._replace(values=rows.values * rows.of(lower) + down.values * rows.of(upper - lower)), constant


def _back_through_maximum(layer: Maximum, rows: Rows, least: Tensor, most: Tensor) -> tuple[Rows, Tensor]:
    least_parts, most_parts = layer.windows(least), layer.windows(most)
    leader = least_parts.argmax(2, keepdim=True)
    is_leader = torch.zeros_like(least_parts).scatter(2, leader, 1.0)
    others = most_parts.masked_fill(is_leader > 0, -torch.inf).amax(2)
    # A maximum is at least its leader, the unit of the greatest lower bound. It exceeds the leader by `lead` at most. If
    # another unit can be greater than the leader ever is, that unit's greatest value is the better bound.
    follows = others <= most_parts.gather(2, leader)[:, :, 0]
    lead = (others - least_parts.amax(2)).clamp_min(0)
    down = rows._replace(values=rows.values.clamp_max(0))
    constant = down.dot(torch.where(follows, lead, most_parts.amax(2)))
    on_leader = rows.values.clamp_min(0) + down.values * rows.of(follows.to(least))
    parts = rows._replace(values=on_leader).padded(follows.shape[1:])[:, :, :, None] * is_leader[:, None]
    before = layer.back(parts.flatten(0, 1), least.shape[1:])
    return Rows(before.view(*parts.shape[:2], *before.shape[1:])), constant


def _windows(layer: Tensor, most: int) -> Iterator[Rows]:
    """Yield unit vectors over all units of a layer: those of one position, or at most `most` of a flat layer."""
    size = layer.shape[1]
    unit = torch.eye(size, dtype=layer.dtype, device=layer.device)[None]
    if layer.dim() == 2:
        for start in range(0, size, most):
            yield Rows(unit[:, start : start + most])
        return
    for top in range(layer.shape[2]):
        for left in range(layer.shape[3]):
            yield Rows(unit[..., None, None], top, left)
