from pathlib import Path

import pytest

from touchstone import registry
from touchstone.report.data_sets import DATA_SETS, DataSet, cited
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
OWN = {"own_files", "download", "checkpoint_file"}  # files of whoever runs a study


def test_every_source_is_cited_with_the_licence_that_the_table_for_users_states():
    table = (ROOT / "data/README.md").read_text()

    assert DATA_SETS.keys() | OWN == set(registry.names("sources"))
    for name, about in DATA_SETS.items():
        row = next(line for line in table.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1])
        stated = row.split("|")[3].strip()
        assert about.licence.startswith((stated, "LFW states none")), name
        assert about.url.startswith(("http://", "https://")) and about.citation


@pytest.mark.parametrize(
    ("study", "names"),
    [
        ("tiny", ["sklearn_digits"]),
        ("digits", ["sklearn_digits", "sklearn_photographs", "skimage_textures", "skimage_faces"]),
    ],
)
def test_a_study_cites_the_data_that_it_uses(study, names):
    assert set(cited(load(study, ROOT).settings["sources"])) == {DATA_SETS[name] for name in names}


def test_data_of_ones_own_is_cited_as_its_settings_say_or_not_at_all():
    flowers = {
        "use": "sources/download",
        "citation": "Jones 2024",
        "licence": "CC BY 4.0",
        "url": "https://example.org",
    }

    assert cited({"a": flowers, "b": flowers, "c": {"use": "sources/own_files", "location": "x"}}) == [
        DataSet("Jones 2024", "CC BY 4.0", "https://example.org")
    ]
