"""The contract tests of one component only, as `touchstone check FILE.py` runs them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--component", metavar="NAME", help="only the tests that take this component as their `name`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    component = config.getoption("--component", None)
    if component is None:
        return
    chosen = [item for item in items if isinstance(item, pytest.Function) and _takes(item, component)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _takes(item: pytest.Function, component: str) -> bool:
    return hasattr(item, "callspec") and item.callspec.params.get("name") == component
