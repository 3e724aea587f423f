"""The page's table of claims: a sentence, the numbers against their bounds, the verdict and the reason for it.

The HTML is templates/claims.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from string import Formatter
from typing import NamedTuple

from markupsafe import Markup, escape

from touchstone.claims.criteria import COUNTER, NUMBER, Book, Criterion
from touchstone.claims.measurements import EQUAL
from touchstone.claims.sentences import NOT_MEASURED, said, shown_at
from touchstone.claims.variants import Variant, counts, turned
from touchstone.claims.verdicts import DOWN, UP, Part, Verdict, is_difference, number, required
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE, NOT_RUN, shown_attacker
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE
from touchstone.evaluations.statistics.wording import RANGE, bracketed, written
from touchstone.messages import listed
from touchstone.records.metric_tables import MetricRow
from touchstone.report import markup
from touchstone.report.answers import FAILED_CHECK, NOT_UNDER_HOLM
from touchstone.report.claim_files import doubt_of, figure_text, published_figures
from touchstone.report.tables import Number, Numbers

# The words of a counter-claim, which must not be read as those of the paper's claim.
AGAINST = {word: f"counter-claim {word}" for word in (HOLDS, FAILS, INCONCLUSIVE)}
KNOWN = "fixed before the run that judges it, when the outcome of an earlier run was known"
PUNCTUATED = re.compile(r"\{\w+\}[,.;:)]+")  # a number's place and what must stay on its line


class ClaimNumber(NamedTuple):
    """A number of a claim on the page: what it is, what it had to be, and where its interval and its band end."""

    name: str
    number: Number
    required: str
    low: float = -math.inf
    high: float = math.inf
    band: tuple[float, float] | None = None  # the values that meet the criterion; None if it requires nothing
    difference: bool = False
    reason: str = ""  # why it cannot decide by itself
    how: str = ""  # it came about


class VariantLine(NamedTuple):
    """One variant of a claim on the page."""

    changed: str
    reason: str
    word: str
    number: str
    note: str


class ClaimLine(NamedTuple):
    """One claim as the page shows it.

    Attributes:
        origin: where its bound comes from; "" without a bound.
        known: whether an outcome was known when the bound was fixed or changed.
        published: the paper's figures that it is about, in words.
        says: what was found, in plain words; "" if the criterion has no sentence of its own.
        answer: the same with its numbers as buttons.
        why: how the verdict follows from the number that decided.
        when: when its criterion was fixed.
        p_values: of a decision that does not stand under Holm: its p-value and what it may be at most.
        decides: (claim, what became of it under an attacker who knows), of the claims that this criterion may break.
        variants: the same claim in variants of the experiment. carries: how many have each word. turned: where it turns.
    """

    claim: str
    paper: str
    kind: str
    setting: str
    criterion: str
    origin: str
    known: bool
    published: tuple[str, ...]
    numbers: tuple[ClaimNumber, ...]
    word: str
    attacker: str
    holm: bool | None
    says: str
    note: str
    answer: Markup = Markup()
    why: str = ""
    when: str = ""
    decides: tuple[tuple[str, str], ...] = ()
    p_values: str = ""
    variants: tuple[VariantLine, ...] = ()
    carries: str = ""
    turned: str = ""

    @property
    def marks(self) -> str:
        """What weakens the verdict, in a few words."""
        return ", ".join(filter(None, (self.not_under_holm, self.failed_check)))

    @property
    def not_under_holm(self) -> str:
        """That the verdict does not stand if all claims are judged together, or ""."""
        return NOT_UNDER_HOLM if self.holm is False else ""

    @property
    def failed_check(self) -> str:
        """That an attack behind a number with a bound failed a check, or ""."""
        return FAILED_CHECK if any(one.number.doubt for one in self.numbers if one.required) else ""

    @property
    def shown_attacker(self) -> str:
        """What an attacker who knows makes of it, where that says something."""
        return shown_attacker(self.word, self.attacker)

    @property
    def shown_word(self) -> str:
        """The verdict as the page writes it."""
        return AGAINST.get(self.word, self.word) if self.kind == COUNTER else self.word


def page_lines(
    book: Book, verdicts: Iterable[Verdict], rows: Iterable[MetricRow], doubts: Doubts
) -> tuple[list[ClaimLine], list[ClaimLine]]:
    """Return the criteria that were measured, and those that were not run, as the page shows them.

    Args:
        book: all claims.
        verdicts: one per criterion.
        rows: those of `claim_rows`, in their order.
        doubts: the checks that attacks failed; numbers computed from those attacks are marked.
    """
    verdicts = list(verdicts)
    numbers, waiting = Numbers(()), iter(rows)
    judged: list[ClaimLine] = []
    others: list[ClaimLine] = []
    for verdict in verdicts:
        criterion, parts = verdict.claim, verdict.parts
        shown = [_claim_number(part, _number(part, numbers.number(next(waiting)), doubts)) for part in parts]
        line = ClaimLine(
            claim=criterion.id,
            paper=criterion.paper,
            kind=criterion.kind,
            setting=criterion.setting,
            criterion=typeset(criterion.text),
            origin=str(criterion.origin or ""),
            known=criterion.known,
            published=tuple(f"{each.setting}: {figure_text(each)}" for each in published_figures(book, verdict)),
            numbers=tuple(shown),
            word=verdict.word,
            attacker=verdict.attacker,
            holm=verdict.holm,
            says=said(verdict) if criterion.says else "",
            note="; ".join(verdict.notes),
            answer=_answer(criterion, parts, shown) if criterion.says and parts else Markup(),
            why=_why(verdict.word, parts[0]) if parts and criterion.kind != NUMBER else "",
            when=_when(criterion),
            decides=tuple(_decided(criterion.id, verdicts)),
            p_values=_p_values(verdict) if verdict.holm is False else "",
            variants=tuple(map(_variant, verdict.variants)),
            carries=counts(verdict.variants),
            turned=turned(verdict.variants),
        )
        (judged if line.numbers and line.word != NOT_RUN else others).append(line)
    return judged, others


def _when(criterion: Criterion) -> str:
    """Return when a criterion was fixed, in words; changes after an outcome was known come first."""
    after, before = (
        list(dict.fromkeys(one.date for one in criterion.revised if one.known is known)) for known in (True, False)
    )
    if after:
        also = f"; also on {listed(before)}, before one was known" if before else ""
        return f"changed on {listed(after)}, after an outcome was known{also}"
    known = criterion.origin and criterion.origin.known
    if before and known:
        return f"changed on {listed(before)}; an outcome was known when it was fixed"
    if before:
        return f"changed on {listed(before)}, before an outcome was known"
    if criterion.kind == NUMBER:
        return ""  # it has no bound
    return KNOWN if known else "fixed before any run"


def _p_values(verdict: Verdict) -> str:
    """Return the p-value of a decision and Holm's limit for it; "" if they are not known."""
    if verdict.p_value is None or verdict.p_limit is None:
        return ""
    first = "" if verdict.p_value > verdict.p_limit else ", but a smaller p-value already missed its own limit"
    return f"its p-value is {verdict.p_value:.2g}, Holm's limit for it {verdict.p_limit:.2g}{first}"


