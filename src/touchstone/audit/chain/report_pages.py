"""Check a report's pages against its sidecar and tables, and its root digest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import unescape
from itertools import takewhile, zip_longest
from pathlib import Path

from touchstone import digests
from touchstone.audit.chain import report_tables
from touchstone.audit.chain.findings import Finding, path_from
from touchstone.audit.chain.study_records import whole
from touchstone.claims.criteria import CLAIM, COUNTER
from touchstone.claims.words import shown_attacker
from touchstone.evaluations.statistics.wording import MOST_DIGITS, written
from touchstone.provenance import chain, sidecar_files
from touchstone.provenance.sidecar_files import Record
from touchstone.records import size_limits
from touchstone.report import packing

# A page may be anybody's. Each expression reads a letter a few times at most, however often one begins to match.
DATA = re.compile(r"<data\b([^>]*+)(?:>([^<]*+)|\Z)")
VALUE, LINE = re.compile(r'\bvalue="([^"]*)"'), re.compile(r'\bdata-row="(\d+)"')
VERDICT = re.compile(r'<tr id="claim-(?P<claim>[^"]*)"|(?P<end></tr>)|<span class="verdict [^"]*">(?P<word>[^<]*+)')
WIDTH = 60  # characters of text shown of a difference
COUNT = re.compile(r'<span class="verdict [^"]*">([^<]*)</span> <strong>(\d+)</strong>')


@dataclass(frozen=True)
class ExpectedRoot:
    """The root digest that a report should have.

    Attributes:
        digest: The digest.
        cpu: The code paths of the processor that it was computed on, as its records name them; None for those of the
            report's own records.
    """

    digest: str
    cpu: str | None = None


def differences(report: Path, root: Path, expected: ExpectedRoot | None, clone: bool) -> Iterator[Finding]:
    """Yield what is wrong with the report's pages, their numbers, and the root digest.

    Args:
        report: The path of report.html.
        root: The project's folder.
        expected: The root digest that the report should have; None to compare none.
        clone: Whether the study's data is missing. report.html, which git need not have, may then be missing too.
    """
    folder = report.parent
    try:
        pages = whole(sidecar_files.read_sidecar(report)).get("pages")
        if not isinstance(pages, dict):
            raise ValueError("pages is missing or malformed")
        for name, digest in pages.items():
            if clone and name == report.name and not report.exists():
                problem = "is not here, so its text was not checked; tables, figures and ROOT were"
                yield Finding(path_from(root, report), problem, unchecked=True)
            elif not (folder / name).is_file():
                yield Finding(path_from(root, folder / name), "is missing; the report's sidecar lists it")
            elif digests.file_digest(folder / name) != digest:
                yield Finding(path_from(root, folder / name), "is not the page that the report's sidecar lists")
        listed = {report.name, sidecar_files.sidecar_path(report).name, chain.ROOT, *pages}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            if name not in listed and not path.name.startswith("."):  # Snakemake marks folders with hidden files
                yield Finding(path_from(root, path), "is not part of the report")
        actual = chain.root_digest(report)
        stated = (folder / chain.ROOT).read_text().strip()
        if actual != stated:
            yield Finding(path_from(root, folder / chain.ROOT), f"says {stated}, the chain gives {actual}")
        if expected is not None and actual != expected.digest:
            yield from _other_root(report, root, actual, expected)
        for problem in contradictions(report) if report.exists() else ():
            yield Finding(path_from(root, report), problem)
    except (ValueError, KeyError, FileNotFoundError, RecursionError) as error:  # the last of a forged circle of links
        yield Finding(path_from(root, report), f"cannot be checked: {error}")


def _other_root(report: Path, root: Path, actual: str, expected: ExpectedRoot) -> Iterator[Finding]:
    """Yield what is wrong with a root digest that is not the expected one."""
    name = path_from(root, report)
    if expected.cpu is None:
        advice = "if the other report is of another kind of processor, add --cpu PATHS"
        yield Finding(name, f"has root digest {actual}, not {expected.digest}; {advice}")
    elif (there := root_digest_on(report, root, expected.cpu)) != expected.digest:
        yield Finding(name, f"has root digest {actual}, and {there} with {expected.cpu}, not {expected.digest}")


def root_digest_on(report: Path, root: Path, cpu: str) -> str:
    """Return the root digest that a report would have if its records named the code paths of another processor.

    It is equal to that of a run on that processor only if all files of both runs have the same bytes.

    Args:
        report: The path of report.html.
        root: The project's folder.
        cpu: The code paths, as the records of jobs that use torch name them. Other jobs name only those of numpy.

    Raises:
        ValueError: A sidecar is missing, as in a clone without data.
    """
    page = path_from(root, report)
    records = chain.reached(lambda file: root / file, [page])
    of_numpy = cpu[max(cpu.find("numpy="), 0) :]

    @cache
    def there(file: str) -> Record:
        """Return a record as that processor would have written it."""
        record = dict(records[file])
        if "cpu" in record:
            record["cpu"] = of_numpy if str(record["cpu"]).startswith("numpy=") else cpu
        record["inputs"] = {
            role: [link | {"sidecar": sidecar_files.digest_of_record(there(link["file"]))} for link in links]
            for role, links in record["inputs"].items()
        }
        return record

    return digests.sha256(sidecar_files.as_bytes(there(page)))


def contradictions(report: Path) -> Iterator[str]:
    """Yield the numbers and verdicts on a report's page that contradict the tables beside it.

    Lines of metrics.csv.gz are counted from 1, the header's.

    Raises:
        ValueError: The page or a table is damaged.
    """
    # It imports scipy, which `audit --help` does not need.
    from touchstone.report.claim_table import AGAINST

    page, folder = packing.unpacked(report.read_text(encoding="utf-8")), report.parent
    rows = packing.rows_of((folder / packing.METRICS).read_bytes())
    for value, line, text in _numbers(page):
        row = rows[int(line) - 2] if 1 < int(line) <= len(rows) + 1 else {}
        if value != row.get("value"):
            yield f"shows {value}, which is not in line {line} of {packing.METRICS}"
        elif unescape(text) not in (written(float(value), row["unit"], more) for more in range(MOST_DIGITS + 1)):
            yield f"shows {unescape(text)} but line {line} of {packing.METRICS} says {value}"
    lines = report_tables.claims(report_tables.CLAIMS, (folder / report_tables.CLAIMS).read_bytes())
    claims = {row["claim"]: row["status"] for row in lines}
    against = {row["claim"]: AGAINST.get(row["status"]) for row in lines if row.get("kind") == COUNTER}
    for claim, word in _verdicts(page):
        if word != (against.get(claim) or claims.get(claim)):
            yield f"says that {claim} is {word}; claims.csv says {claims.get(claim)}"
    papers = [row for row in lines if row.get("kind") == CLAIM]
    counts = Counter(row["status"] for row in papers)
    # The words of attackers differ from every status.
    counts += Counter(shown_attacker(row["status"], row.get("attacker", "")) for row in papers if row["measured"])
    for word, count in COUNT.findall(page):
        if int(count) != counts[word]:
            yield f"counts {count} claims that are {word}; claims.csv has {counts[word]}"


def _numbers(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield (value, line of the table, text shown) of each number on a page."""
    for match in DATA.finditer(page):
        value, line = VALUE.search(match[1]), LINE.search(match[1])
        if value and line:
            yield value[1], line[1], match[2] or ""


