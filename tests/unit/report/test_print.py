"""What the page's style sheet and script do on paper. Tests in a browser count the sheets."""

import re

from touchstone.report.page import _environment

SOURCE = _environment().loader.get_source


def source(name):
    return SOURCE(_environment(), name)[0]


def hidden_on_paper():
    rules = source("report.css").split("@media print")[1]
    return {part.strip() for names in re.findall(r"([^{}]+)\{ display: none; \}", rules) for part in names.split(",")}


def test_a_failed_check_is_red_and_bold_without_its_background():
    rules = source("report.css").split("@media print")[1]

    assert re.search(r"\.grid \.fail \{ color: #[0-9a-f]+; background: none; font-weight: 900; \}", rules)


def test_paper_has_the_caption_of_the_overview_and_no_list_of_papers_twice():
    assert "figcaption" not in hidden_on_paper()
    assert {"details", ".screen"} <= hidden_on_paper()
    assert source("cite.html").index("<details") < source("cite.html").index("<ul>")


def test_what_only_a_screen_can_do_is_not_printed():
    for name in ("report.html", "claims.html", "checks.html"):
        clicks = re.findall(r"(<span class=\"screen\">)?Click ", source(name))
        assert clicks and all(clicks), name


def test_closed_chapters_of_papers_are_opened_for_paper():
    assert '<details class="full folded">' in source("report.html")
    assert "beforeprint" in source("page.js") and "afterprint" in source("page.js")
    assert ".folded:has(.words > :not(figure)) { display: block; }" in source("report.css")
