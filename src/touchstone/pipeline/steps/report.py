"""report: metrics and figures as one page that stands alone, tables, and picture files."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple, NotRequired, TypedDict

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from touchstone import digests
from touchstone.claims import criteria
from touchstone.claims.verdicts import Asked, judge
from touchstone.records.encoding import encode
from touchstone.records.metric_rows import METRIC_COLUMNS
from touchstone.records.nouns import ContractError, Metrics
from touchstone.report import drawing, packing, palette
from touchstone.report.claim_table import Told, claim_rows, claims_csv, claims_tex, page_lines
from touchstone.report.headlines import headlines, matrices
from touchstone.report.names import who_is_who
from touchstone.report.summary import summary
from touchstone.report.tables import FIRST_LINE, Number, Numbers, Table, numbered, pivot
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.sanity_checks import Doubts
from touchstone.statistics.threats import seedless

CLAIM = re.compile(r"\b([PS]\d-\d+)\b")  # the name of one
JUDGES = [
    "claims/*.yaml",
    "claims/measurements.py",
    "claims/verdicts.py",
]  # what turns rows of metrics into a claim's number and word
ON_PAGE = {drawing.INK: "currentColor", drawing.PAPER: "none", drawing.BACKDROP: "var(--card)"}  # colours of figures
SHORT = 12  # lines of a table that is open from the start
# Lines of a table on the page, of means over seeds and of every seed; longer ones stand in the table of metrics alone.
LONGEST, LONGEST_OF_SEEDS = 200, 60
SYSTEMS = {
    "gradient_detection": "Gradient detection",
    "aloe": "ALOE",
    "margin_consistency": "Margin consistency",
    "fgsm": "FGSM and adversarial training",
    "translation": "Translation",
    "shared": "Data and common ground",
}  # the chapters, in this order


class Drawing(TypedDict):
    """One figure of the report: what draws it, and what it was drawn from."""

    draw: Callable[[], Figure]
    caption: str
    evaluation: str
    files: list[str]
    component: NotRequired[str]
    methods: NotRequired[list[str]]  # those that it shows; they should differ in colour
    settings: NotRequired[str]


class Question(TypedDict):
    """What an evaluation asks, and the chapter that it stands in."""

    question: str
    system: str
    meaning: NotRequired[str]  # of its metrics, in words


class Maker(TypedDict):
    """What makes the report itself."""

    code: str
    code_files: list[str]
    lock: str


class Source(TypedDict):
    """Where one file came from, as its sidecar says."""

    digest: str
    sidecar: str
    step: str
    settings: str
    code: str
    command: str
    inputs: NotRequired[list[str]]
    code_files: NotRequired[list[str]]


class Picture(NamedTuple):
    """A figure as the page shows it, and its files."""

    name: str
    caption: str
    alt: str
    html: Markup
    files: list[str]
    component: str
    settings: str
    doubts: list[str]  # the checks that attacks behind it failed
    svg: bytes
    pdf: bytes
    png: bytes | None


class Chapter(NamedTuple):
    """One evaluation as the page shows it."""

    name: str
    question: str
    system: str
    headlines: list[Table]
    matrices: list[Table]
    meaning: str
    whole: list[tuple[Table, bool]]  # all that was measured, and whether it is short enough for the page
    pictures: list[Picture]


def report(
    *,
    study: str,
    settings: dict[str, Any],
    evaluations: dict[str, Question],
    metrics: dict[str, Metrics],
    claims: Asked,
    figures: dict[str, Drawing],
    provenance: dict[str, Source],
    components: Mapping[str, str] | None = None,
    maker: Maker | None = None,
) -> dict[str, bytes]:
    """Return the report's files by name: report.html, metrics.csv.gz, metrics.json, claims.csv, claims.tex, and
    figures/NAME.svg and .pdf (.png of galleries).

    settings: all of the study; its title is settings["study"]["title"]. evaluations: each one's question in words, and
    which of the SYSTEMS it is about. metrics: each one's rows. claims: what the study says of the published claims;
    what is measured for them stands in metrics.csv.gz below all other rows. figures: what draws them; they are drawn
    here, so that a method has one colour in all of them. provenance: of the files that rows and figures name; files
    without are shown by their names. components: {component: what comes back from it}. maker: the code of this step. The
    page holds no clock and no host, and asks the network for nothing.
    ContractError where a figure belongs to no evaluation.
    """
    rows = numbered({name: metrics[name] for name in evaluations})
    for name, figure in figures.items():
        if figure["evaluation"] not in evaluations:
            raise ContractError(f"figure {name} belongs to {figure['evaluation']!r}, which is no evaluation")
    book = criteria.load()
    verdicts = judge(book, claims, rows)
    judged = claim_rows(verdicts, FIRST_LINE + len(rows))
    together = [figure.get("methods", []) for figure in figures.values()]
    doubts = Doubts(rows)
    styles: dict[str, str] = {}
    with drawing.style(), palette.methods(_methods(rows), together):
        pictures = {name: _picture(name, figure, doubts, rows, styles) for name, figure in figures.items()}
    detectors = settings.get("detectors", {})
    supervised = {name for name, detector in detectors.items() if detector.get("anomalous")}
    chapters = [
        _chapter(
            name,
            asked,
            Numbers((row for row in rows if row["evaluation"] == name), doubts),
            [picture for key, picture in pictures.items() if figures[key]["evaluation"] == name],
            supervised,
        )
        for name, asked in evaluations.items()
    ]
    every = [*rows, *judged]
    # A study that asks nothing of the published claims, such as an assay, is not about them.
    shown, others = page_lines(book, verdicts, judged, doubts) if claims.claims else ([], [])
    numbers = _numbers(chapters, shown)
    told = _told(numbers, every)
    table = packing.compressed(encode(_table(every)))
    tables = [file for name in evaluations if (file := f"data/{study}/metrics/{name}.csv") in provenance]
    files = _with_origins([*tables, *_files(told, pictures.values())], provenance)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            study=study,
            title=settings.get("study", {}).get("title") or study,
            styles=Markup("\n".join(f".{name}{rule}" if name else rule for rule, name in styles.items())),
            absent=settings.get("study", {}).get("absent", []),
            settings=yaml.safe_dump(json.loads(json.dumps(settings)), sort_keys=False, allow_unicode=True, width=100),
            systems={
                title: [chapter for chapter in chapters if chapter.system == system]
                for system, title in SYSTEMS.items()
                if any(chapter.system == system for chapter in chapters)
            },
            files={file: place for place, file in enumerate(files)},
            provenance=provenance,
            names=who_is_who(settings, components),
            tally=Counter(line.word for line in (*shown, *others) if line.claim in book.criteria),
            below=[line.claim for line in others if line.claim in book.criteria],
            maker=maker,
            metrics_digest=digests.sha256(table),
            metrics_lines=len(every) + FIRST_LINE - 1,
            checks=doubts.evaluation,
            claims=shown,
            summary=None if claims.claims else summary(rows, doubts),
            other_claims=others,
            rows=packing.packed(
                json.dumps(
                    _compact(told, files, study) | _remarks(numbers, shown, doubts, maker),
                    separators=(",", ":"),
                    allow_nan=False,
                )
            ),
            command=f"snakemake --cores all --config study={study} --force reports/{study}/report.html",
            short=SHORT,
        )
    )
    return {
        "report.html": page.encode(),
        packing.METRICS: table,
        "metrics.json": (json.dumps(nested(rows), indent=1, sort_keys=True, allow_nan=False) + "\n").encode(),
        "claims.csv": claims_csv(book, verdicts),
        "claims.tex": claims_tex(book, verdicts),
        **{f"figures/{name}.svg": picture.svg for name, picture in pictures.items()},
        **{f"figures/{name}.pdf": picture.pdf for name, picture in pictures.items()},
        **{f"figures/{name}.png": picture.png for name, picture in pictures.items() if picture.png},
    }


def _table(rows: list[Row]) -> Metrics:
    return Metrics(rows)


def nested(rows: list[Row]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return {evaluation: {entry: {examples: {metric: value}}}}: means over seeds, or the only value there is.

    To six digits: what moves beyond them is told by metrics.csv.gz, which has all.
    """
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for name in dict.fromkeys(row["evaluation"] for row in rows):
        for row in Numbers(row for row in rows if row["evaluation"] == name).overall():
            entry, examples = seedless(row["entry"]), seedless(row["examples"])
            values = found.setdefault(name, {}).setdefault(entry, {}).setdefault(examples, {})
            values[measured(row["metric"])] = float(f"{row['value']:.6g}")
    return found


