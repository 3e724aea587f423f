"""Settings that were damaged at random are read or refused with a message, without a traceback or a long wait."""

import copy
import random
import signal
from pathlib import Path

import yaml

from touchstone.pipeline.planning.plan import Plan
from touchstone.plugins import PACKAGE
from touchstone.settings.files import ParamsError
from touchstone.settings.sections import STUDY_SETTINGS, sections
from touchstone.settings.study import load
from touchstone.settings.study_models import Compute, Scale, StudyFile

ROOT = Path(__file__).parents[2]
STUDIES = ("params", "tiny", "digits", "mnist", "cifar100")
SECONDS, DRAWS = 20, 100
NASTY = [
    None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e-300, 1e300, 2**31, 2**63, 2**70, 10**30, 10**400, float("nan"),
    float("inf"), float("-inf"), "", " ", "a", "all", "none", "null", "1/0", "8/255", "1e999", "²", "٣", "\u202e", "x" * 5000,
    "../../etc/passwd", "/dev/zero", "~", "a\nb", "$(id)", "`id`", "{net}", "{", "%s", "[1", "1:30:00", "0x_", "sha256:",
    "2020-01-01", [], {}, [[]], [None], [1], ["a"], ["a", "a"], [["a"]], [{}], {"use": "fgsm"}, {"use": None}, {"use": []},
    {"use": {}}, {"a": {"b": {"c": {}}}}, list(range(200)), list(range(2000)),
]  # fmt: skip
TEXT = ["[", "]", "{", "}", ":", ": ", "- ", "? ", "&a ", "*a", "<<: ", "!!", "!", "|", ">", "#", "'", '"', "\t", "\n", ",", "%", "@", "\0", "\u2028", "\ud7ff", "e", "0"]  # fmt: skip

# Keys that an entry may have and those of the shipped studies need not.
KNOWN = sorted(
    {key for section in sections().values() for key in (*section.settings, *section.references)}
    | {key for block in STUDY_SETTINGS.values() for key in block}
    | {key for model in (StudyFile, Scale, Compute) for key in model.model_fields}
    | {"confounding", "groups", "shared", "use", "sets", "each", "chosen", "smoke", "quick", "full", "defaults"}
)


def content(name):
    path = ROOT / ("params.yaml" if name == "params" else f"workflow/studies/{name}.yaml")
    return path.read_text()


def places(value, way=()):
    """Every way to a value below."""
    yield way
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(below, (*way, key))


def at(value, way):
    for key in way:
        value = value[key]
    return value


def damaged(value, chance):
    """Return settings with up to four changes: values for others, entries moved, removed, renamed or doubled."""
    value = copy.deepcopy(value)
    for _ in range(chance.randint(1, 4)):
        ways = [way for way in places(value) if way]
        if not ways:
            break
        *way, key = chance.choice(ways)
        block = at(value, way)
        match chance.randrange(5):
            case 0 | 1:
                block[key] = copy.deepcopy(chance.choice(NASTY))
            case 2:
                del block[key]
            case 3:
                block[key] = copy.deepcopy(at(value, chance.choice(ways)) if chance.random() < 0.9 else value)
            case 4:
                item = block[key]
                if isinstance(block, list):
                    block += [item] * chance.choice([1, 300])
                else:
                    keys = [str(other[-1]) for other in ways]
                    new = chance.choice([*keys, *KNOWN, *(str(nasty) for nasty in NASTY)])
                    block[new] = copy.deepcopy(chance.choice([item, *NASTY]))
    return value


def torn(text, chance):
    """Return a text with up to four pieces put in, taken out, doubled or repeated without end."""
    for _ in range(chance.randint(1, 4)):
        first, last = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        last = min(last, first + chance.choice([1, 5, 50, 500]))
        piece = text[first:last]
        new = chance.choice(["", piece * 2, chance.choice(TEXT), chance.choice(TEXT) * chance.choice([3, 50_000])])
        text = text[:first] + new + text[last if chance.random() < 0.5 else first :]
    return text


def written(chance):
    """Return the texts of a study and of params.yaml, one of them damaged."""
    name = chance.choice(STUDIES)
    text = changed(content(name), chance)
    return (content("tiny"), text) if name == "params" else (text, content("params"))


def changed(text, chance):
    if chance.random() < 0.4:
        return torn(text, chance)
    return yaml.dump(damaged(yaml.load(text, yaml.CSafeLoader), chance), Dumper=yaml.CSafeDumper, sort_keys=False)


def look(folder, text, params):
    """Read a study and params.yaml from a folder and plan it; return the words that refuse it, "" where nothing does."""

    def late(number, frame):
        raise TimeoutError(f"more than {SECONDS} s")

    study = folder / "workflow" / "studies" / "mine.yaml"
    study.parent.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_bytes(params.encode(errors="surrogatepass"))
    study.write_bytes(text.encode(errors="surrogatepass"))
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        _ = Plan(load("mine", folder)).jobs
        return ""
    except ParamsError as error:
        return str(error)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_damaged_settings_are_read_or_refused_in_words(tmp_path):
    answers = []
    for draw in range(DRAWS):
        error = look(tmp_path, *written(random.Random(draw)))
        # A damaged name may be reported where a shipped paper asks for the entry.
        assert not error or error.startswith((str(tmp_path), str(PACKAGE / "papers"))), draw
        assert len(error) < 200_000, draw
        answers.append(error)

    # Were all refused for one reason, the draws would show nothing.
    assert answers.count("") > 2
    assert len({error.partition(": ")[2] for error in answers}) > DRAWS / 2
