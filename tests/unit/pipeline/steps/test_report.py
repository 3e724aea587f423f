import base64
import csv
import gzip
import hashlib
import html
import json
import os
import re
import runpy
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path

import pytest

import touchstone
from touchstone.claims.judging import StudyClaims
from touchstone.claims.words import ATTACKERS
from touchstone.evaluations.data_sheet import data_sheet
from touchstone.evaluations.detection import detection
from touchstone.evaluations.paired_errors import paired_errors
from touchstone.evaluations.robustness import robustness
from touchstone.pipeline.steps.evaluate import evaluate
from touchstone.pipeline.steps.report import report
from touchstone.records import metric_tables
from touchstone.report import chapters, inline_svg, packing
from touchstone.report.figures.accuracy_against_eps import accuracy_against_eps
from touchstone.report.figures.gallery import gallery
from touchstone.report.figures.roc_curves import roc_curves
from touchstone.settings import papers
from touchstone.settings.study import load

STUDY = runpy.run_path(str(Path(__file__).parents[3] / "synthetic_study.py"))
QUESTIONS = {
    "main": {"question": "How much <accuracy> & more is left?", "system": "fgsm"},
    "pairs": {"question": "What do forty steps change?", "system": "fgsm"},
    "detectors": {"question": "Which detector is best?", "system": "gradient_detection"},
    "sheet": {"question": "What do the sets look like?", "system": "shared"},
}
MAKER = {"code": "sha256:dd", "code_files": ["claims/verdicts.py"], "packages": {"numpy": "2.4.6"}}
ROLES = {"plain": "cnn", "robust": "cnn_pgd", "mlp": "cnn", "step": "fgsm", "suite": "pgd", "examples": "digits_test"}
CLAIMS = StudyClaims({"main": "robustness", "pairs": "paired_errors"}, {"F3": ROLES, "F4": "Not <measured>."})
FACTS = {name: papers.shipped_facts()[name] for name in load("digits", Path(__file__).parents[4])["papers"]}
CRITERIA = {name: block for facts in FACTS.values() for name, block in facts["criteria"].items()}
VOID = {"meta", "input", "img", "link", "br", "wbr", "path", "use", "rect"}


def measured():
    questions = {"main": robustness, "pairs": paired_errors, "detectors": detection, "sheet": data_sheet}
    metrics = {}
    for name, question in questions.items():
        cells, settings = STUDY["given"](question)
        settings = {**settings, "resamples": 5}
        metrics[name] = evaluate(name, lambda *data, q=question, s=settings: q(*data, **s), cells)
    return metrics


METRICS = measured()
SCORES = [cell for cell in STUDY["NOUNS"]["scores"] if (cell.entry, cell.seed) == ("cnn", 0)]
FILE = SCORES[0].file


def arguments(**more):
    figures = {
        "curve": {
            "draw": partial(accuracy_against_eps, METRICS["main"].rows), "caption": "A <caption>", "evaluation": "main",
            "files": ["metrics/main"], "component": "figures/accuracy_against_eps",
        },
        "scores": {
            "draw": partial(roc_curves, SCORES, id_examples="digits_test", resamples=10), "caption": "", "evaluation": "detectors",
            "files": [cell.file for cell in SCORES], "component": "figures/roc_curves",
        },
        "images": {
            "draw": partial(gallery, STUDY["NOUNS"]["examples"][:3], columns=3), "caption": "Images",
            "evaluation": "sheet", "files": [STUDY["NOUNS"]["examples"][0].file], "component": "figures/gallery",
        },
    }  # fmt: skip
    provenance = {
        name: {
            "digest": "sha256:aabbccddee" + 54 * "0", "step": "score", "settings": '{"use": "<x>"}',
            "code": "sha256:cc", "code_files": ["a.py"], "inputs": ["detectors/cnn.0"],
            "command": f"snakemake --force {name}",
        }
        for name in (FILE, "metrics/main")
    }  # fmt: skip
    settings = {"study": {"title": "Made <up>"}, "attacks": STUDY["ATTACKS"]}
    given = {"study": "made_up", "settings": settings, "evaluations": QUESTIONS, "metrics": METRICS, "claims": CLAIMS}
    given |= {"papers": FACTS, "figures": figures, "provenance": provenance, "components": {}, "maker": MAKER}
    return given | more


