"""Groups of entries, and the data roles that stand behind them: where they are written, and which a study gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.problems import Problems
from touchstone.settings.roles import role_in
from touchstone.settings.study_layers import GROUPS
from touchstone.settings.values import shown


def groups_of(written: dict[str, Any], file: Path, at: Place, problems: Problems) -> dict[str, Any]:
    """Return the groups of a file; record where they stand, and those without entries."""
    for name, words in written.items():
        problems.written(("groups", name), file, (*at, name))
        if not words:
            problems.add((*at, name), f"a group has at least one entry, got {shown(words)}", file)
    return written


def check_known(
    known: set[str], groups: dict[str, Any], players: dict[str, Any], sentences: dict[str, str], problems: Problems
) -> None:
    """Record the groups and data roles of a study that no file names: they would change nothing."""
    for name in groups:
        if name in sentences:
            problems.add(("change", GROUPS, name), "is a data role; write it in data", problems.own)
        elif name not in known:
            reason = f"nothing names a group {name}.{nearest(name, known)}"
            problems.add(("change", GROUPS, name), reason, problems.own)
    for role in players:
        if role not in known:
            listed = ", ".join(sentences)
            reason = f"no paper reads this role. Roles are {listed}.{nearest(role, sentences)}"
            problems.add(("data", role), reason, problems.own)


def data_role(name: str, groups: dict[str, Any], players: dict[str, Any]) -> str:
    """Return the one data role whose sets a group or role stands for; "" if there is none."""
    seen: set[str] = set()
    while name and name not in players and name not in seen:
        seen.add(name)
        words = groups.get(name)
        only = words[0] if isinstance(words, list) and len(words) == 1 else words
        name = role_in(only) if isinstance(only, str) else ""
    return name if name in players else ""


def given(groups: dict[str, Any], sentences: dict[str, str]) -> dict[str, Any]:
    """Return groups without the data roles that the study does not give; a group with nothing left is not given either."""
    lacking = {f"${role}" for role in sentences.keys() - groups.keys()}
    while True:
        kept = {
            name: [one for one in words if not isinstance(one, str) or one not in lacking]
            if isinstance(words, list)
            else words
            for name, words in groups.items()
        }
        kept = {
            name: words for name, words in kept.items() if words and not (isinstance(words, str) and words in lacking)
        }
        more = {f"${name}" for name in groups.keys() - kept.keys()}
        if not more:
            return kept
        lacking, groups = lacking | more, kept
