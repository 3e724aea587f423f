"""Roles of a study: entries, lists of entries, and other roles."""

import pytest

from touchstone.settings.files import ParamsError
from touchstone.settings.problems import Problems
from touchstone.settings.roles import filled_in, read_roles


def roles(tmp_path, written):
    (tmp_path / "params.yaml").write_text("scale: {}\n")
    problems = Problems(tmp_path / "params.yaml")
    result = read_roles(written, problems)
    problems.stop()
    return result


def test_a_role_may_name_roles_above_and_below(tmp_path):
    found = roles(tmp_path, {"few": ["$few_id", "$few_ood"], "few_id": "digits", "few_ood": ["noise", "faces"]})

    assert found["few"] == ["digits", "noise", "faces"]
    assert found["few_id"] == ["digits"]
    assert roles(tmp_path, {"attacked": "$id/pgd", "id": "digits"})["attacked"] == ["digits/pgd"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"a": "$b", "b": ["$a"]}, "groups.a: names itself, or a group that names it"),
        ({"train": "digits", "test": "$trian"}, "groups.test: no data role or group trian. Did you mean train?"),
        ({"train": []}, "groups.train: expected an entry or a list of entries, got []"),
        ({"Train": "digits"}, "groups.Train: a group is named [a-z][a-z0-9_]*"),
    ],
)
def test_a_wrong_role_is_refused(tmp_path, written, words):
    with pytest.raises(ParamsError) as error:
        roles(tmp_path, written)

    assert words in str(error.value)


def test_a_value_gets_the_entries_of_its_roles():
    found = {"one": ["digits"], "more": ["noise", "faces"]}

    assert filled_in("$one", found) == "digits"
    assert filled_in("$one", found, many=True) == ["digits"]
    assert filled_in("$more", found) == ["noise", "faces"]
    assert filled_in(["$more", "x", "$none", 3], found) == ["noise", "faces", "x", "$none", 3]
    assert filled_in("$one/pgd", found) == "digits/pgd"
    assert filled_in({"sets": ["$one/pgd"], "question": "$one"}, found) == {"sets": ["digits/pgd"], "question": "$one"}
