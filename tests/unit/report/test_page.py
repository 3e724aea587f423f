from jinja2 import Environment, PackageLoader

from touchstone.provenance import code
from touchstone.report import markup, page


def test_the_code_digest_of_the_report_covers_every_template_of_the_page():
    folder = page._environment().loader.list_templates()

    digested = code.code_of("report", {}).definitions

    assert {f"report/templates/{name}" for name in folder} <= digested.keys() and "page.js" in folder


def test_whoever_made_the_data_of_a_study_is_cited_with_licence_and_address():
    templates = Environment(loader=PackageLoader("touchstone", "report/templates"), autoescape=True)
    templates.filters["web_link"] = markup.web_link
    flowers = {"citation": "Jones <2024>", "licence": "CC BY 4.0", "url": "https://example.org/flowers.zip"}

    text = templates.get_template("cite.html").render(study="flowers", version="1", papers={}, data=[flowers])

    assert "  version = {1},\n" in text
    address = '<a href="https://example.org/flowers.zip">https://example.org/flowers.zip</a>'
    assert f"<li>Jones &lt;2024&gt;. Licence: CC BY 4.0. {address}</li>" in text
    assert "The data" not in templates.get_template("cite.html").render(
        study="flowers", version="1", papers={}, data=[]
    )
