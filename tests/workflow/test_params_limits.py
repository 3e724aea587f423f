"""Settings that would crash, hang or mean nothing are refused within seconds: file, line, key, what is allowed."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from projects import FEWER, study_text, within
from touchstone import registry
from touchstone.settings.files import ParamsError, lines_of, read_yaml
from touchstone.settings.limits import largest
from touchstone.settings.sections import STUDY_SETTINGS, sections
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
SECONDS = 10
PAPERS = dict.fromkeys(("gradient_detection", "aloe", "margin_consistency", "fgsm", "translation"), "full")
DIGITS = study_text("digits", papers=PAPERS, change=None, data=FEWER)
BEFORE = DIGITS.count("\n") + 1  # lines before what a study changes


def message(project, text):
    (project / "workflow" / "studies" / "mine.yaml").write_text(text)
    with within(SECONDS), pytest.raises(ParamsError) as caught:
        load("mine", project)
    return str(caught.value)


def chain(length, last):
    links = [f"  set{n}: {{use: subset, of: set{n + 1}, count: 5}}" for n in range(length)]
    return "\n".join(["examples:", *links, f"  set{length}: {{use: subset, of: {last}, count: 5}}"])


BOMB = "groups:\n  a0: &a0 [x, x]\n" + "".join(f"  a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
MERGES = "attacks:\n  a0: &a0 {use: fgsm}\n" + "".join(
    f"  a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)
)
MANY = "\n".join(f"  many{n}: {{use: fgsm}}" for n in range(2000))
# What is written, the line that the message names, its key, and other words that it holds.
HOSTILE = {
    "a circle of sets": ("examples:\n  one: {use: subset, of: two, count: 5}\n  two: {use: subset, of: one, count: 5}", 2, "examples.one.of", "one is made of two is made of one"),
    "a set of itself": ("examples: {one: {use: subset, of: one, count: 5}}", 1, "examples.one.of", "one is made of one"),
    "a circle that a set leads into": (chain(3, "set1"), 3, "examples.set1.of", "set1 is made of set2 is made of set3 is made of set1"),
    "a long chain of sets": (chain(1200, "digits_test"), 1, "examples", "at most 500 entries"),
    "a chain that is too long": (chain(40, "digits_test"), 2, "examples.set0.of", "at most 20 sets"),
    "a million seeds": (f"classifiers:\n  cnn:\n    seeds: [{', '.join(map(str, range(50_000)))}]", 3, "classifiers.cnn.seeds", "at most 100"),
    "a list without end": (f"evaluations:\n  margins:\n    eps: [{', '.join(['0.1'] * 5000)}]", 3, "evaluations.margins.eps", "at most 1,000"),
    "entries without end": (f"attacks:\n{MANY}", 1, "attacks", "at most 500 entries"),
    "too many steps": (f"attacks:\n  pgd:\n    steps: {10**30}", 3, "attacks.pgd.steps", "at least 1, at most 1,000,000"),
    "too many hidden units": ("classifiers:\n  cnn:\n    model: {hidden: 1000000000}", 3, "classifiers.cnn.model.hidden", "at most 1,000,000"),
    "too large a seed": (f"classifiers: {{cnn: {{seeds: [0, {2**70}]}}}}", 1, "classifiers.cnn.seeds.1", "at most 4,294,967,295"),
    "too large a seed of a set": (f"examples: {{uniform: {{seed: {2**32}}}}}", 1, "examples.uniform.seed", "at most 4,294,967,295"),
    "too fast a rate": ("classifiers: {cnn: {learning_rate: 1.0e+30}}", 1, "classifiers.cnn.learning_rate", "above 0, at most 10,"),
    "a momentum that keeps Adam from moving": ("classifiers: {cnn: {momentum: 1}}", 1, "classifiers.cnn.momentum", "must be less than 1 with optimizer: adam"),
    "a class far below zero": ("examples: {few_classes: {use: held_out_classes, of: digits_train, keep: false, classes: [-2000000]}}", 1, "examples.few_classes.classes.0", "from -1,000,000 to 1,000,000"),
    "infinity": ("attacks: {pgd: {step_size: .inf}}", 1, "attacks.pgd.step_size", "at most 1,000,000"),
    "minus infinity": ("attacks: {pgd: {step_size: -.inf}}", 1, "attacks.pgd.step_size", "at most 1,000,000"),
    "infinity for a count": ("attacks: {pgd: {steps: .inf}}", 1, "attacks.pgd.steps", "at least 1, at most 1,000,000"),
    "eps beyond floats, in quotes": (f'attacks: {{pgd: {{eps: "{10**400}"}}}}', 1, "attacks.pgd.eps", "from 0 to 1"),
    "eps as a long sum": (f'attacks: {{pgd: {{eps: "{"+".join(["1"] * 50_000)}"}}}}', 1, "attacks.pgd.eps", "from 0 to 1"),
    "eps in brackets": (f'attacks: {{pgd: {{eps: "{"(" * 50_000}1{")" * 50_000}"}}}}', 1, "attacks.pgd.eps", "from 0 to 1"),
    "5,000 digits": (f"attacks:\n  pgd:\n    steps: {'9' * 5000}", 3, "attacks.pgd.steps", "at least 1, at most 1,000,000"),
    "hexadecimal without end": (f"attacks:\n  pgd:\n    steps: 0x{'f' * 50_000}", 3, "attacks.pgd.steps", "a number has digits only"),
    "hexadecimal nothing": ("attacks:\n  pgd:\n    steps: 0x_", 3, "attacks.pgd.steps", "a number has digits only"),
    "a date": ("attacks:\n  pgd:\n    steps: 2020-01-01", 3, "attacks.pgd.steps", 'at least 1, at most 1,000,000, got "2020-01-01"'),
    "no date": ("attacks:\n  pgd:\n    eps: 2020-99-99", 3, "attacks.pgd.eps", "from 0 to 1"),
    "a date for a key": ("attacks:\n  2020-01-01: {use: fgsm}", 2, "attacks.2020-01-01", "a-z"),
    "a digest of another kind": ("sources:\n  sklearn_faces: {use: skimage_faces, sha256: 'sha1:'}", 2, "sources.sklearn_faces.sha256", "sha256: and 64 hexadecimal digits"),
    "a digest that is cut": (f"sources: {{skimage_faces: {{sha256: 'sha256:{'0' * 63}'}}}}", 1, "sources.skimage_faces.sha256", "64 hexadecimal digits"),
    "a source for what reads none": ("examples: {uniform: {source: skimage_faces}}", 1, "examples.uniform.source", "data/uniform_noise.py reads no source"),
    "no source for what reads one": ("examples: {faces: {source: null}}", 1, "examples.faces.source", "must name an entry of sources"),
    "no set for what changes one": ("examples: {digits_attacked: {of: null}}", 1, "examples.digits_attacked.of", "must name an entry of examples"),
    "a question without end": ("evaluations: {robustness: {classifiers: all, examples: all, attacks: all, victims: all, translators: all}}\nclassifiers: {mlp: {seeds: [" + ", ".join(map(str, range(100))) + "]}}", 1, "evaluations.robustness", "may read at most 100,000"),
    "a long name": (f"attacks:\n  {'a' * 100}: {{use: fgsm}}", 2, f"attacks.{'a' * 100}", "at most 60"),
    "a group that holds no names": ("groups:\n  rubbish: [[digits_test], {a: b}]", 2, "groups.rubbish", "expected an entry or a list of entries"),
    "a label with a bad name": ("confounding: {'A b': {variant: softmax}}", 1, "confounding.A b", "a-z"),
    "wrong names without end": ("evaluations:\n  robustness:\n    examples: [" + ", ".join(f"digits_tes{n}" for n in range(900)) + "]", 3, "evaluations.robustness.examples", "and more: these are the first 50"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_makes_no_sense_is_refused_with_line_key_and_range(project, case):
    text, line, key, words = HOSTILE[case]

    error = message(project, f"{DIGITS}change:\n{textwrap.indent(text, '  ')}\n")

    first = next(one for one in error.splitlines() if f": change.{key}: " in one)
    assert first.startswith(f"{project / 'workflow/studies/mine.yaml'}:{BEFORE + line}: change.{key}: ")
    assert words in error
    assert len(error) < 20_000


# Likewise, of what a study says besides: replaced in it, by its key, and the key that the message names.
TOP = {
    "too large a batch": ({"compute": {"batch_size": 10**12}}, "compute.batch_size", "at most 1,000,000"),
    "absent lists": ({"scale": {"absent": [["a"]]}}, "scale.absent.0", "expected str, got ['a']"),
    "seeds without end": ({"scale": {"seeds": 10**12}}, "scale.seeds", "a number of seeds from 1 to 100"),
    "seeds of networks without end": ({"scale": {"classifiers": {"seeds": 10**12}}}, "scale.classifiers.seeds", "a number of seeds from 1 to 100"),
    "seeds of a claim without end": ({"scale": {"claims": {"F3": 10**12}}}, "scale.claims.F3", "a number of seeds from 1 to 100"),
    "a first seed beyond all": ({"scale": {"first_seed": 2**40}}, "scale.first_seed", "at most"),
}  # fmt: skip


@pytest.mark.parametrize("case", TOP)
def test_what_makes_no_sense_in_scale_data_or_compute_is_refused_with_line_key_and_range(project, case):
    changes, key, words = TOP[case]
    text = study_text(DIGITS, **changes)

    error = message(project, text)

    found = re.match(rf"{project / 'workflow/studies/mine.yaml'}:(\d+): {re.escape(key)}: (.*)", error)
    assert found and words in found[2]
    name = next(part for part in reversed(key.split(".")) if not part.isdecimal())
    line = text.splitlines()[int(found[1]) - 1].strip()
    assert line.startswith((f"{name}:", "- - a"))


# What is wrong before there is any key.
UNREADABLE = {
    "brackets without end": ("attacks: " + "[" * 100_000, 1, "deep"),
    "braces without end": ("{a: " * 100_000, 1, "deep"),
    "dashes without end": ("attacks:\n  " + "- " * 100_000, 2, "deep"),
    "aliases without end": (BOMB, 16, "groups.a14.1: has more than 100,000 values"),
    "merges without end": (MERGES, 16, "attacks.a14.<<.1: has more than 100,000 values"),
    "an alias of itself": ("attacks: &a\n  pgd: *a", 2, "&a contains itself"),
    "values without end": (
        "groups: {a: [" + "x, " * 200_000 + "]}",
        1,
        "groups.a.99997: has more than 100,000 values",
    ),
    "a list for a key": ("attacks:\n  [a, b]: 1", 2, "a key is one word"),
    "a block for a key": ("attacks:\n  ? {a: b}\n  : 1", 2, "a key is one word"),
    "an alias for a key": ("compute: &a {device: cpu}\nattacks:\n  *a : 1", 3, "a key is one word"),
    "a number for a key": ("attacks:\n  12: {use: fgsm}", 2, "12"),
    "yes for a key": ("attacks:\n  yes: {use: fgsm}", 2, "yes"),
    "nothing for a key": ("attacks:\n  ~: {use: fgsm}", 2, "~"),
    "a key without end": (f"attacks:\n  ? {'a' * 5000}\n  : 1", 2, "5,000 characters"),
    "a tag": ("attacks:\n  pgd: !!binary aGk=", 2, "!!binary"),
    "a tag of Python": ("attacks: !!python/object/apply:os.system [id]", 1, "python"),
    "a number that is none": ("attacks:\n  pgd: {steps: !!int abc}", 2, "!!int"),
    "two documents": ("attacks: {}\n---\nscale: {}", 2, "document"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_is_no_settings_is_refused_with_its_line(project, case):
    text, line, words = UNREADABLE[case]

    error = message(project, text)

    assert error.startswith(f"{project / 'workflow/studies/mine.yaml'}:{line}: ")
    assert words in error
    assert len(error) < 2_000


@pytest.mark.parametrize("folder", ["/", "/dev/null", "x" * 5000, "\\0", ""])
def test_a_plugin_folder_is_never_searched_to_its_end(project, folder):
    path = project / "workflow" / "studies" / "mine.yaml"
    path.write_text(f'plugins: ["{folder}"]\n{DIGITS}change: {{attacks: {{pgd: {{eps: 7}}}}}}\n')

    with within(SECONDS), pytest.raises(ParamsError, match=r"mine\.yaml:\d+: (plugins|change\.attacks\.pgd\.eps): "):
        load("mine", project)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00\x01", b"title: \x00", b"title: \x07"])
def test_bytes_that_are_no_text_are_refused(project, data):
    path = project / "params.yaml"
    path.write_bytes(data)

    with pytest.raises(ParamsError, match=r"params\.yaml.*: not readable as YAML"):
        read_yaml(path)


def test_a_file_that_is_too_large_is_not_read(project):
    path = project / "params.yaml"
    path.write_text("#" * 1_000_001)

    with pytest.raises(ParamsError, match=r"params\.yaml: 1,000,001 bytes; settings have at most 1,000,000"):
        read_yaml(path)


def test_a_merged_setting_is_named_by_the_line_of_its_entry(project):
    error = message(
        project, f"{DIGITS}change:\n  attacks:\n    one: &one {{use: fgsm, eps: 7}}\n    two:\n      <<: *one\n"
    )

    assert f"mine.yaml:{BEFORE + 2}: change.attacks.one.eps: expected float from 0 to 1, got 7" in error
    assert f"mine.yaml:{BEFORE + 3}: change.attacks.two.eps: expected float from 0 to 1, got 7" in error


def test_a_block_merged_into_another_that_is_merged_stands_once(tmp_path):
    path = tmp_path / "merged.yaml"
    path.write_text("a:\n  one: &one {x: 1, y: 2}\n  two: &two {<<: *one, x: 3}\nb: {<<: *two, y: 4}\n")

    assert read_yaml(path) == {"a": {"one": {"x": 1, "y": 2}, "two": {"x": 3, "y": 2}}, "b": {"x": 3, "y": 4}}


def test_lines_are_those_of_the_keys(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text("# first\na:\n  b: [1,\n      2]\n  c: {d: 1}\n")

    lines = lines_of(path)

    assert lines["a",] == 2
    assert lines["a", "b"] == 3 and lines["a", "b", "1"] == 4
    assert lines["a", "c", "d"] == 5


def numbers(where, name, kind, default):
    if kind.base == "list":
        yield from numbers(where, name, kind.item, default)
    elif kind.base in ("int", "float"):
        yield f"{where}.{name}", name, default


def test_no_default_of_any_component_is_beyond_the_limits():
    known = [
        number
        for folder in registry.FOLDERS
        for component in registry.names(folder)
        for name, setting in registry.component(folder, component).settings.items()
        for number in numbers(f"{folder}/{component}", name, setting.type, setting.default)
    ]
    known += [
        number
        for place, block in [*((name, found.settings) for name, found in sections().items()), *STUDY_SETTINGS.items()]
        for name, setting in block.items()
        for number in numbers(place, name, setting.type, setting.default)
    ]

    assert len(known) > 200
    for place, name, default in known:
        for value in default if isinstance(default, list) else [default]:
            assert value is None or abs(value) <= largest(name), place


def test_the_command_ends_with_words_and_not_with_a_traceback(project):
    (project / "workflow" / "studies" / "mine.yaml").write_text("attacks: " + "[" * 100_000)

    done = subprocess.run(
        [sys.executable, "-m", "touchstone", "check", "mine"], cwd=project, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr.startswith("touchstone: workflow/studies/mine.yaml:1: ")
    assert "Traceback" not in done.stderr
