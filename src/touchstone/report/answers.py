"""The sentences that open a report: per paper, what it claims and what a counter-claim found, from the table of claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from touchstone.claims.criteria import COUNTER, NUMBER
from touchstone.claims.words import BROKEN, FAILS, HOLDS, INCONCLUSIVE, NOT_RUN, SURVIVES, UPPER_BOUND, in_words
from touchstone.messages import listed

Line = Mapping[str, str]  # of claims.csv
FALLS, FAILED = "does not stand", "failed"  # in the columns holm and checks
OURS = "our own questions, for which no figure of the papers was read"
KNOWN = "a bound fixed or changed after an earlier run had shown an outcome; networks trained later judge them"
FOUND = {HOLDS: "hold{} here", FAILS: "fail{} here", INCONCLUSIVE: "stay{} open"}  # of promises
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
NOT_UNDER_HOLM, FAILED_CHECK = "not under Holm", "⚠ failed check"


class Answer(NamedTuple):
    """What a paper's idea is worth here.

    Attributes:
        title: of the paper's chapter.
        lines: of the claims whose sentences answer, the paper's own claim first.
    """

    title: str
    lines: list[Line]

    @property
    def worth(self) -> str:
        """What their verdicts say together; "" if they say nothing of a promise."""
        return worth(
            Verdict(line["kind"], line["status"], line["attacker"], bool(line.get("published"))) for line in self.lines
        )

    @property
    def heading(self) -> str:
        """The title, and what the idea is worth."""
        return f"{self.title}. {self.worth}." if self.worth else self.title


def answers(papers: Mapping[str, Mapping[str, Any]], lines: Iterable[Line]) -> list[Answer]:
    """Return the answer of each paper that has one, in the order in which the table names the papers.

    Args:
        papers: {paper: the content of its claims.yaml}.
        lines: of the table of claims.
    """
    by_name = {facts["name"]: facts for facts in papers.values()}
    measured: dict[str, dict[str, Line]] = {}
    for line in lines:
        if line["says"] and line["status"] != NOT_RUN:
            measured.setdefault(line["paper"], {})[line["claim"]] = line
    found = []
    for name, own in measured.items():
        facts = by_name.get(name, {"name": name})
        if opening := opening_claims(facts, {claim: line["kind"] for claim, line in own.items()}):
            found.append(Answer(facts.get("title", name), [own[claim] for claim in opening]))
    return found


class Verdict(NamedTuple):
    """What became of a claim.

    Attributes:
        kind: of the claim.
        status: whether it holds.
        attacker: what an attacker who knows makes of it.
        published: whether a paper promises it; else it is ours.
    """

    kind: str
    status: str
    attacker: str
    published: bool


def worth(verdicts: Iterable[Verdict]) -> str:
    """Return in one sentence what an idea is worth here: whether its promises hold, and under a stronger attacker.

    Args:
        verdicts: of the claims that open a report. Those that no paper promises are left out if there are others.
    """
    given = list(verdicts)
    own = [one for one in given if one.kind not in (COUNTER, NUMBER)]
    promises = [one for one in own if one.published] or own
    counts = Counter(one.status for one in promises if one.status in FOUND)
    if not counts:
        return ""
    found = [(counts[status], text) for status, text in FOUND.items() if counts[status]]
    if len(found) > 1:
        said = [f"{NUMBERS.get(count, count)} {text.format('s' * (count == 1))}" for count, text in found]
        words = f"Of {NUMBERS.get(counts.total(), counts.total())} promises {listed(said)}"
    else:
        ((count, text),) = found
        whose = {1: "The promise", 2: "Both promises"}.get(count, "All promises")
        words = f"{whose} {text.format('s' * (count == 1))}"
    against = {one.status for one in given if one.kind == COUNTER}
    attackers = {one.attacker for one in promises}
    if all(one.status == FAILS for one in promises):
        return words
    if BROKEN in attackers or HOLDS in against:
        return f"{words}; a stronger attacker than the paper's breaks the method"
    if INCONCLUSIVE in against:
        return f"{words}; whether a stronger attacker than the paper's breaks the method is undecided"
    if UPPER_BOUND in attackers and counts[HOLDS]:
        return f"{words}, under all our attacks; a stronger one may break the method"
    return f"{words}, also under attackers who know it" if attackers == {SURVIVES} else words


def opening_claims(facts: Mapping[str, Any], kinds: Mapping[str, str]) -> list[str]:
    """Return the claims that open a report: those that the paper's file names, or its first claim and counter-claim.

    The paper's `answers` come before its other claims; numbers without a bound do not open.

    Args:
        facts: the content of its claims.yaml.
        kinds: {claim: its kind}, of the claims that were measured.
    """
    if opening := [name for name in facts.get("opening") or () if kinds.get(name, NUMBER) != NUMBER]:
        return opening
    named = [name for name in dict.fromkeys((*(facts.get("answers") or ()), *kinds)) if name in kinds]
    counter = [name for name in named if kinds[name] == COUNTER]
    own = [name for name in named if kinds[name] not in (COUNTER, NUMBER)]
    return [*own[:1], *counter[:1]]


def outcome(line: Line) -> str:
    """Return the verdict on a claim in words: "holds (not under Holm); attacker who knows: broken"."""
    weak = weakened(line)
    if line["kind"] == COUNTER:
        return f"counter-claim {line['status']}{weak}"
    words = in_words(line["status"], line["attacker"])
    return f"{line['status']}{weak}{words.removeprefix(line['status'])}"


def weakened(line: Line) -> str:
    """Return in brackets what weakens a verdict: that it does not stand under Holm, or that a check failed; "" if nothing.

    A table of an earlier version does not say whether checks failed.
    """
    marks = (NOT_UNDER_HOLM if line.get("holm") == FALLS else "", FAILED_CHECK if line.get("checks") == FAILED else "")
    return f" ({', '.join(filter(None, marks))})" if line["status"] and any(marks) else ""
