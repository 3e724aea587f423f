"""What a release says of itself is what the code is: the public interface, the version, how to cite it."""

import ast
import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

import library
import touchstone
from touchstone import extras, plugins, registry

ROOT = Path(__file__).parents[2]
RELEASE = runpy.run_path(str(ROOT / "docs/release.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", RELEASE["WRITTEN"])
def test_a_file_says_what_the_code_says(name):
    text = (ROOT / name).read_text()

    assert text == RELEASE["WRITTEN"][name](text), (
        "run `make tables`; only a new major version may remove a name of API.md"
    )


def test_the_list_names_what_people_type():
    listed = RELEASE["public_api"]()

    for name in (
        "touchstone.evaluate",
        "touchstone assay",
        "attacks/pgd",
        "touchstone.contracts",
        "criterion",
        "scale",
    ):
        assert f"- `{name}`: " in listed
    assert "`[eps=]`" in listed and "`--fail-under`" in listed


def test_the_listed_keys_of_json_are_those_that_an_assay_writes():
    files = ("run_assay", "direct", "outcome")
    code = "".join((ROOT / f"src/touchstone/assay/{name}.py").read_text() for name in files)

    assert [key for key in RELEASE["ASSAY"] if f'"{key}"' not in code] == []
    listed = RELEASE["public_api"]()
    assert "- `touchstone verify --json`: `evidence`, `problems`," in listed and "`attacked_test`" in listed


def test_the_changelog_begins_with_this_version():
    (first, *_) = re.findall(r"^## (\S+) \((.+)\)$", CHANGELOG, re.MULTILINE)

    assert first[0] == touchstone.__version__
    assert first[1] == "not yet released" or RELEASE["released"]() == first[1]


def test_a_date_in_the_changelog_and_a_public_address_are_cited(monkeypatch, tmp_path):
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {touchstone.__version__} (2027-01-31)\n")
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://example.org/touchstone"\n')
    monkeypatch.setitem(RELEASE["released"].__globals__, "ROOT", tmp_path)

    cited = yaml.safe_load(RELEASE["citation"]((ROOT / "CITATION.cff").read_text()))
    about = json.loads(RELEASE["codemeta"]((ROOT / "codemeta.json").read_text()))
    assert (cited["date-released"], about["datePublished"]) == ("2027-01-31", "2027-01-31")
    assert cited["repository-code"] == about["codeRepository"] == "https://example.org/touchstone"


def test_only_the_tag_of_this_version_with_a_date_is_released(monkeypatch):
    names = RELEASE["check_tag"].__globals__
    monkeypatch.setitem(names, "released", lambda: None)
    for tag, reason in (("v0.0.1", "the tag is v0.0.1"), (f"v{touchstone.__version__}", "write the date")):
        with pytest.raises(SystemExit, match=reason):
            RELEASE["check_tag"](tag)
    monkeypatch.setitem(names, "released", lambda: "2027-01-31")
    monkeypatch.setitem(names, "WRITTEN", {"API.md": lambda text: text})
    RELEASE["check_tag"](f"v{touchstone.__version__}")

    monkeypatch.setitem(names, "WRITTEN", {"API.md": lambda text: ""})
    with pytest.raises(SystemExit, match=r"API\.md: run `make tables`"):
        RELEASE["check_tag"](f"v{touchstone.__version__}")


def test_the_release_attaches_packages_site_and_pages():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    release = workflow["jobs"]["release"]
    lines = "\n".join(step.get("run", "") for step in release["steps"])

    assert workflow[True]["push"]["tags"] == ["v*"] and "refs/tags/v" in release["if"]  # YAML 1.1 reads on as true
    assert set(release["needs"]) == workflow["jobs"].keys() - {"release", "pages"}
    for words in (
        "docs/release.py --tag",
        "uv build --out-dir dist",
        "docs.zip",
        "report-$study.zip",
        "gh release create",
    ):
        assert words in lines


def test_the_site_and_the_reports_are_published_after_the_tests_of_the_main_branch():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    pages = workflow["jobs"]["pages"]
    place = yaml.safe_load((ROOT / "mkdocs.yml").read_text().partition("\ntheme:")[0])["site_dir"]
    made, copied, uploaded, deployed = pages["steps"][2:]

    assert workflow[True]["push"]["branches"] == ["main"] and pages["if"] == "github.ref == 'refs/heads/main'"
    assert set(pages["needs"]) == workflow["jobs"].keys() - {"release", "pages"}
    assert made["run"].endswith(" docs") and copied["run"] == f"cp -r reports {place}/"
    assert uploaded["uses"].startswith("actions/upload-pages-artifact@") and uploaded["with"]["path"] == place
    assert deployed["uses"].startswith("actions/deploy-pages@")
    assert (pages["permissions"]["pages"], pages["permissions"]["id-token"]) == ("write", "write")


def test_every_python_that_the_package_names_is_tried():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    named = [word.rpartition(" ")[2] for word in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", word)]

    assert workflow["jobs"]["library"]["strategy"]["matrix"]["python"] == named == [*library.SUPPORTED]
    assert f"Python {named[0]} to {named[-1]}" in (ROOT / "codemeta.json").read_text()


def test_the_citation_files_agree_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    codemeta = json.loads((ROOT / "codemeta.json").read_text())

    assert citation["license"] == PROJECT["license"] and codemeta["license"].endswith(f"/{PROJECT['license']}")
    assert citation["keywords"] == codemeta["keywords"] == PROJECT["keywords"]
    assert citation["authors"] == PROJECT["authors"]
    assert codemeta["identifier"] == PROJECT["name"] == extras.DISTRIBUTION
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]


def test_the_table_of_licences_says_of_every_source_what_its_file_says():
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "data/README.md").read_text(), re.MULTILINE)
    stated = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    free = {"own_files", "download", "checkpoint_file"}  # files of whoever runs a study

    assert stated.keys() | free == set(registry.names("sources"))
    for name, (_, origin, licence, _) in stated.items():
        about = " ".join(
            (ast.get_docstring(ast.parse(plugins.located(f"data/sources/{name}.py").read_text())) or "").split()
        )
        assert licence in about.partition("Licence: ")[2] or licence in about, name
        assert all(word in about for word in re.split(r",? (?:and|on) |, ", origin)), (name, origin)
