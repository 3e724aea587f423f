from touchstone.pipeline.provenance import code
from touchstone.report import page


def test_the_code_digest_of_the_report_covers_every_template_of_the_page():
    folder = page._environment().loader.list_templates()

    digested = code.code_of("report", {}).definitions

    assert {f"report/templates/{name}" for name in folder} <= digested.keys() and "page.js" in folder
