"""The report as a README: what a git host shows of a study, for readers who install nothing.

It has the same sentences as the page, in the same order. Whatever a reader may want beyond it, such as where a number
comes from, is on the page and in the tables beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from touchstone.claims.contrasts import Contrast
from touchstone.claims.criteria import CLAIM, COUNTER, NUMBER
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE, NOT_RUN, shown_attacker
from touchstone.messages import listed
from touchstone.report import overview, packing, variant_grid
from touchstone.report.answers import KNOWN, OURS, Answer, Line, answers, outcome, weakened
from touchstone.report.markup import is_web_address
from touchstone.report.tables import Table

NAME = "README.md"
WORDS = (
    "A claim *holds* or *fails* if its whole 95 % interval is on one side of a bound that was fixed before the run that "
    "judges it; else it is *inconclusive*. An attacker who knows the defence has *broken* it, or what is left is an *upper "
    "bound only*. A counter-claim is ours, against the method: if it holds, the method fails there. *Not under Holm*: the "
    "verdict does not stand if all claims are judged together. *Failed check*: an attack behind the numbers may be too "
    "weak. A claim about several sets is shown by the weakest, as each has to hold."
)
TERMS = (
    "AUROC says how well a score separates two sets of images: 1 is perfectly, .5 is chance. An attack changes no pixel by "
    "more than eps, a share of the range of pixels; FGSM does so in one step, PGD in many."
)
TURNED = re.compile(r"in a variant, ([^;]+?): turns, ([^;]+)")  # in the note on a claim
MARKS = re.compile(r"([\\|*_<`]|&(?=#?\w+;)|(?<=\])\()")  # what Markdown would not show as it stands


def readme(
    *,
    study: str,
    title: str,
    studied: str,
    papers: Mapping[str, Mapping[str, Any]],
    lines: Sequence[Line],
    contrasts: Sequence[Contrast] = (),
    measured: Table | None = None,
) -> str:
    """Return a study's report in Markdown, the same for the same arguments.

    Args:
        study: its name.
        title: of the study.
        studied: what was studied, in one sentence.
        papers: {paper: the content of its claims.yaml}.
        lines: of claims.csv.
        contrasts: what the picture at the head of the page shows; none if there is no such picture.
        measured: the table that opens the page of a study without claims; None if it has none.
    """
    parts = [
        f"# {_plain(title)}",
        f'{studied} Brackets are 95 % intervals; with "to", the least and the greatest network.',
    ]
    found = answers(papers, lines)
    if found:
        parts += ["## In short", "\n".join(map(_answer, found)), TERMS]
    if contrasts:
        alt = f"{overview.takeaway(list(contrasts))}."
        parts += [f"![{_plain(alt)}](figures/{overview.NAME}.svg)", _marks(contrasts)]
    if measured:
        parts.append(_rows(("measured", "value"), [(*line.words, _value(line.numbers[0])) for line in measured.lines]))
    asked = [line for line in lines if line["status"] != NOT_RUN]
    if asked:
        parts += ["## Claims", f"{WORDS} {_counts(lines)}"]
        for facts in papers.values():
            parts += _paper(facts, [line for line in asked if line["paper"] == facts["name"]])
    parts += ["## Behind these numbers", _behind(study, lines)]
    return "\n\n".join(parts) + "\n"


def index(readmes: Mapping[str, str]) -> str:
    """Return the README of a folder of reports: of each study the answers and the picture, and links to the rest.

    Args:
        readmes: {study: its `readme`}, in the order to be shown.
    """
    parts = ["# Reports", f"What each study found when it last ran. Nothing has to be installed. {TERMS}"]
    for study, text in readmes.items():
        title, *opening = text.partition("\n\n## Claims\n")[0].split("\n\n")
        parts.append(f"## [{title.removeprefix('# ')}]({study}/{NAME})")
        shown = (one for one in opening if one[:1] not in "#|" and one != TERMS)
        parts += [one.replace("](figures/", f"]({study}/figures/") for one in shown]
        page = f"[the page]({study}/report.html) with every number and figure, to download and open in a browser"
        parts.append(f"[Every claim with a sentence]({study}/{NAME}#claims); {page}.")
    return "\n\n".join(parts) + "\n"


def _answer(answer: Answer) -> str:
    sentences = (
        f"  - {_plain(line['says'])}. **{line['claim']}: {outcome(line)}** {_plain(_carries(line))}".rstrip()
        for line in answer.lines
    )
    return "\n".join([f"- **{_plain(answer.heading)}**", *sentences])


def _carries(line: Line) -> str:
    """Return in how many variants of the experiment a claim holds, and with which it turns; "" if none was tried."""
    if not line.get("variants"):
        return ""
    turns = [f"{changed} ({number})" for changed, number in TURNED.findall(line["note"])]
    where = f" It turns with {listed(turns)}." if turns else ""
    return f"In variants of the experiment, one change each: {line['variants']}.{where}"


def _marks(contrasts: Iterable[Contrast]) -> str:
    """Return the picture's numbers as a table."""
    rows = []
    for one in contrasts:
        cells = [
            f"{overview.shown(part.quantity)} ({part.name.split(':')[0]})" if part else "–"
            for part in (one.unaware, one.aware, one.reference)
        ]
        also = f"; {overview.shown(one.also.quantity)}: {one.also.name.split(':')[0]}" if one.also else ""
        rows.append((f"{one.system}: {one.shows}{also}", *cells))
    return _rows(("", overview.TESTED, overview.STRONGEST, overview.WITHOUT), rows)


