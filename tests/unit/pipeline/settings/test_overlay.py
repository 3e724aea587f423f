import pytest

from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.overlay import read_draft
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.sections import Entry, Section

KINDS = {name: Section((name,)) for name in ("attacks", "evaluations", "figures")}
BASE = """
plugins: [mine]
attacks:
  pgd: {use: pgd, eps: 0.1, inner: {use: fgsm, eps: 0.2}}
  fgsm: {use: fgsm}
evaluations: {first: {use: sanity}, second: {use: sanity}}
figures: {drawing: {evaluation: first}, painting: {evaluation: second}}
groups: {both: [pgd, fgsm], one: [fgsm]}
"""


@pytest.fixture
def draft(tmp_path):
    def draft(overlay):
        (tmp_path / "params.yaml").write_text(BASE)
        (tmp_path / "mine.yaml").write_text(overlay)
        problems = Problems(tmp_path / "params.yaml", tmp_path / "mine.yaml")
        result = read_draft(problems, KINDS)
        problems.stop()
        return result

    return draft


def test_blocks_are_merged_key_by_key(draft):
    attacks = draft("attacks: {pgd: {steps: 3, inner: {eps: 0.3}}}").blocks["attacks"]

    assert attacks["pgd"] == {"use": "pgd", "eps": 0.1, "steps": 3, "inner": {"use": "fgsm", "eps": 0.3}}
    assert attacks["fgsm"] == {"use": "fgsm"}


def test_another_component_replaces_a_block(draft):
    assert draft("attacks: {pgd: {inner: {use: pgd}}}").blocks["attacks"]["pgd"]["inner"] == {"use": "pgd"}
    assert draft("attacks: {pgd: {use: fgsm}}").blocks["attacks"]["pgd"] == {"use": "fgsm"}


def test_null_removes_an_entry_its_figures_and_its_place_in_groups(draft):
    result = draft("attacks: {fgsm: null}\nevaluations: {first: null}")

    assert result.removed == {Entry("attacks", "fgsm"), Entry("evaluations", "first"), Entry("figures", "drawing")}
    assert result.blocks["figures"].keys() == {"painting"}
    assert result.blocks["groups"] == {"both": ["pgd"]}


def test_what_the_overlay_says_itself_stays_for_the_checks(draft):
    result = draft(
        "attacks: {fgsm: null}\nevaluations: {first: null}\ngroups: {one: [fgsm]}\nfigures: {drawing: {a: 1}}"
    )

    assert result.blocks["groups"] == {"both": ["pgd"], "one": ["fgsm"]}
    assert "drawing" in result.blocks["figures"]


def test_an_overlay_may_start_from_nothing(draft):
    result = draft("base: none\nattacks: {mine: {use: pgd}}")

    assert (result.blocks, result.plugins) == ({"attacks": {"mine": {"use": "pgd"}}}, [])


def test_plugins_of_the_overlay_replace_those_of_the_base(draft):
    assert draft("attacks: {pgd: {eps: 1}}").plugins == ["mine"]
    assert draft("plugins: [other]").plugins == ["other"]


def test_sections_are_checked_before_any_entry(draft):
    with pytest.raises(ParamsError, match=r"^[^\n]*mine\.yaml:1: attack: no such section[^\n]*Did you mean attacks\?$"):
        draft("attack: {pgd: null}\nattacks: {nothing: null}")
