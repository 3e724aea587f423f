import pytest
from annotated_types import Interval

from touchstone import registry
from touchstone.signatures import ComponentError, within


def every_component():
    return [(folder, name) for folder in registry.FOLDERS for name in registry.names(folder)]


def test_every_file_of_a_component_folder_keeps_the_rules():
    for folder, name in every_component():
        found = registry.component(folder, name)

        assert found.call.summary, f"{folder}/{name}: a component's docstring says what comes back"
        assert found.call.data or folder in ("sources",), f"{folder}/{name}"


def test_defaults_are_values_of_their_own_type():
    for folder, name in every_component():
        for setting in registry.component(folder, name).settings.values():
            place = f"{folder}/{name}: {setting}"
            if setting.type.bounds is not None and setting.default is not None:
                assert within(setting.default, setting.type.bounds), place
            if setting.type.base == "word" and setting.default is not None:
                assert setting.default in setting.type.words, place


def write(tmp_path, monkeypatch, text):
    (tmp_path / "attacks").mkdir()
    (tmp_path / "attacks" / "mine.py").write_text(text)
    monkeypatch.setattr(registry, "PACKAGE", tmp_path)


def test_settings_are_read_without_importing_the_file(tmp_path, monkeypatch):
    write(
        tmp_path,
        monkeypatch,
        'raise SystemExit\ndef mine(model, images, *, eps: UnitInterval = 8 / 255, loss: Literal["a", "b"] = "a",'
        ' k: PositiveInt | None = None, rates: list[float] = (1, 2)):\n    """Return it."""',
    )

    settings = registry.component("attacks", "mine").settings

    assert settings["eps"].default == 8 / 255
    assert settings["eps"].type.bounds == Interval(ge=0, le=1)
    assert settings["loss"].type.words == ("a", "b")
    assert settings["k"].type.optional
    assert settings["rates"].default == [1, 2]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def other(): ...", "no function or class called mine"),
        ("def mine(gadget): ...", "gadget comes before the star"),
        ("def mine(model, *, eps=0.1): ...", "eps: a setting needs a type"),
        ("def mine(model, *, eps: float = f(1)): ...", "not a literal"),
        ("def mine(model, *, eps: Banana = 1): ...", "cannot have the type Banana"),
        ("def mine(model, *, eps: UnitInterval = 8): ...", "eps: the default 8 is not float from 0 to 1"),
        ("def mine(model, *, steps: int = 0.5): ...", "steps: the default 0.5 is not int"),
        ("def mine(model, *, steps: PositiveInt = None): ...", "steps: the default None is not int at least 1"),
        ("def mine(model, *, clip: bool = 1): ...", "clip: the default 1 is not bool"),
        ("def mine(model, *, eps: list[float] = [1, 'a']): ...", r"eps: the default \[1, 'a'\] is not list of float"),
        ("def mine(model, *, loss: Literal['a', 'b'] = 'c'): ...", "loss: the default 'c' is not a or b"),
        ("def mine(model, *, k: Literal[1, 2] = 1): ...", "k: a Literal may hold words in quotes only; use int"),
    ],
)
def test_a_file_that_breaks_the_rules_is_refused_by_name(tmp_path, monkeypatch, text, word):
    write(tmp_path, monkeypatch, text)

    with pytest.raises(ComponentError, match=word):
        registry.component("attacks", "mine")
