"""Files of settings: params.yaml, studies and papers, read as plain YAML or refused with file and line."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from touchstone.messages import nearest, printable

DEFAULT_STUDY = "digits"
NAME = re.compile(r"[a-z][a-z0-9_]*")
ELSEWHERE = Path(".touchstone/studies")  # NAME: the path of a study's file, if it was planned here by its path
# Far more than a study needs, and far less than what crashes the YAML reader: 50,000 nested brackets kill the process.
MOST_BYTES, MOST_VALUES, DEEPEST, LONGEST_KEY, LONGEST_NUMBER = 1_000_000, 100_000, 20, 200, 30
WEB = ("http://", "https://")  # how an address begins, where a path may stand, too
LONGEST_NAME = 255  # bytes of a file's name
KEPT = 32  # files whose content is kept in memory
TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map", "merge")}
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
OCTAL = re.compile(r"[-+]?0[0-9_]+")
PROGRAMMERS = re.compile(r"[-+]?(0[xb][0-9a-fA-F_]*|[0-9]+_[0-9_]*(\.[0-9_]*)?)")  # 0x10, 1_000
READ_AS = {"int": "a number", "float": "a number", "bool": "true or false", "null": "null"}

# What a message of the YAML reader means to whoever wrote the file: {how the message begins: what to do}.
ADVICE = {
    "mapping values": "put a text that holds a colon in quotes, and begin the keys of one block in the same column",
    "did not find expected key": "begin the keys of one block in the same column, and close each bracket once",
    "did not find expected ','": "put a comma between values, a colon after a key, and close each bracket",
    "could not find expected ':'": "write key: value, with a space after the colon",
    "found character": "indent with spaces and not with tabs, and put a text that begins with @, % or ` in quotes",
    "found a tab": "indent with spaces",
    "found unexpected end": "close the quote",
    "found undefined alias": "put a text that begins with * in quotes",
}
BEGINNINGS = (
    "could not find expected ':'",
    "did not find expected ','",
    "found unexpected end",
)  # the message names the line where it begins

Place = tuple[str, ...]  # the keys that lead to a value; indices of lists are "0", "1", ...


class ParamsError(ValueError):
    """Everything that is wrong with the settings of a study, one line each."""


if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:  # libyaml, which not every build of PyYAML has, is ten times as fast, and every job reads the settings
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Plain(_Loader):
    """Reads plain YAML. Dates remain text, and so do numbers that no setting can have."""


def _read_number(reader: _Plain, node: yaml.ScalarNode) -> object:
    """Return a number, or its text if it is too long or no number; the check of its setting refuses the text."""
    text = str(node.value)
    if len(text) <= LONGEST_NUMBER and ":" not in text:  # 1:30 is 90 in YAML 1.1
        try:
            return _Loader.yaml_constructors[node.tag](reader, node)
        except ValueError:  # 0x_
            pass
    return text


# Copies of the tables, so that no other reader of YAML changes.
_Plain.yaml_constructors = _Loader.yaml_constructors | dict.fromkeys(NUMBERS, _read_number)
_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in _Loader.yaml_implicit_resolvers.items()
}


@dataclass
class _Block:
    """A mapping or a list that is being read."""

    place: Place
    anchor: str | None
    before: int  # the number of values in the file before it
    keys: set[str] | None  # None for a list
    key: str | None = None  # the key whose value comes next
    items: int = 0  # of a list, so far


class _Walk:
    """One pass over a YAML file before values are built. Refuses what would crash the reader; records lines of keys."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self._reader: Any = _Plain(text)  # untyped
        self._open: list[_Block] = []
        self._sizes: dict[str, int] = {}  # the number of values below an anchor, with those that aliases repeat
        self._values = 0
        for event in iter(self._reader.get_event, None):
            self._see(event)

    def _refuse(self, event: Any, place: Place, message: str) -> NoReturn:
        key = f"{'.'.join(place)}: " if place else ""
        raise ParamsError(f"{self.path}:{event.start_mark.line + 1}: {printable(key + message)}")

    def _see(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionEndEvent):
            closed = self._open.pop()
            if closed.anchor is not None:
                self._sizes[closed.anchor] = self._values - closed.before
        elif isinstance(event, yaml.NodeEvent):
            block = self._open[-1] if self._open else None
            if block is not None and block.keys is not None and block.key is None:
                block.key = self._key(event, block.place, block.keys)
                self.lines[(*block.place, block.key)] = line
            else:
                self._value(event, self._place(event, block))

    def _place(self, event: Any, block: _Block | None) -> Place:
        """Return the place of a value in its block, and move on to the next place."""
        if block is None:
            return ()
        if block.keys is None:
            place = (*block.place, str(block.items))
            block.items += 1
            self.lines[place] = event.start_mark.line + 1
            return place
        place, block.key = (*block.place, str(block.key)), None
        return place

    def _check_number(self, event: Any, place: Place) -> None:
        """Refuse a number that people may read as another one."""
        number = str(event.value)
        if OCTAL.fullmatch(number):
            self._refuse(
                event,
                place,
                f"a number does not begin with 0; leave the 0 out, or put it in quotes if it is a text: {number}",
            )
        if PROGRAMMERS.fullmatch(number):
            reason = "a number has digits only, such as 1000; write it so, or in quotes if it is a text"
            self._refuse(event, place, f"{reason}: {number[:LONGEST_NUMBER]}")

    def _key(self, event: Any, place: Place, seen: set[str]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, place, "a key is one word, not a list, a block or an alias")
        key = str(event.value)
        if len(key) > LONGEST_KEY:
            self._refuse(event, place, f"a key of {len(key):,} characters; at most {LONGEST_KEY} are allowed")
        kind = str(event.tag or self._reader.resolve(yaml.ScalarNode, key, event.implicit)).rpartition(":")[2]
        if kind not in ("str", "merge"):
            what = READ_AS.get(kind, f"a value of its own kind ({kind})")
            point = ". In a number write a point, not a comma" if kind in ("int", "float") else ""
            remedy = f"write it in quotes, or give it another name{point}"
            self._refuse(event, place, f"the key {key} is read as {what}; {remedy}")
        if key in seen:
            first = self.lines[(*place, key)]
            self._refuse(event, place, f"{key} is defined twice, first in line {first}; keep one of them")
        seen.add(key)
        return key

    def _value(self, event: Any, place: Place) -> None:
        self._values += 1
        if isinstance(event, yaml.AliasEvent):
            if any(block.anchor == event.anchor for block in self._open):
                self._refuse(event, place, f"&{event.anchor} contains itself (*{event.anchor})")
            self._values += self._sizes.get(str(event.anchor), 0)
        elif event.tag is not None and event.tag not in TAGS:
            self._refuse(event, place, f"settings have no tags; remove {event.tag.replace('tag:yaml.org,2002:', '!!')}")
        elif isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            self._check_number(event, place)
        if self._values > MOST_VALUES:
            self._refuse(event, place, f"has more than {MOST_VALUES:,} values, counting those that aliases repeat")
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) == DEEPEST:
                self._refuse(event, place, f"nested more than {DEEPEST} deep")
            keys = set[str]() if isinstance(event, yaml.MappingStartEvent) else None
            self._open.append(_Block(place, event.anchor, self._values, keys))
        elif isinstance(event, yaml.ScalarEvent) and event.anchor is not None:
            self._sizes[event.anchor] = 0


