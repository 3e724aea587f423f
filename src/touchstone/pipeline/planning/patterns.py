"""The files of a rule as patterns, to find the rule that makes a file."""

from __future__ import annotations

import re
from functools import cache

SEED = "seed"  # the wildcard for a number
NETWORKS = ("trained", "net", "victim", SEED)  # for a network or its seed: too many values for one pattern each


def starred(path: str) -> str:
    """Return a path with a star for each network and seed.

    Each may be a name or a wildcard: cnn.0, {net}, unet.{seed}; 3.zip, {seed}.zip.
    """
    networks = r"\{(?:trained|net|victim)\}|[a-z][a-z0-9_]*\.(?:\d+|\{seed\})"
    return re.sub(rf"{networks}|(?<=/)(?:\d+|\{{seed\}})(?=/|\.[a-z]+$)", "*", path)


@cache
def as_pattern(path: str) -> str:
    """Return the regular expression of a path with wildcards.

    A wildcard has the same value wherever it occurs.
    """
    parts, seen = [], set[str]()
    for part in re.split(r"(\{[a-z]+\})", path):
        name = part[1:-1]
        if not part.startswith("{"):
            parts.append(re.escape(part))
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(rf"(?P<{name}>\d+)" if name == SEED else rf"(?P<{name}>[a-z][a-z0-9_]*\.\d+)")
    return "".join(parts)
