"""The documents hold: their examples run, their links lead somewhere, and the commands they type exist."""

import doctest
import re
import shlex
from pathlib import Path

import click
import pytest
import torch
import yaml
from PIL import Image

from projects import study_text
from touchstone.__main__ import COMMANDS, command_line, main
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load
from typed_words import parsed

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "config/README.md", "data/README.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
]
ARCHIVE = ROOT / "docs/second_edition.md"  # claims of an earlier edition: no page to read
MOST_PAGES, MOST_WORDS = 20, 25_000
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_python_api_give_what_they_say():
    torch.set_num_threads(1)

    done = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False)

    assert done.attempted > 20 and done.failed == 0


def headings(page):
    """Return the headings of a page, as links name them."""
    lines = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", re.sub(r"\]\([^)]*\)", "", line)).strip().lower() for line in lines]
    return {re.sub(r"\s+", "-", each) for each in words}


def broken(text, page):
    """Return the links of a text that lead to no file, or to no heading of it."""
    lost = []
    for link, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", BLOCK.sub("", text)):
        target = page.parent / link if link else page
        if "://" not in link and not (target.exists() and (not heading or heading in headings(target))):
            lost.append(f"{link}#{heading}".removesuffix("#"))
    return lost


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_link_leads_to_a_file_and_a_heading(page):
    assert broken(page.read_text(), page) == []


@pytest.mark.parametrize("link", ["nowhere.md", "docs/verdicts.md#nothing", "#nothing"])
def test_a_broken_link_is_seen(link):
    assert broken(f"[here]({link}), [there](docs/verdicts.md#intervals)", PAGES[0]) == [link]


def test_every_heading_that_the_code_names_is_on_its_page():
    named = re.compile(r'docs/(\w+\.md), "([^"\n]+)"')
    texts = [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    found = {each for text in texts for each in named.findall(text)}

    assert len(found) >= 3
    assert [
        f"{page}, {title}"
        for page, title in sorted(found)
        if f"\n## {title}\n" not in (ROOT / "docs" / page).read_text()
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_flag_that_a_page_types_exists(page):
    context = click.Context(command_line)
    for name, rest in re.findall(
        r"touchstone (\w+)((?: [^\n`#|]*)?)", " ".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL))
    ):
        if name in COMMANDS:
            options = command_line.get_command(context, name).params
            known = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
            assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known, (name, rest)


def unknown_variables_and_folders(text):
    """Return the variables and the folders in .touchstone that a text names and no file of the package does."""
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"TOUCHSTONE_[A-Z_]+|\.touchstone/[a-z]+", text))
    return sorted(name for name in named if name not in code)


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "config/README.md"], ids=lambda page: page.name
)
def test_the_variables_and_folders_that_a_page_names_are_those_of_the_code(page):
    assert unknown_variables_and_folders(page.read_text()) == []


def test_a_variable_that_is_gone_is_seen():
    text = "set `TOUCHSTONE_STORE` or `TOUCHSTONE_NOTHING`, and delete `.touchstone/plan` and `.touchstone/nothing`"

    assert unknown_variables_and_folders(text) == [".touchstone/nothing", "TOUCHSTONE_NOTHING"]


def typed(page):
    """Return the command lines of a page's code blocks, without prompt, comment and folder of the program."""
    for language, block in BLOCK.findall(page.read_text()):
        lines = [line.strip() for line in block.splitlines()]
        if language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        if language in ("", "console"):
            yield from (line.partition(" # ")[0].strip().removeprefix(".venv/bin/") for line in lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_block_is_one_that_touchstone_or_make_accepts(page):
    makefile = (ROOT / "Makefile").read_text()

    for line in typed(page):
        words = shlex.split(line) if line.startswith(("touchstone ", "make ")) else []
        if words[:1] == ["touchstone"]:
            parsed(*words[1:])
        elif words:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line


def test_a_command_that_does_not_exist_is_seen(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("```\n.venv/bin/touchstone audit digits --rooot DIGEST  # no such flag\n```\n")

    with pytest.raises(click.NoSuchOption):
        test_every_command_in_a_block_is_one_that_touchstone_or_make_accepts(page)


@pytest.mark.parametrize("page", ["own_components.md", "studies.md"])
def test_the_study_on_a_page_can_be_planned(page, tmp_path, monkeypatch):
    studies = written(page)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "mine.yaml").write_text(studies[0])
    monkeypatch.chdir(tmp_path)

    assert Plan(load("./mine.yaml")).jobs


def test_two_folders_of_pictures_become_a_study_that_trains_and_attacks_aloe_and_a_translator(
    tmp_path, monkeypatch, capfd
):
    text = written("own_components.md")[0]
    pictures = [f"flowers/{name}/{number}.png" for name in ("rose", "tulip") for number in range(500)]
    for number, name in enumerate([*pictures, "others/wall.png", "others/car.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 24), (number % 256, 0, 90)).save(tmp_path / name)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "requirements.lock").touch()
    for name in ("workflow", "src", "Snakefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "flowers.yaml").write_text(text.replace("/data/", f"{tmp_path}/"))
    monkeypatch.chdir(tmp_path)

    planned = [path.split("/", 2)[2] for path in Plan(load("./flowers.yaml")).tasks]

    assert len(text.splitlines()) <= 25
    for trained in ("cnn_aloe.0", "gan_unet.0"):
        assert f"train/{trained}/networks/{trained}.safetensors" in planned
    on_score = "attacked/flowers_test/cnn_aloe.0+msp@0.05/deployed_05.safetensors"
    on_defence = "attacked/flowers_test/translated.0/both_paths.safetensors"
    assert {f"detect/cnn_aloe.0/{on_score}", f"defend/translated.0/{on_defence}"} <= set(planned)
    assert main(["check", "./flowers.yaml"]) == 0
    told = capfd.readouterr().out
    assert "remark" not in told and re.search(r"train \d+.* attack \d+.* translate \d+", " ".join(told.split()))


def written(page):
    """Return the YAML of a page."""
    return [block for language, block in BLOCK.findall((ROOT / "docs" / page).read_text()) if language == "yaml"]


def test_the_lines_that_settle_a_claim_give_it_the_networks_and_images_that_the_page_says(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(study_text("digits", **yaml.safe_load(written("verdicts.md")[0])))
    monkeypatch.chdir(tmp_path)

    study = load("./mine.yaml")

    assert study["classifiers"]["cnn"]["seeds"] == [3, 4, 5, 6, 7, 8]
    assert study["classifiers"]["cnn_pgd"]["seeds"] == [3, 4, 5]
    assert study["examples"]["digits_attacked"]["count"] == 151


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs/README.md").read_text()

    assert [
        page for page in PAGES[1:] if f"({page.relative_to(ROOT / 'docs')})" not in index and page.name != "README.md"
    ] == []
    assert "docs/README.md" in (ROOT / "README.md").read_text()


def test_the_pages_are_few_and_short_and_the_archive_is_none_of_them():
    pages = [page for page in PAGES[1:] if page != ARCHIVE]
    words = {str(page.relative_to(ROOT)): len(page.read_text().split()) for page in pages}
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]

    assert len(words) <= MOST_PAGES, sorted(words)
    assert sum(words.values()) <= MOST_WORDS, words
    assert ARCHIVE.name not in navigation
