"""The variants of one claim of a paper: the same criterion, with other entries in its roles."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from touchstone.claims.criteria import Book, Chosen, Criterion
from touchstone.claims.file_checks import ClaimError, check_block, check_names, number
from touchstone.claims.variant_files import KEYS, LABEL, MOST, in_variant, read_gate
from touchstone.settings.claim_roles import Players, players
from touchstone.settings.files import Place
from touchstone.settings.layers import Files
from touchstone.settings.papers import Paper
from touchstone.settings.problems import Problems
from touchstone.settings.roles import Roles, filled_in, mentioned
from touchstone.settings.sections import Entry
from touchstone.settings.study_models import MULTIVERSE, Grade
from touchstone.settings.unmeasured import unmeasured

GRADE = ("grades", MULTIVERSE)


def resolve_variants(
    files: Files, roles: Roles, resolved: Mapping[str, Any], removed: Collection[Entry], problems: Problems
) -> dict[str, Any]:
    """Return {claim: its gate and its variants, each with who plays all roles} of the papers at the grade multiverse.

    Args:
        files: of the study.
        roles: data roles and groups, with their entries.
        resolved: the settings of all sections, with the claims.
        removed: the entries that left the study.
        problems: receives every mistake.
    """
    tried: dict[str, Any] = {}
    for paper, grade in files.tried:
        try:
            criterion = _claim(paper, grade, files.book)
            read_gate((*GRADE, "gate"), grade.gate, criterion)
        except ClaimError as error:
            problems.add(error.place, error.message, paper.file)
            continue
        cast = resolved["claims"].get(criterion.id)
        if not isinstance(cast, dict):  # the study lacks what the claim is about, and the page says so
            continue
        variants: dict[str, Any] = {}
        known = {"": _settings(criterion, cast, None, resolved)}
        for name, block in grade.variants.items():
            place = (*GRADE, "variants", name)
            try:
                own = _variant(
                    place, block, criterion, cast, filled_in(block, roles), resolved, removed, paper, problems
                )
            except ClaimError as error:
                problems.add(error.place, error.message, paper.file)
                continue
            settings = _settings(criterion, own["roles"], own["eps"], resolved)
            same = next((other for other, each in known.items() if each == settings), None)
            if same is not None:
                as_what = f"as {same}" if same else "as the claim itself, so it changes nothing"
                problems.add(place, f"its entries have the same settings {as_what}", paper.file)
            known[name], variants[name] = settings, own
        tried[criterion.id] = {"gate": grade.gate, "variants": variants}
    return tried


def _claim(paper: Paper, grade: Grade, book: Book) -> Criterion:
    """Return the claim that a paper tries."""
    own = list(paper.facts.get("criteria") or {})
    if grade.claim is None:
        raise ClaimError(GRADE, f"claim is missing; name the claim that is tried, one of {', '.join(own)}")
    check_names((*GRADE, "claim"), [grade.claim], own, "the claim")
    if not 1 <= len(grade.variants) <= MOST:
        raise ClaimError((*GRADE, "variants"), f"expected 1 to {MOST} variants, got {len(grade.variants)}")
    criterion = book.criteria[grade.claim]
    if not any(test.comparison for test in criterion.tests):
        raise ClaimError((*GRADE, "claim"), f"{grade.claim} has no bound, so no variant of it can hold or turn")
    return criterion


def _variant(
    place: Place,
    block: Any,
    criterion: Criterion,
    cast: Players,
    filled: Any,
    resolved: Mapping[str, Any],
    removed: Collection[Entry],
    paper: Paper,
    problems: Problems,
) -> dict[str, Any]:
    """Return one variant with who plays all roles of the claim.

    Raises:
        ClaimError: a key is missing, unknown or of the wrong type.
    """
    check_block(place, block, KEYS, required=("changed", "reason"))
    for key, most in (("changed", LABEL), ("reason", 400)):
        if not isinstance(block[key], str) or not 1 <= len(block[key].strip()) <= most:
            raise ClaimError((*place, key), f"expected text of at most {most} letters, got {block[key]!r}")
    eps = None if block.get("eps") is None else number((*place, "eps"), block["eps"])
    full: dict[str, Any] = {}
    for key in ("roles", "kind"):
        own = filled.get(key, {})
        check_block((*place, key), own)
        for keys, role in mentioned(own):
            raise ClaimError((*place, key, *keys), f"no data role or group {role}")
        at = ("variants", criterion.id, *place[2:], key)
        problems.written(at, paper.file, (*place, key))
        found = players(at, criterion, {**cast, **own}, {}, resolved, removed, problems)
        if isinstance(found, Entry):
            raise ClaimError((*place, key), f"{found.name} ({found.section}) is not in this study")
        full[key] = found
    return {"changed": block["changed"].strip(), "reason": block["reason"].strip(), "eps": eps} | full


def _settings(criterion: Criterion, cast: Chosen, eps: float | None, resolved: Mapping[str, Any]) -> Any:
    """Return what plays the roles of a claim, by its settings and without its seeds: names do not tell entries apart."""

    def content(section: str, name: str) -> dict[str, Any]:
        return {key: value for key, value in resolved[section].get(name, {}).items() if key != "seeds"}

    return eps, {
        role: [content(criterion.roles[role].section, name) for name in ([entry] if isinstance(entry, str) else entry)]
        for role, entry in cast.items()
    }


def variants_without_numbers(book: Book, resolved: Mapping[str, Any]) -> Iterator[str]:
    """Yield which variants will have no word, because no evaluation makes a number of theirs."""
    for claim, tried in resolved.get("variants", {}).items():
        for name, variant in tried["variants"].items():
            criterion = in_variant(book.criteria[claim], variant)
            reasons = dict.fromkeys(reason for _, reason in unmeasured(criterion, variant["roles"], resolved))
            if reasons:
                yield f"variant {name} of {claim} will have no word: {'; '.join(reasons)}"
