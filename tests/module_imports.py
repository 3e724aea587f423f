"""The modules that Python code imports, read without running it."""

import ast
from collections.abc import Iterator


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the modules that a node imports when it runs; imports that only type checkers see are not among them."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children = iter(node.orelse)
    for child in children:
        yield from imported(child)