def _decided(attack: str, verdicts: list[Verdict]) -> Iterator[tuple[str, str]]:
    """Yield the other claims that an attack may break, each with what became of it."""
    for verdict in verdicts:
        claim = verdict.claim
        if verdict.word != NOT_RUN and claim.id != attack and attack in claim.broken_by:
            yield claim.id, verdict.attacker


def _variant(variant: Variant) -> VariantLine:
    shown = number(variant.part) if variant.part else ""
    return VariantLine(variant.changed, variant.reason, variant.word, shown, "; ".join(variant.notes))


def typeset(comparisons: str) -> str:
    """Return a criterion with the signs of print; the CSV keeps those of a keyboard."""
    return comparisons.replace(">=", "≥").replace("<=", "≤")


def _claim_number(part: Part, number: Number) -> ClaimNumber:
    quantity = part.quantity
    return ClaimNumber(
        part.name,
        number,
        required(part),
        quantity.low,
        quantity.high,
        _band(part),
        is_difference(quantity),
        "; ".join(
            filter(None, (part.counted if part.few else "", "" if part.stuck is None else "its attack was stuck"))
        ),
        f"{_how(part)}; n = {quantity.n}",
    )


def _band(part: Part) -> tuple[float, float] | None:
    """Return the ends of the values that meet a bound."""
    bound, comparison = part.bound, part.condition.comparison
    if bound is None:
        return None
    if isinstance(bound, tuple):
        return bound
    if comparison in UP:
        return bound, math.inf
    if comparison in DOWN:
        return -math.inf, bound
    return bound - part.condition.tolerance, bound + part.condition.tolerance