def _methods(rows: list[Row]) -> list[str]:
    """Return every classifier and detector in the order in which the rows name them: it decides their colours."""
    return list(dict.fromkeys(part for row in rows for part in row["entry"].split("+")))


def _picture(name: str, figure: Drawing, doubts: Doubts, rows: list[Row], styles: dict[str, str]) -> Picture:
    drawn = figure["draw"]()
    alt, svg = drawing.description(drawn), drawing.svg(drawn, name)
    png = drawing.png(drawn) if drawing.is_raster(drawn) else None
    shown = _image(png, alt) if png else inline_svg(svg.decode(), name, alt, styles)
    component = figure.get("component", "")
    # Of what was drawn from metrics; other figures show images, scores or weights, which no check is about.
    behind = {PurePath(file).stem for file in figure["files"] if PurePath(file).parent.name == "metrics"}
    failed = doubts.shown(row for row in rows if row["evaluation"] in behind)
    return Picture(
        name, figure["caption"] or alt, alt, shown, figure["files"], component, figure.get("settings", ""), failed, svg,
        drawing.pdf(drawn), png,
    )  # fmt: skip


def _image(png: bytes, alt: str) -> Markup:
    address = "data:image/png;base64," + base64.b64encode(png).decode()
    return Markup('<img src="{}" alt="{}">').format(address, alt)


