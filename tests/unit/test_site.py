"""The site of docs/: it builds; a broken link, a page outside the navigation or an undocumented component fails the build."""

import logging
import re
import shutil
from pathlib import Path

import pytest

from touchstone import registry

mkdocs = pytest.importorskip("mkdocs.commands.build")
ROOT = Path(__file__).parents[2]


def built(place, docs=ROOT / "docs"):
    """Build the site into a folder; the warnings on the way, each of which fails `make docs`."""
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(docs), site_dir=str(place))
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


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path / "docs"


def test_a_broken_link_and_a_page_that_is_not_in_the_navigation_are_seen(copied, tmp_path):
    page = copied / "tutorial.md"
    page.write_text(page.read_text() + "\n[here](nowhere.md) and [there](verdicts.md#nothing)\n")
    (copied / "lonely.md").write_text("# Lonely\n")

    warnings = " ".join(built(tmp_path / "site", copied))

    assert "nowhere.md" in warnings and "#nothing" in warnings and "lonely.md" in warnings


@pytest.mark.parametrize("folder", registry.FOLDERS)
def test_the_reference_has_every_component_with_every_setting(site, folder):
    page = (site / "reference" / f"{folder}.html").read_text()
    parts = dict(zip(*[iter(re.split(r'<h2 id="([\w-]+)">', page)[1:])] * 2, strict=True))

    assert list(parts) == list(registry.names(folder))
    for name in registry.names(folder):
        assert all(f"<code>{key}</code>" in parts[name] for key in registry.component(folder, name).settings), name


def test_the_readme_and_the_reports_are_reached_within_the_site(site):
    overview = (site / "overview.html").read_text()

    for link in ("reports/fashion_mnist/claims.csv", "own_model.html", "index.html"):
        assert f'href="{link}"' in overview and (site / link).is_file(), link
    assert 'src="reports/fashion_mnist/figures/defences_against_knowledge.svg"' in overview
    assert 'href="overview.html"' in (site / "index.html").read_text()


def test_a_page_in_a_folder_leads_out_of_it_and_to_its_neighbours(site):
    page = (site / "papers" / "shared.html").read_text()

    assert 'href="../verdicts.html#intervals"' in page and 'href="../threats.html"' in page
    assert 'href="shared.html#adaptive-attacks"' in (site / "papers" / "gradient_detection.html").read_text()


def test_what_python_shows_is_documented_and_examples_stay_in_their_blocks(site):
    page = (site / "reference" / "python.html").read_text()

    for name in ("evaluate", "detector_scores", "gradient_norms", "brittle_inputs"):
        assert f'<h2 id="{name}">' in page
    assert "<blockquote>" not in page + (site / "python.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        if "reports" not in page.parts:
            assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="https?://', page.read_text()), page.name