@pytest.fixture(scope="module")
def files():
    return report(**arguments())


@pytest.fixture(scope="module")
def page(files):
    return packing.unpacked(files["report.html"].decode())


class Reader(HTMLParser):
    """Collects what tests ask of the page, and checks that every element is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.elements = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def elements(page):
    return Reader(page)


def test_the_report_is_a_page_its_tables_and_its_figures(files):
    assert sorted(files) == [
        "README.md", "claims.csv", "claims.tex",
        "figures/curve.pdf", "figures/curve.svg", "figures/images.pdf", "figures/images.png", "figures/images.svg",
        "figures/overview.pdf", "figures/overview.svg", "figures/scores.pdf", "figures/scores.svg",
        "metrics.csv.gz", "metrics.json", "report.html",
    ]  # fmt: skip


def test_without_pdf_the_report_has_neither_the_files_nor_links_to_them(files):
    settings = arguments()["settings"]

    others = report(**arguments() | {"settings": settings | {"study": settings["study"] | {"pdf": False}}})

    assert files.keys() - others.keys() == {f"figures/{name}.pdf" for name in ("curve", "images", "overview", "scores")}
    assert "curve.pdf" in packing.unpacked(files["report.html"].decode())
    page = packing.unpacked(others["report.html"].decode())
    assert ".pdf" not in page and "figures/curve.svg" in page


def test_the_same_report_is_the_same_bytes(files):
    assert report(**arguments()) == files


def test_metrics_csv_holds_every_row_in_order_and_then_those_of_the_claims(files):
    rows = metric_tables.decode(gzip.decompress(files["metrics.csv.gz"])).rows
    measured = [row for table in METRICS.values() for row in table.rows]

    assert rows[: len(measured)] == measured
    assert [(row.evaluation, row.entry, row.metric) for row in rows[len(measured) :]] == [
        ("claims", "F3", "accuracy under one step minus that under the suite"),
        ("claims", "F3", "accuracy under one step"),
        ("claims", "F3", "accuracy under a suite of attacks"),
        ("claims", "F3", "accuracy of an MLP under one step"),
        ("claims", "F3", "accuracy of an MLP under a suite of attacks"),
    ]


def test_what_was_judged_stands_first_with_numbers_that_name_their_rows(page, files):
    claims = page[page.index('<section id="claims">') :].split("</section>")[0]
    lines = list(csv.reader(gzip.decompress(files["metrics.csv.gz"]).decode().splitlines()))

    numbers = re.findall(r'<data value="([^"]*)" data-row="(\d+)">', claims)

    assert page.index('id="claims"') < page.index('id="system-gradient_detection"')
    assert len(set(numbers)) == 5
    assert all(lines[int(line) - 1][4] == value for value, line in numbers)
    assert "Not &lt;measured&gt;." in claims


def test_a_claim_has_the_same_sentence_on_the_page_in_the_readme_and_in_the_table(page, files):
    says = {line["claim"]: line["says"] for line in csv.DictReader(files["claims.csv"].decode().splitlines())}["F3"]
    opening = html.unescape(re.sub("<[^>]+>", "", page[page.index('<section id="plain">') :].split("</section>")[0]))

    assert says and f"| F3 | {says}. |" in files["README.md"].decode()
    assert f"{says}. " in " ".join(opening.split())


def test_a_claim_that_another_line_names_can_be_followed(page):
    section = page[page.index('<section id="claims">') :].split("</section>")[0]

    assert 'id="claim-F3"' in section and 'href="#claim-F3"' in page


def unpacked_rows(data):
    """{line: row} of the page's compact rows, as its script reads them."""
    columns = data["columns"]
    return {
        line: {
            name: column[place] if isinstance(column, list) else column["of"][[*accumulate(column["at"])][place]]
            for name, column in columns.items()
        }
        for place, line in enumerate(accumulate(columns["line"]))
    }