def inline_svg(svg: str, name: str, alt: str, styles: dict[str, str]) -> Markup:
    """Return the SVG as part of a page: no prologue, ids of its own, ink and paper those of the page.

    The page's policy allows one style sheet. Each style becomes a class in it: `styles` collects {rule: class}.
    """
    svg = svg[svg.index("<svg") :]
    for colour, on_page in ON_PAGE.items():
        svg = svg.replace(colour, on_page)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<style[^>]*>(.*?)</style>\s*", lambda sheet: styles.setdefault(sheet[1], ""), svg, flags=re.DOTALL)

    def classed(tag: re.Match[str]) -> str:
        return f'{tag[1]}class="{styles.setdefault(f"{{{tag[2]}}}", f"s{len(styles)}")}"'

    svg = re.sub(r'(<[^<>]*\s)style="([^"]*)"', classed, svg)  # in tags: words of a figure may look like one
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))


def _chapter(
    name: str, asked: Question, numbers: Numbers, pictures: list[Picture], supervised: Collection[str]
) -> Chapter:
    overall, single = numbers.overall(), numbers.single()
    several = len(overall) < len(numbers.rows)
    whole = [(pivot(numbers, overall, "Means over seeds" if several else "All that was measured"), LONGEST)]
    whole += [(pivot(numbers, single, "Every seed by itself"), LONGEST_OF_SEEDS)] if several else []
    return Chapter(
        name,
        asked["question"],
        asked["system"],
        headlines(numbers, supervised),
        matrices(numbers, supervised),
        asked.get("meaning", ""),
        [(table, len(table.lines) <= most) for table, most in whole],
        pictures,
    )


def _files(rows: list[Row], pictures: Any) -> list[str]:
    return [file for row in rows for file in row["files"].split()] + [f for picture in pictures for f in picture.files]


