"""Layers of a traced network that later layers change in place, which no graph of layers shows."""

from __future__ import annotations

from torch import fx, nn

_VIEWS = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten)  # in eval mode their output shares its input's memory


def read_after_overwriting(node: fx.Node, module: object, modules: dict[str, nn.Module]) -> bool:
    """Return whether a layer works in place on values that another layer reads, too.

    With h = relu(x, inplace=True), a later x is h. The traced graph shows the x of before.

    Args:
        node: the layer in the traced graph.
        module: what the layer does, as a module.
        modules: all modules of the network, by name.
    """
    if not getattr(module, "inplace", False) and True not in (*node.args[1:], *node.kwargs.values()):
        return False
    source = node.args[0]
    while isinstance(source, fx.Node):
        if len(source.users) > 1:
            return True
        view = source.op == "call_module" and isinstance(modules[str(source.target)], _VIEWS)
        source = source.args[0] if view or "flatten" in str(source.target) else None
    return False
