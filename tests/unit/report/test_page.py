from touchstone.pipeline.provenance import code
from touchstone.report import page


def test_the_code_digest_of_the_report_covers_every_template_of_the_page():
    folder = page._environment().loader.list_templates()

    digested = code.code_files(["pipeline/steps/report.py"])

    assert {f"report/templates/{name}" for name in folder} <= digested.keys() and "report.js" in folder


def test_a_claim_in_a_text_becomes_a_link_to_its_line_and_other_words_stay():
    assert page._linked("<S4-2> and X4-2") == '&lt;<a href="#claim-S4-2">S4-2</a>&gt; and X4-2'