def _with_origins(files: list[str], provenance: dict[str, Source]) -> list[str]:
    """Return the files, and behind them all that they were made from, each once."""
    found = dict.fromkeys(files)
    waiting = list(found)
    for file in waiting:  # grows while it is read
        inputs = provenance[file].get("inputs", []) if file in provenance else []
        new = [name for name in dict.fromkeys(inputs) if name not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return list(found)


def _numbers(chapters: list[Chapter], claims: list[Told]) -> list[Number]:
    """Return every number that the page shows."""
    shown = [number for line in claims for _, number, _ in line.numbers]
    for chapter in chapters:
        tables = [*chapter.headlines, *chapter.matrices, *(table for table, fits in chapter.whole if fits)]
        shown += [number for table in tables for line in table.lines for number in line.numbers if number]
    return shown


def _remarks(numbers: list[Number], claims: list[Told], doubts: Doubts, maker: Maker | None) -> dict[str, Any]:
    """Return what the page's script tells beside rows: how a claim's number came about, what checks its attacks failed."""
    return {
        "how": {number.line: number.title.split("; a check")[0] for line in claims for _, number, _ in line.numbers},
        "doubts": {number.line: number.doubt for number in numbers if number.doubt},
        "checks": doubts.evaluation,
        "maker": maker and {"code": maker["code"], "files": JUDGES},
    }


def _told(numbers: list[Number], rows: list[Row]) -> list[Row]:
    """Return the rows that the page can tell of: those whose numbers it shows, their seeds, what claims were computed of."""
    by_line = {row["line"]: row for row in rows}
    shown = [number.line for number in numbers]
    seeds: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row["seed"] is not None:
            seeds.setdefault(_thing(row), []).append(row["line"])
    found, waiting = set[int](), shown
    while waiting:
        line = waiting.pop()
        if line not in found:
            found.add(line)
            row = by_line[line]
            waiting += [*row.of, *(seeds.get(_thing(row), ()) if row["seed"] is None else ())]
    return [row for row in rows if row["line"] in found]


def _thing(row: Row) -> tuple[str, ...]:
    return (row["evaluation"], row["entry"], row["examples"], measured(row["metric"]))


def _compact(rows: list[Row], files: list[str], study: str) -> dict[str, Any]:
    """Return the rows as the page's script reads them, files as places in the list of files."""
    places = {file: place for place, file in enumerate(files)}
    columns = [name for name in METRIC_COLUMNS if name != "files"]
    table = {
        row["line"]: [*(row[name] for name in columns), [places[file] for file in row["files"].split()]] for row in rows
    }
    computed = {row["evaluation"]: f"data/{study}/metrics/{row['evaluation']}.csv" for row in rows}
    tables = {name: places[file] for name, file in computed.items() if file in places}
    of = {row["line"]: row.of for row in rows if row.of}
    return {"columns": [*columns, "files"], "rows": table, "tables": tables, "of": of}


def _packed(part: str) -> Markup:
    """Return a part of the page that is unpacked where it is unfolded."""
    return Markup('<script type="text/plain" class="packed">{}</script>').format(packing.packed(part.strip()))


def _allowed(text: str) -> Markup:
    """Return the source of a content security policy that allows just this inline script or style sheet."""
    return Markup("'sha256-{}'").format(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _breakable(text: str) -> Markup:
    """Return a name that may go over two lines after its slashes, pluses and underscores."""
    return Markup(re.sub(r"([/+_])", r"\1<wbr>", str(escape(text))))


def _linked(text: str) -> Markup:
    """Return a text in which each claim's name leads to its line."""
    return Markup(CLAIM.sub(r'<a href="#claim-\1">\1</a>', str(escape(text))))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("touchstone", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["allowed"] = _allowed
    environment.filters["breakable"] = _breakable
    environment.filters["linked"] = _linked
    environment.filters["packed"] = _packed
    return environment