def _answer(criterion: Criterion, parts: tuple[Part, ...], shown: list[ClaimNumber]) -> Markup:
    """Return the criterion's sentence, with its full stop, and with each number as a button."""

    def buttons(place: str, how: str) -> str:
        found = [button(part) for part in shown_at(place, criterion, parts, how)]
        return listed(found) if found else NOT_MEASURED

    def button(part: Part) -> Markup:
        one = shown[parts.index(part)]
        name = markup.breakable(part.quantity.which)
        which = Markup(" <span>({})</span>").format(name) if part.quantity.which else ""
        return markup.number(one.number, one.name) + which

    sentence = PUNCTUATED.sub(r'<span class="kept">\g<0></span>', str(escape(f"{criterion.says}.")))
    pieces = Formatter().parse(sentence)
    # All pieces are escaped.
    return Markup("".join(text + (buttons(place, how or "") if place else "") for text, place, how, _ in pieces))


def _why(word: str, part: Part) -> str:
    """Return in one sentence how the verdict follows from the number that decided."""
    asked = required(part)
    if part.notes and word == INCONCLUSIVE:  # else it decides in spite of them
        return f"The number cannot decide by itself: {'; '.join(part.notes)}."
    subject = "Every network" if part.condition.comparison == EQUAL else "The whole interval"
    reasons = {
        HOLDS: f"{subject} is {asked}.",
        FAILS: f"{'Not every network is' if part.condition.comparison == EQUAL else 'No part of the interval is'}"
        f" {asked}.",
        INCONCLUSIVE: f"The interval contains the bound, so it decides neither way ({asked}).",
    }
    return reasons.get(word, "")


def _number(part: Part, number: Number, doubts: Doubts) -> Number:
    """Return the number with the failed checks of the attacks behind it; no rounding moves it past its bound."""
    more = part.quantity.digits_beside(part.bound)
    text = written(part.quantity.value, part.quantity.unit, more)
    low, high = (end if math.isfinite(end) else None for end in part.quantity[1:3])
    interval = (
        bracketed(low, high, part.quantity.unit, more, part.method) if more and number.interval else number.interval
    )
    return number._replace(text=text, doubt=doubt_of(part, doubts), interval=interval)


def _how(part: Part) -> str:
    """Return in words which numbers it is a mean of, and what its brackets show."""
    interval = f"its {100 * CONFIDENCE:g} % interval in brackets"
    seeds = len(part.quantity.seeds)
    if part.condition.comparison == EQUAL:
        return "in brackets the least and the greatest seed"
    if part.method == RANGE:
        return f"mean of {seeds} seeds; least and greatest seed in brackets"
    if part.decider:
        return f"{part.decider}, as each had to pass; {interval}"
    if seeds > 1:
        return f"mean of {seeds} seeds; {interval}"
    return f"{f'seed {part.quantity.seeds[0]}; ' if seeds else ''}{interval}"
