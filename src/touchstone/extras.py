"""Packages that only some uses need: the extra that installs each, and the message if it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

DISTRIBUTION = "touchstone-robustness"  # the wheel of a release; it is on no package index
PACKAGES = {  # the extra of pyproject.toml: the modules that it adds
    "workflow": ("snakemake", "snakemake_interface_logger_plugins", "dvc", "rich", "rocrate"),
    "data": ("sklearn", "skimage", "torchvision", "pooch", "requests"),
    "reports": ("matplotlib", "jinja2", "markupsafe", "pandas"),
}
EXTRAS = {module: extra for extra, modules in PACKAGES.items() for module in modules}


class MissingPackage(ImportError, ValueError):
    """A package of an extra is not installed; the message says how to install it."""


def is_installed(extra: str) -> bool:
    """Return whether every package of an extra is installed."""
    return all(find_spec(module) is not None for module in PACKAGES[extra])


def install(extra: str) -> str:
    """Return how to install an extra, as the end of a message."""
    return f"pip install 'FILE.whl[{extra}]' with the release's wheel, or in a clone pip install '.[{extra}]'"


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn a failed import of an optional package inside the block into a message that names its extra.

    Args:
        what: needs the package, as the first words of the message.

    Raises:
        MissingPackage: an optional package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        raise MissingPackage(
            f"{what} needs the package {module}, which is not installed: {install(EXTRAS[module])}"
        ) from error