def _value(number: Any) -> str:
    return f"{number.text} {number.interval}".strip() if number else "–"


def _paper(facts: Mapping[str, Any], lines: Sequence[Line]) -> Iterator[str]:
    """Yield the chapter of one paper: its idea, its claims with a sentence each, and what its authors may call unfair."""
    if not lines:
        return
    yield f"### {_plain(facts.get('title', facts['name']))}"
    works = [
        f"[{_plain(work['cite'])}]({work['url']})" if is_web_address(work.get("url")) else _plain(work.get("cite", ""))
        for work in (facts, *facts.get("other_works", ()))
    ]
    yield " ".join(filter(None, (_plain(facts.get("idea", "")), *works)))
    judged = [line for line in lines if line["kind"] != NUMBER]
    if judged:
        heads = ("claim", "what was found", "verdict", "attacker who knows")
        yield _rows(heads, [(line["claim"], _sentence(line), *_words(line)) for line in judged])
    for line in judged:
        if carried := _carries(line):
            yield f"![{line['claim']}. {_plain(carried)}](figures/{variant_grid.name_of(line['claim'])}.svg)"
    numbers = [line for line in lines if line["kind"] == NUMBER]
    if numbers:
        table = _rows(("", "what was measured"), [(line["claim"], _sentence(line)) for line in numbers])
        yield f"<details><summary>Numbers without a bound ({len(numbers)})</summary>\n\n{table}\n\n</details>"
    if unfair := facts.get("unfair"):
        listed = "\n".join(f"- {_plain(one)}" for one in unfair)
        yield f"<details><summary>What its authors may call unfair ({len(unfair)})</summary>\n\n{listed}\n\n</details>"
    if fixed := facts.get("fixed"):
        yield f"The bounds were fixed by commit `{fixed['commit']}` on {fixed['date']}."


def _counts(lines: Sequence[Line]) -> str:
    """Return how many claims have each verdict, which are ours, and of how many that hold the outcome was known."""
    own = [line for line in lines if line["kind"] == CLAIM]
    ours = [line["claim"] for line in own if not line["published"]]
    by_word = {word: [line for line in own if line["status"] == word] for word in (HOLDS, FAILS, INCONCLUSIVE, NOT_RUN)}
    counts = ", ".join(f"{word} {len(found)}" for word, found in by_word.items() if found)
    absent = f" ({', '.join(line['claim'] for line in by_word[NOT_RUN])})" if by_word[NOT_RUN] else ""
    known = sum(line["known"] == "yes" for line in by_word[HOLDS])
    when = f" Of those that hold, {known} have {KNOWN}." if known else ""
    asked = f" {listed(ours)}: {OURS}." if ours else ""
    return f"Of {len(own)} claims: {counts}{absent}.{asked}{when}"


def _sentence(line: Line) -> str:
    return f"{line['says'] or line['setting']}."


def _words(line: Line) -> tuple[str, str]:
    if line["kind"] == COUNTER:
        return outcome(line), ""
    return line["status"] + weakened(line), shown_attacker(line["status"], line["attacker"])


def _behind(study: str, lines: Sequence[Line]) -> str:
    files = [
        f"- [{packing.METRICS}]({packing.METRICS}): every number, with its interval, its images and the files behind it"
    ]
    if lines:
        files.append(
            "- [claims.csv](claims.csv): every claim, with its criterion, its bound and the numbers that decided"
        )
    files.append(
        "- [report.html](report.html): the page, on which each number opens the files, settings and code behind it"
    )
    judged = next((line["claim"] for line in lines if line["status"] not in ("", NOT_RUN)), None)
    commands = [f"touchstone run {study}", f"touchstone audit {study}"]
    if judged:
        commands[1:1] = [f"touchstone show {study} --number {judged}", f"touchstone trace {study} --number {judged}"]
    return "\n".join(files) + "\n\n```\n" + "\n".join(commands) + "\n```"


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [heads, ["---"] * len(heads), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it stands, on one line."""
    return MARKS.sub(r"\\\1", " ".join(text.split(" ")).replace("\n", " ").strip())