def test_a_number_of_a_claim_names_the_rows_that_it_is_of(page):
    packed = re.search(r'<script type="text/plain" id="rows">(.*?)</script>', page)[1]
    data = json.loads(packing.unpacked_text(packed))
    rows = unpacked_rows(data)

    assert len(data["of"]) == 5
    for line, of in data["of"].items():
        assert rows[int(line)]["evaluation"] == "claims"
        mean, *seeds = (rows[other]["metric"] for other in of)
        assert (
            mean == f"{seeds[0]}_mean" and len(set(seeds)) == 1 and seeds[0] in ("error_minus_fgsm", "robust_accuracy")
        )


def test_a_number_of_a_claim_says_how_it_came_about_and_which_code_judged_it(page):
    data = json.loads(packing.unpacked_text(re.search(r'id="rows">(.*?)</script>', page)[1]))
    assert data["how"].keys() == data["of"].keys()
    assert all("95 % interval" in words or "seeds" in words for words in data["how"].values())
    assert data["maker"]["code"] == "sha256:dd" and "claims/verdicts.py" in data["maker"]["files"]
    assert "numpy 2.4.6" in page


def test_the_foot_of_the_page_says_by_which_code_it_was_built(page):
    foot = page[page.index("<footer>") : page.index("</footer>")]

    assert "sha256:dd" in foot and "touchstone audit made_up" in foot


def test_the_page_names_the_digest_of_the_table_that_its_lines_are_of(page, files):
    assert f"sha256:{hashlib.sha256(files['metrics.csv.gz']).hexdigest()}" in page


def test_claims_that_no_number_judges_are_counted_and_linked_beside_the_tally(page):
    unjudged = re.search(r'<a href="#not-run">(\d+) could not be tested in this study', page)

    counted = [int(count) for word, count in tally(page) if word not in ATTACKERS]
    assert sum(counted) == sum(block.get("kind", "claim") == "claim" for block in CRITERIA.values()) == 23
    listed = page[page.index('<details class="full" id="not-run"') :].split("</details>")[0]
    assert len(re.findall(r'data-kind="claim"', listed)) == int(unjudged[1])


def test_claims_are_counted_by_their_words_and_of_one_that_fails_no_attacker_who_found_no_more():
    nets = dict.fromkeys(("sign", "uniform", "adversarial"), "cnn_pgd")
    roles = {"plain": "cnn", **nets, "attack": "pgd", "examples": "digits_test"}
    claims = CLAIMS._replace(claims={**CLAIMS.claims, "F4": roles})

    page = packing.unpacked(report(**arguments(claims=claims, figures={}))["report.html"].decode())

    assert dict(tally(page)) == {"not run": "22", "fails": "1"}
    line = page[page.index('<tr id="claim-F4"') :].split("</tr>")[0]
    assert ">fails<" in line and "attacker who knows" not in line


def tally(page):
    """[(word, count)] of the scorecard's headings."""
    return re.findall(r">([\w ]+)</span> <strong>(\d+)</strong>", page[page.index('class="scorecard"') :])


