"""The site of docs/: it builds; a broken link, a page outside the navigation or an undocumented component fails the build."""

import json
import logging
import re
import runpy
from pathlib import Path

import pytest
import yaml

from touchstone import registry
from touchstone.settings.schemas import files

mkdocs = pytest.importorskip("mkdocs.commands.build")
ROOT = Path(__file__).parents[2]


def built(place, docs=ROOT / "docs", **options):
    """Build the site into a folder, with options instead of those of mkdocs.yml; the warnings on the way, each of which fails `make docs`."""
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(docs), site_dir=str(place), **options)
    warnings = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())
    logging.getLogger("mkdocs").addHandler(handler)
    try:
        config.plugins.on_startup(command="build", dirty=False)
        mkdocs.build(config)
    finally:
        logging.getLogger("mkdocs").removeHandler(handler)
    return warnings


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    assert built(place) == []
    return place


def test_a_broken_link_and_a_page_that_is_not_in_the_navigation_are_seen(tmp_path, monkeypatch):
    """In a site of three pages, whose links the hook of the whole site changes."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    (tmp_path / "links.py").write_text("from pages import on_page_markdown\n")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "tutorial.md").write_text(
        "# Tutorial\n\n[here](nowhere.md), [there](verdicts.md#nothing) and [well](verdicts.md#verdicts)\n"
    )
    (docs / "verdicts.md").write_text("# Verdicts\n")
    (docs / "lonely.md").write_text("# Lonely\n")

    warnings = built(tmp_path / "site", docs, nav=["tutorial.md", "verdicts.md"], hooks=[str(tmp_path / "links.py")])

    assert len(warnings) == 3, warnings
    for words in ("nowhere.md", "#nothing", "lonely.md"):
        assert words in " ".join(warnings), words


@pytest.mark.parametrize("folder", registry.FOLDERS)
def test_the_reference_has_every_component_with_every_setting(site, folder):
    page = (site / "reference" / f"{folder}.html").read_text()
    parts = dict(zip(*[iter(re.split(r'<h2 id="([\w-]+)">', page)[1:])] * 2, strict=True))

    assert list(parts) == list(registry.names(folder))
    for name in registry.names(folder):
        assert all(f"<code>{key}</code>" in parts[name] for key in registry.component(folder, name).settings), name


def test_the_readme_and_the_reports_are_reached_within_the_site(site):
    overview = (site / "overview.html").read_text()

    for link in ("own_model.html", "findings.html", "index.html"):
        assert f'href="{link}"' in overview and (site / link).is_file(), link
    assert 'href="overview.html"' in (site / "index.html").read_text()


def test_a_page_in_a_folder_leads_out_of_it_and_to_its_neighbours(site):
    page = (site / "papers" / "shared.html").read_text()

    assert 'href="../verdicts.html#intervals"' in page and 'href="../verdicts.html#threat-models"' in page
    assert 'href="shared.html#adaptive-attacks"' in (site / "papers" / "gradient_detection.html").read_text()


def test_what_python_shows_is_documented_and_examples_stay_in_their_blocks(site):
    page = (site / "reference" / "python.html").read_text()

    for name in ("evaluate", "detector_scores", "gradient_norms", "brittle_inputs"):
        assert f'<h2 id="{name}">' in page
    assert "<blockquote>" not in page + (site / "python.html").read_text()


def headings(page):
    """Return {heading: the text below it} of a page of the site."""
    return dict(zip(*[iter(re.split(r'<h2 id="([\w.-]+)">', page.read_text())[1:])] * 2, strict=True))


def test_the_reference_has_every_key_of_a_study_and_of_a_paper(site):
    schemas = {name: json.loads(files.texts()[f"{name}.json"]) for name in ("study", "claims")}
    study, paper = (headings(site / f"reference/{name}.html") for name in ("study", "paper"))

    sections = schemas["study"]["definitions"]["change"]["properties"]
    assert list(study) == [*schemas["study"]["properties"], *sections]
    for key in schemas["study"]["properties"]["scale"]["properties"]:
        assert f"<code>{key}</code>" in study["scale"], key
    for key in schemas["study"]["definitions"]["every-classifiers"]["properties"]:
        assert f"<code>{key}</code>" in study["classifiers"], key
    for role in ("attacked_test", "ood_noise"):
        assert f"<code>{role}</code>" in study["data"], role
    for title, block in (
        ("a-published-figure", "published"),
        ("a-criterion", "criterion"),
        ("a-test-of-a-criterion", "condition"),
    ):
        for key in schemas["claims"]["definitions"][block]["properties"]:
            assert f"<code>{key}</code>" in paper[title], (title, key)


def test_the_example_of_each_key_of_a_study_keeps_its_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files.texts()["study.json"])
    examples = runpy.run_path(str(ROOT / "docs/reference_keys.py"))["EXAMPLES"]
    sections = schema["definitions"]["change"]["properties"]

    assert examples.keys() == schema["properties"].keys() | sections.keys()
    for key, text in examples.items():
        content = yaml.safe_load(text)
        study = {"change": content} if key in sections else content
        assert not list(jsonschema.Draft7Validator(schema).iter_errors(study)), key


def test_each_work_that_a_component_cites_is_a_link(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    prose = runpy.run_path(str(ROOT / "docs/reference_prose.py"))
    for folder in registry.FOLDERS:
        for name in registry.names(folder):
            text = prose["prose"](prose["docstring"](registry.component(folder, name).path, name))
            references = text.partition("**References**")[2]
            unlinked = re.sub(r"\[[^\]]*\]\([^)]*\)", "", references)
            assert not re.findall(r"[A-Z]\w+ (?:et al\.|& [A-Z]\w+) (?:19|20)\d\d", unlinked), (folder, name)


def test_the_figures_of_a_report_have_the_lines_that_draw_them(site):
    page = (site / "pictures.html").read_text()
    pictures = re.findall(r'<img alt="(\w+)" src="(reports/[^"]+)"', page)

    assert len(pictures) >= 10
    for component, picture in pictures:
        assert (site / picture).is_file() and f"use: {component}" in re.sub("<[^>]+>", "", page)


def test_search_works_from_a_folder_and_its_worker_is_a_file_of_the_site(site):
    index = (site / "search" / "search_index.js").read_text()

    assert index.startswith("var __index = ") and "reference/study.html" in index
    assert 'src="../assets/iframe-worker.js"' in (site / "reference" / "study.html").read_text()
    assert "IFrameWorker" in (site / "assets" / "iframe-worker.js").read_text()


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        if "reports" not in page.parts:
            assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="https?://', page.read_text()), page.name
