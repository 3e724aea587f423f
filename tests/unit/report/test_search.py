"""What the page's search and filters can reach. Tests in a browser type the words."""

import re

from touchstone.report.page import _environment


def source(name):
    environment = _environment()
    return environment.loader.get_source(environment, name)[0]


def test_search_reads_the_glossary_the_figures_titles_and_the_details_of_claims():
    script = source("search.js")

    for part in ("#glossary dt", 'byId("figures")', "#claim-details"):
        assert part in script, part
    assert '<script type="text/plain" id="figures">{{ figures|pack }}' in source("report.html")
    assert 'id="glossary"' in source("reading.html")


def test_a_filter_closes_the_folds_without_hits():
    assert re.search(r"part\.open = left\.some\(", source("claims.js"))