def text_of(path: Path) -> str:
    """Return the text of a file of settings.

    Raises:
        ParamsError: with the file, if it is missing, too large, or no text.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: no such file here; run touchstone in the folder of the Snakefile")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ParamsError(f"{path}: {size:,} bytes; settings have at most {MOST_BYTES:,}")
    with _as_params_error(path):
        return path.read_text(encoding="utf-8")


@contextmanager
def _as_params_error(path: Path) -> Iterator[None]:
    """Turn errors of the YAML reader into a ParamsError with file and line."""
    try:
        yield
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        if problem.startswith(BEGINNINGS):
            mark = getattr(error, "context_mark", None) or mark
        line = f":{mark.line + 1}" if mark else ""
        advice = next((f"; {words}" for start, words in ADVICE.items() if problem.startswith(start)), "")
        advice = "; save the file as UTF-8" if isinstance(error, UnicodeDecodeError) else advice
        raise ParamsError(f"{path}{line}: not readable as YAML: {problem}{advice}") from None


@lru_cache(KEPT)
def _lines(path: Path, text: str) -> dict[Place, int]:
    with _as_params_error(path):
        return _Walk(path, text).lines


@lru_cache(KEPT)
def _content(path: Path, text: str) -> dict[str, Any]:
    _lines(path, text)
    with _as_params_error(path):
        content = yaml.load(text, _Plain)
    if not isinstance(content, dict):
        kind = {"str": "text", "int": "number", "float": "number"}.get(type(content).__name__, type(content).__name__)
        what = "the file is empty" if content is None else f"it contains a {kind}"
        raise ParamsError(f"{path}: expected keys with values, such as title: Mine, but {what}")
    return content


def content_of(path: Path, text: str) -> dict[str, Any]:
    """Return the mapping in the text of a YAML file.

    Raises:
        ParamsError: with file and line, if it is no plain YAML, or no mapping.
    """
    return copy.deepcopy(_content(path, text))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        ParamsError: with file and line, if the file is missing, too large, no plain YAML, or no mapping.
    """
    return content_of(path, text_of(path))


