"""The chapters of the page: one per paper, from its idea to its answer, its claims and its measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from touchstone.claims.criteria import SHARED
from touchstone.report.answers import Verdict, opening_claims, worth
from touchstone.report.chapters import Chapter
from touchstone.report.claim_table import ClaimLine
from touchstone.report.pictures import Picture

ANSWERS = 4  # sentences that open a chapter of a paper that chooses none
OPEN_CHAPTERS = 5  # of the first papers; those of further papers are folded, so that the page stays short


@dataclass(frozen=True)
class System:
    """One paper as the page shows it.

    Attributes:
        limits: what a reviewer may still dispute. unfair: what the paper's authors would still call unfair.
        about: {published figure: the criteria that are about it}.
        opening: the paper's first claim and the first counter-claim against it, whose sentences open the page.
        answers: claims whose sentences answer the paper's question, the most important first.
        hero: the picture that opens the chapter, the first of the paper's figures.
        folded: whether the chapter is closed when the page is opened.
    """

    name: str
    title: str
    idea: str
    change: str
    limits: list[str]
    unfair: list[str]
    about: dict[str, list[str]]
    opening: list[ClaimLine]
    answers: list[ClaimLine]
    claims: list[ClaimLine]
    hero: Picture | None
    chapters: list[Chapter]
    folded: bool = False

    @property
    def worth(self) -> str:
        """What the verdicts of its opening say together."""
        return worth(Verdict(line.kind, line.word, line.attacker, bool(line.published)) for line in self.opening)

    @property
    def anchors(self) -> str:
        """The ids inside its packed parts, for links that lead there."""
        return " ".join(anchor for chapter in self.chapters for anchor in chapter.anchors)


def systems(
    papers: Mapping[str, Mapping[str, Any]], chapters: list[Chapter], pictures: list[Picture], claims: list[ClaimLine]
) -> list[System]:
    """Return the papers in their order, then what belongs to none; only those with chapters.

    Args:
        papers: {paper: the content of its claims.yaml}.
        chapters: one per evaluation.
        pictures: in the order of the study's figures.
        claims: those that were judged by numbers.
    """
    every = {**papers, SHARED: {"name": "Data and common ground"}}
    found = [
        _system(name, facts, own, pictures, [line for line in claims if line.paper == facts["name"]])
        for name, facts in every.items()
        if (own := [chapter for chapter in chapters if chapter.system == name])
    ]
    return [replace(one, folded=place >= OPEN_CHAPTERS and one.name != SHARED) for place, one in enumerate(found)]


def _system(
    name: str, facts: Mapping[str, Any], chapters: list[Chapter], pictures: list[Picture], claims: list[ClaimLine]
) -> System:
    evaluations = {chapter.name for chapter in chapters}
    by_id = {line.claim: line for line in claims if line.answer}
    opening = opening_claims(facts, {name: line.kind for name, line in by_id.items()})
    # In the order of the page's opening, whatever the order of the paper's `answers`.
    chosen = dict.fromkeys([*opening, *facts["answers"]] if facts.get("answers") else list(by_id)[:ANSWERS])
    return System(
        name=name,
        title=facts.get("title", facts["name"]),
        idea=facts.get("idea", ""),
        change=facts.get("change", ""),
        limits=list(facts.get("limits", ())),
        unfair=list(facts.get("unfair", ())),
        about={
            figure: [name for name, block in facts["criteria"].items() if figure in block.get("scales", ())]
            for figure in facts.get("published", {})
        },
        opening=[by_id[claim] for claim in opening],
        answers=[by_id[claim] for claim in chosen if claim in by_id],
        claims=claims,
        hero=next((picture for picture in pictures if picture.evaluation in evaluations), None),
        chapters=chapters,
    )
