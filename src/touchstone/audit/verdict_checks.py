"""Judge the claims again, from the rows in the pack and by the criteria that are installed here."""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path
from typing import Any

from touchstone.audit.metric_comparison import NUMBERS, ROUNDING, compare_rows
from touchstone.audit.problems import CRITERIA, RECOMPUTATION, Result, counted
from touchstone.audit.selection import Selection
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import Verdict
from touchstone.claims.words import NO_VERDICT, NOT_RUN, in_words
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records import metric_tables
from touchstone.records.metric_tables import Metrics
from touchstone.report import packing
from touchstone.report.claim_files import claim_rows, claims_csv
from touchstone.report.tables import FIRST_LINE, numbered
from touchstone.settings.papers import shipped_facts

DECIDING = ("status", "attacker", "holm")
MEASURED = ("measured", "low", "high")
LONGER = 2  # times the table that the rows give: what an honest table may unpack to, on another processor


def check_verdicts(selection: Selection, folder: Path, result: Result) -> None:
    """Check the table of numbers and the table of claims against the rows of the evaluations.

    Args:
        selection: The claims to verify.
        folder: The files of the pack.
        result: Receives the problems, and the verdicts.
    """
    directory = f"reports/{selection.plan.study.name}"
    metrics: dict[str, Metrics] = {}
    for name, file in selection.metrics.items():
        with result.reading(RECOMPUTATION, file, "cannot be read"):
            metrics[name] = metric_tables.decode((folder / file).read_bytes())
    if metrics.keys() != selection.metrics.keys():
        return
    rows = numbered(metrics)
    verdicts: list[Verdict] | None = None
    with result.reading(CRITERIA, f"{directory}/claims.csv", "the claims cannot be judged from the rows"):
        claims = StudyClaims(**selection.plan.questions.claims())
        verdicts = judge(selection.book, claims._replace(left_out=metric_tables.left_out(metrics)), rows)
    if verdicts is None:
        return
    chosen = set(selection.claims) or {verdict.claim.id for verdict in verdicts}
    result.verdicts = [
        (one.claim.id, in_words(one.word, one.attacker))
        for one in verdicts
        if one.claim.id in chosen and one.word not in (NOT_RUN, NO_VERDICT)
    ]
    name = f"{directory}/{packing.METRICS}"
    with result.reading(RECOMPUTATION, name, "is not the table of the evaluations' rows"):
        computed = [*rows, *claim_rows(verdicts, FIRST_LINE + len(rows))]
        table = _table((folder / name).read_bytes(), LONGER * len(metric_tables.encode(Metrics(computed))))
        stated = [metric_tables.row_of([row[column] for column in metric_tables.METRIC_COLUMNS]) for row in table]
        compare_rows(stated, computed)
    with result.reading(CRITERIA, f"{directory}/claims.csv", "cannot be compared"):
        text = (folder / directory / "claims.csv").read_text(encoding="utf-8")
        judged = claims_csv(selection.book, verdicts, Doubts(rows)).decode()
        _compare_claims(text, judged, f"{directory}/claims.csv", result)
    if result.verdicts:
        number = counted(len(result.verdicts), "verdict")
        result.proved.append(f"{number} below, judged from the rows by the criteria installed here")


def _table(data: bytes, most: int) -> list[dict[str, str]]:
    """Return the rows of a gzipped table.

    Args:
        data: The table.
        most: The bytes that it may unpack to. No more than these are unpacked.

    Raises:
        ValueError: It unpacks to more, or is not whole.
    """
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # of gzip
    if len(unpacking.decompress(data, most + 1)) > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes, {LONGER} times what the rows need: a zip bomb")
    if unpacking.unused_data:  # gzip would unpack that, too
        raise ValueError(f"{len(unpacking.unused_data):,} bytes follow its table; no touchstone writes them")
    return packing.rows_of(data)


def _compare_claims(stated: str, computed: str, file: str, result: Result) -> None:
    tables = [csv.DictReader(io.StringIO(text, newline="")) for text in (stated, computed)]
    first, second = map(list, tables)
    if tables[0].fieldnames != tables[1].fieldnames or any(None in line for line in first):
        result.add(CRITERIA, file, "has other columns than the table of claims")
    if [line["claim"] for line in second] != [line.get("claim") for line in first]:
        result.add(CRITERIA, file, "lists other claims than the papers, or one twice, or in another order")
    lines = {line.get("claim"): line for line in first}
    for line in second:
        claim = line["claim"]
        other = lines.get(claim, {})
        columns = [column for column in line if not _equal(column, other.get(column), line[column])]
        if columns:
            column = next(name for name in (*DECIDING, *MEASURED, *columns) if name in columns)
            words = f"its {column} is {_shown(other.get(column))}; judged again it is {_shown(line[column])}"
            result.add(CRITERIA, claim, words)


def _equal(column: str, stated: Any, computed: str) -> bool:
    if column in (*NUMBERS, *MEASURED) and stated and computed:
        return abs(float(stated) - float(computed)) <= ROUNDING * max(1.0, abs(float(computed)))
    return bool(stated == computed)


def _shown(text: Any) -> str:
    return "missing" if text is None else repr(text if len(text) < 80 else f"{text[:77]}...")


def own_criteria(selection: Selection) -> list[str]:
    """Return the papers of the study whose criteria do not come with touchstone: their author may have chosen them."""
    shipped = shipped_facts()
    return [name for name, facts in selection.plan.study["papers"].items() if shipped.get(name) != facts]