def lines_of(path: Path) -> dict[Place, int]:
    """Return the line of every key and list item in a YAML file, from 1 on, by the keys that lead to it."""
    return _lines(path, text_of(path))


def written_at(files: Iterable[str], section: str, *keys: str) -> str:
    """Return "file:line: keys" of where files write the setting or the entry that keys end in; "" if none does."""
    for end in (keys, keys[:-1]) if len(keys) > 1 else (keys,):
        for file in map(Path, files):
            for place, line in lines_of(file).items():
                if place[0] == section and place[-len(end) :] == end:
                    return f"{file}:{line}: {'.'.join(place)}"
    return ""


def typed_path(typed: str) -> Path:
    """Return the path that a user typed; ~ is the home folder, if there is one."""
    return Path(os.path.expanduser(typed))  # noqa: PTH111 - Path's raises RuntimeError for an unknown user


def is_path(text: str) -> bool:
    """Return whether a file system can have this path at all, whatever is there."""
    return "\0" not in text and all(len(part.encode()) <= LONGEST_NAME for part in text.split("/"))


def study_file(study: str, root: Path) -> Path:
    """Return the file of a study, by its name or its path; by its name also if it was planned here from elsewhere.

    Raises:
        ParamsError: there is no such study.
    """
    folder = root / "workflow" / "studies"
    if not is_path(study):
        raise ParamsError(f"no file can have this path: {study}")
    if study.endswith((".yaml", ".yml")):
        path = root / typed_path(study)
        if not path.is_file():
            raise ParamsError(f"no such study file: {study}")
        return path
    studies = sorted(path.stem for path in folder.glob("*.yaml"))
    if study in studies:
        return folder / f"{study}.yaml"
    if (other := folder / f"{study}.yml").is_file():
        raise ParamsError(f"{other}: the name of a study's file ends in .yaml, so rename it to {study}.yaml")
    if (beside := root / f"{study}.yaml").is_file():  # an assay outside a clone
        return beside
    kept = root / ELSEWHERE / study
    if NAME.fullmatch(study) and kept.is_file() and (path := root / kept.read_text()).is_file():
        return path
    listed = ", ".join(studies) or "none here; run touchstone in the folder of the Snakefile"
    raise ParamsError(f"no study called {study}; there are {listed}.{nearest(study, studies)}")
