"""The roles that an experiment.yaml gives to all claims at once, under `claims: shared`."""

from __future__ import annotations

from typing import Any


def blocks_of(section: Any) -> dict[str, dict[str, Any]]:
    """Return the entries of a section that are blocks; the others are refused elsewhere."""
    return (
        {key: block for key, block in section.items() if isinstance(block, dict)} if isinstance(section, dict) else {}
    )


def unknown_shared(facts: dict[str, Any], questions: dict[str, Any]) -> list[str]:
    """Return the shared roles of a paper's claims that none of its criteria has."""
    criteria = blocks_of(facts.get("criteria")).values()
    known = {role for criterion in criteria for role in _roles_of(criterion)}
    return [role for role in blocks_of(questions.get("claims")).get("shared", {}) if role not in known]


def _roles_of(criterion: dict[str, Any]) -> dict[str, Any]:
    roles = criterion.get("roles")
    return roles if isinstance(roles, dict) else {}


def without_shared(facts: dict[str, Any], questions: dict[str, Any]) -> dict[str, Any]:
    """Return a paper's sections, the shared roles of its claims given to each claim that has them."""
    claims = questions.get("claims")
    if not isinstance(claims, dict) or not isinstance(claims.get("shared"), dict):
        return questions
    shared = claims["shared"]
    roles = {name: _roles_of(criterion) for name, criterion in blocks_of(facts.get("criteria")).items()}
    filled = {
        name: {role: entry for role, entry in shared.items() if role in roles.get(name, ())} | block
        if isinstance(block, dict)
        else block
        for name, block in claims.items()
        if name != "shared"
    }
    return questions | {"claims": filled}