def test_every_criterion_that_was_changed_is_listed_with_what_it_said_and_why(page):
    table = page[page.index('aria-label="Criteria that replace an earlier one">\n<thead>') :].split("</table>")[0]
    changed = {name for name, block in CRITERIA.items() if block.get("revised")}

    assert set(re.findall(r'<th scope="row">(\w\d+)</th>', table)) == changed
    (line,) = [line for line in table.split("<tr>") if ">F3<" in line]
    date, was, then, why, known = (re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", line))
    (change,) = CRITERIA["F3"]["revised"]
    assert (date, known) == (str(change["date"]), "yes")
    assert was.startswith("training on FGSM lowers the error") and then.startswith("accuracy under that step minus")
    assert html.unescape(why) == change["why"]


def test_what_a_criterion_said_after_a_change_is_what_it_said_before_the_next_one(page):
    table = page[page.index('aria-label="Criteria that replace an earlier one">\n<thead>') :].split("</table>")[0]
    lines = [line for line in table.split("<tr>") if ">G5<" in line]
    first, second = ([re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?</td>", line)] for line in lines)

    assert first[2] == second[1] and first[0] <= second[0]
    assert second[2].startswith(html.escape(CRITERIA["G5"]["criterion"][:10]))


def test_a_chapter_tells_what_its_metrics_mean():
    meant = {name: {**question, "meaning": f"accuracy of {name}: a <share>"} for name, question in QUESTIONS.items()}

    page = packing.unpacked(report(**arguments(evaluations=meant, figures={}))["report.html"].decode())

    assert page.count('<div class="meaning">') == len(QUESTIONS)
    assert "accuracy of main: a &lt;share&gt;" in page


def test_claims_csv_has_a_line_for_every_claim(files):
    lines = list(csv.DictReader(files["claims.csv"].decode().splitlines()))

    assert len(lines) == len({line["claim"] for line in lines}) == len(CRITERIA)


def test_metrics_json_holds_the_number_that_judged_each_criterion(files):
    lines = csv.DictReader(files["claims.csv"].decode().splitlines())

    judged = {
        line["claim"]: float(line["measured"]) for line in lines if line["measured"] and line["kind"] != "published"
    }
    assert judged
    assert json.loads(files["metrics.json"]) == judged


def test_every_number_names_the_line_of_the_csv_that_holds_it(files, elements):
    lines = packing.rows_of(files["metrics.csv.gz"])

    numbers = elements.all("data")

    assert len(numbers) > 400
    for number in numbers:
        assert float(lines[int(number["data-row"]) - 2]["value"]) == float(number["value"])


def test_every_row_is_on_the_page_or_a_seed_of_one_that_is(elements, files):
    shown = {int(number["data-row"]) for number in elements.all("data")}
    lines = packing.rows_of(files["metrics.csv.gz"])

    missing = [row for line, row in enumerate(lines, 2) if line not in shown]
    assert missing and all(row["seed"] for row in missing)


def test_ids_are_unique_and_every_link_inside_leads_somewhere(elements):
    links = {link["href"] for link in elements.all("a") if link["href"].startswith("#")}

    assert len(elements.ids) == len(set(elements.ids))
    assert {link[1:] for link in links if not link.startswith("#file=")} <= set(elements.ids)


def test_nothing_is_fetched_from_elsewhere(page, elements):
    sources = [attributes.get("src", "") for _, attributes in elements.elements]

    assert all(source == "" or source.startswith("data:") for source in sources)
    assert not elements.all("link")
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttp", page)
    assert "default-src 'none'" in page


def test_every_figure_has_words_for_those_who_cannot_see_it(elements):
    pictures = [a["aria-label"] for a in elements.all("svg")] + [a["alt"] for a in elements.all("img")]

    # Three figures, the opening picture, the interval of the claim that a number judges, and the steps of the study.
    assert len(pictures) == 6
    assert all(len(words) > 30 for words in pictures)


def test_texts_are_escaped(page):
    assert "<accuracy>" not in page and "How much &lt;accuracy&gt; &amp; more is left?" in page
    assert "A <caption>" not in page and "<title>Made &lt;up&gt; · touchstone</title>" in page


def test_a_figure_without_caption_is_captioned_by_its_words(page):
    assert re.search(r"<figcaption>ROC curves", page)


def test_inline_figures_take_the_ink_of_the_page(page, files):
    inline = page[page.index('<figure id="figure-curve">') :].split("</figure>")[0]
    inline += "".join(rule for name, rule in sheet_of(page).items() if f'class="{name}"' in inline)

    assert "currentColor" in inline and "#1b1f24" not in inline
    assert "#1b1f24" in files["figures/curve.svg"].decode()


def test_the_index_has_the_digest_settings_code_and_inputs_of_every_file(files):
    page = files["report.html"].decode()
    index = json.loads(packing.unpacked_text(re.search(r'id="index">(.*?)</script>', page)[1]))

    def coded(name, place):
        return index[name]["of"][[*accumulate(index[name]["at"])][place]]

    def digest(place):
        return index["digest"][8 * place : 8 * (place + 1)]

    names = [coded("folder", place) + name for place, name in enumerate(index["name"])]
    place = names.index(FILE)
    assert digest(place) == "aabbccdd" and coded("step", place) == "score"
    assert coded("settings", place) == '{"use": "<x>"}'
    code, scripts = coded("code", place)
    assert (code, [index["scripts"][script] for script in scripts]) == ("sha256:cc", ["a.py"])
    assert [names[other] for other in accumulate(coded("inputs", place))] == ["detectors/cnn.0"]
    assert coded("command", place) == f"snakemake --force {FILE}"
    assert digest(names.index(SCORES[1].file)) == 8 * "?"


def test_sources_that_were_absent_are_told_as_not_run(page):
    settings = {"study": {"title": "Digits", "absent": ["isun", "svhn"]}}

    text = report(**arguments(settings=settings, figures={}))["report.html"].decode()

    assert "<strong>Not run</strong>" in text and "<code>isun</code>, <code>svhn</code>" in text
    assert "<strong>Not run</strong>" not in page


def test_the_script_has_the_row_of_every_number_on_the_page_as_the_csv_has_it(page, files):
    packed = re.search(r'<script type="text/plain" id="rows">(.*?)</script>', page)[1]
    data = json.loads(packing.unpacked_text(packed))
    lines = list(csv.reader(gzip.decompress(files["metrics.csv.gz"]).decode().splitlines()))
    rows = unpacked_rows(data)

    shown = {int(line) for line in re.findall(r'data-row="(\d+)"', page)}

    assert shown <= rows.keys()
    assert all(float(f"{float(lines[line - 1][4]):.5g}") == row["value"] for line, row in rows.items())
    assert data["tables"].keys() == {"main"}


def test_a_table_too_long_for_the_page_is_left_to_the_csv(monkeypatch):
    monkeypatch.setattr(chapters, "LONGEST", 3)

    page = packing.unpacked(report(**arguments(figures={}))["report.html"].decode())

    assert re.search(r"\d+ lines, too many for this page; they are in <a [^>]*><code>metrics.csv.gz</code>", page)
    Reader(page)


def test_one_method_has_one_colour_in_all_figures():
    colours = {}

    def spy(name):
        from touchstone.report import palette

        colours.setdefault("energy", set()).add(palette.line("energy", ["energy", name])["color"])
        return gallery(STUDY["NOUNS"]["examples"][:1])

    figures = {
        name: {"draw": partial(spy, name), "caption": "", "evaluation": "main", "files": [], "component": name}
        for name in ("msp", "aaa")
    }
    report(**arguments(figures=figures))

    assert len(colours["energy"]) == 1


def test_another_process_with_other_hashes_and_host_writes_the_same_bytes(files, tmp_path):
    code = f"""
import hashlib, runpy, socket
socket.gethostname = lambda: "elsewhere"
here = runpy.run_path({__file__!r})
print(hashlib.sha256(repr(sorted(here["report"](**here["arguments"]()).items())).encode()).hexdigest())
"""
    package = Path(touchstone.__file__).parents[1]
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(package)}

    process = subprocess.run(
        [sys.executable, "-c", code], env=elsewhere, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert process.stdout.strip() == hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


def test_each_evaluation_stands_in_the_chapter_of_its_system(page):
    order = [page.index(f'id="{name}"') for name in
             ("system-gradient_detection", "chapter-detectors", "system-fgsm", "chapter-main", "system-shared", "chapter-sheet")]  # fmt: skip

    assert order == sorted(order)
    assert 'id="system-aloe"' not in page


def policy(page):
    """The page's content security policy, {directive: its sources}."""
    (content,) = (meta["content"] for meta in Reader(page).all("meta") if "content-security" in str(meta).lower())
    return {words[0]: words[1:] for words in map(str.split, content.split(";"))}


def inline(page, tag):
    """The digests of what stands between the tags of each script that runs, or of each style sheet."""
    texts = re.findall(
        rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", re.sub(r'<script type="text/plain".*?</script>', "", page), re.S
    )
    return ["'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'" for text in texts]


def sheet_of(page):
    """The rules that pictures brought into the page's style sheet, by class."""
    return dict(re.findall(r"^\.(s\d+)\{(.*)\}$", re.search(r"<style>(.*?)</style>", page, re.S)[1], re.M))


def test_the_policy_lets_the_pages_own_script_and_style_sheet_in_by_their_digests_and_nothing_else(files, page):
    directives = policy(files["report.html"].decode())

    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == inline(page, "script") and len(directives["script-src"]) == 1
    assert directives["style-src"] == inline(page, "style") and len(directives["style-src"]) == 1
    assert set(directives) == {"default-src", "img-src", "script-src", "style-src", "base-uri", "form-action"}


def test_no_part_of_the_page_needs_what_the_policy_forbids(elements):
    handlers = {name for _, attributes in elements.elements for name in attributes if name.startswith("on")}

    assert handlers == set()
    assert [tag for tag, attributes in elements.elements if "style" in attributes] == []
    assert not any(str(value).startswith("javascript:") for _, attrs in elements.elements for value in attrs.values())


def test_a_picture_on_the_page_has_every_style_of_its_file(files, page):
    rules = sheet_of(page)
    picture = re.search(r'id="figure-curve".*?(<svg.*?</svg>)', page, re.S)[1]
    shown = [re.search(r'\bclass="(s\d+)"', tag) for tag in re.findall(r"<[a-z][^>]*>", picture)[1:]]
    drawn = files["figures/curve.svg"].decode()
    tags = re.findall(r"<[a-z][^>]*>", re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", drawn, flags=re.S))
    wanted = [re.search(r'\bstyle="([^"]*)"', tag) for tag in tags[1:]]

    def on_page(style):
        for colour, other in inline_svg.ON_PAGE.items():
            style = style.replace(colour, other)
        return style

    assert len(rules) > 5 and len(wanted) > 20
    never_seen = {"fill:none"}  # a backdrop of the paper's colour
    assert {on_page(style[1]) for style in wanted if style} - never_seen == {rules[name[1]] for name in shown if name}
    assert re.search(r"<style[^>]*>(.*?)</style>", drawn, re.S)[1] in page


def test_a_chapter_says_what_may_still_be_disputed(page):
    limits = [limit for facts in FACTS.values() for limit in facts.get("limits", ())]

    assert len(limits) >= 8  # a paper without any would be one that nobody has reviewed
    shown = [limit for limit in limits if html.escape(limit, quote=True).replace("&#x27;", "&#39;") in page]
    assert shown
    assert page.count("What may still be disputed") == page.count('class="limits"') > 0


def test_the_page_names_what_was_left_out_and_drops_a_figure_of_nothing_else():
    def nothing():
        raise ValueError("no scores of cnn.0")

    reason = "detector vim of cnn.0 cannot be fitted: its <features> do not vary"
    metrics = METRICS | {"pairs": metric_tables.Metrics([], (reason,))}
    figures = arguments()["figures"] | {"gone": {"draw": nothing, "caption": "", "evaluation": "pairs", "files": []}}

    with pytest.raises(ValueError, match=r"no scores of cnn\.0"):
        report(**arguments(figures=figures))
    figures["gone"]["incomplete"] = True
    files = report(**arguments(metrics=metrics, figures=figures))

    assert "its &lt;features&gt; do not vary" in packing.unpacked(files["report.html"].decode())
    assert "figures/gone.svg" not in files
    assert "figures/curve.svg" in files