def _verdicts(page: str) -> Iterator[tuple[str, str]]:
    """Yield (claim, word shown) of each row of a page that gives a claim's verdict."""
    claim = None
    for match in VERDICT.finditer(page):
        if match["word"] is not None and claim is not None:
            yield claim, match["word"]
        claim = match["claim"]


def first_difference(page: str, before: bytes, after: bytes) -> str:
    """Describe where two versions of a page first differ; no bytes stand for no page."""
    if not before or not after:
        return "it is missing" if after else "no such page"
    try:
        lines = [_text(page, data).splitlines() for data in (before, after)]
    except ValueError as error:
        return f"it cannot be read ({error})"
    for number, (first, second) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if first != second:
            texts = [unescape(re.sub("<[^<>]*>", "", line)) for line in (first, second)]
            texts = texts if texts[0] != texts[1] else [first, second]
            equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
            start = max(0, equal - WIDTH // 2)
            first, second = (line[start : start + WIDTH] for line in texts)
            return f'line {number} says "{first}", the chain "{second}"'
    return "its bytes differ"


def _text(page: str, data: bytes) -> str:
    """Return a page as text, with its packed parts; ValueError if it cannot be read."""
    if page.endswith(".gz"):
        return size_limits.gunzipped(data).decode()
    if page.endswith((".pdf", ".png")):
        return ""
    return packing.unpacked(data.decode()) if page.endswith(".html") else data.decode()
