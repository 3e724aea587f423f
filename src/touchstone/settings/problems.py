"""What is wrong with a study's settings, collected so that one error lists everything with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from touchstone.messages import printable
from touchstone.plugins import PACKAGE
from touchstone.settings.files import ParamsError, Place, lines_of

MOST_ERRORS, MOST_LETTERS = 50, 3_000  # errors in one message, letters in one error

HINT = "touchstone's own file reads what this study says otherwise in its data, scale, papers or change: mend it here"


class Problem(NamedTuple):
    """One mistake: the keys that lead to it, and what is wrong."""

    place: Place
    message: str


class Problems:
    """Collects the mistakes of one study and finds the file and line of each.

    Args:
        base: params.yaml.
        study: the study's own file.

    Attributes:
        own: the study's own file.
    """

    def __init__(self, base: Path, study: Path | None = None) -> None:
        self.base, self.own = base, study or base
        self._files: dict[Place, tuple[Path, Place]] = {}
        self._places: dict[Place, Place] = {}
        self._played: dict[Place, Place] = {}
        self._told: set[tuple[Place, str]] = set()
        self._errors: list[str] = []

    @property
    def messages(self) -> list[str]:
        """Everything that was recorded, a line each."""
        return list(self._errors)

    def written(self, place: Place, file: Path, keys: Place | None = None) -> None:
        """Record which file last wrote what is at a place, and under which keys; its mistakes are reported there."""
        self._files[place] = file, place if keys is None else keys

    def record_origin(self, place: Place, written: Place) -> None:
        """Record that what is at a place was written at another: in a family, or in the defaults of a section."""
        self._places[place] = written

    def plays(self, place: Place, role: Place) -> None:
        """Record that the value at a place is that of a data role, so that the study's file is where it is wrong."""
        if self._origin(place)[0].is_relative_to(PACKAGE):
            self._played[place] = role

    def add(self, place: Place, message: str, file: Path | None = None) -> None:
        """Record a mistake. ParamsError as soon as there are more than MOST_ERRORS.

        Args:
            place: the keys that lead to the mistake.
            message: what is wrong and what to do.
            file: the file that holds the keys, if not the one that wrote the place.
        """
        written = (file, place) if file else self._origin(place)
        file, keys = written
        if (role := self._played.get(place[:3])) and (file, keys) == self._origin(place):
            file, keys = self.own, role
            if (role, message) in self._told:
                return
            self._told.add((role, message))
            message += f" ({'.'.join(written[1])} in {'/'.join(written[0].parts[-2:])} reads it)"
        words = printable(f"{'.'.join(keys)}: {message}"[:MOST_LETTERS])
        error = f"{file}{self._line(file, keys)}: {words}"
        if error in self._errors:  # one default, many entries
            return
        if len(self._errors) == MOST_ERRORS:
            self._errors.append(f"and more: these are the first {MOST_ERRORS}")
            self.stop()
        self._errors.append(error)

    def is_own(self, place: Place) -> bool:
        """Return whether the study's own file wrote what is at a place."""
        return self._origin(place)[0] == self.own

    def extend(self, *checks: Iterable[Problem]) -> None:
        """Record every mistake that the checks yield, in their order."""
        for check in checks:
            for problem in check:
                self.add(*problem)

    def stop(self) -> None:
        """Raise ParamsError if anything was recorded, so that later checks may rely on the earlier ones."""
        if self._errors:
            shipped = any(error.startswith(f"{PACKAGE}/") for error in self._errors)
            hint = f"{self.own}: {HINT}" if shipped and not self.own.is_relative_to(PACKAGE) else ""
            raise ParamsError("\n".join(filter(None, (*self._errors, hint))))

    def _origin(self, place: Place) -> tuple[Path, Place]:
        """Return the file that wrote what is at a place, and the keys that lead to it there."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._files:
                file, keys = self._files[place[:length]]
                return file, keys + place[length:]
            if place[:length] in self._places:
                return self._origin(self._places[place[:length]] + place[length:])
        return self.own, place

    def _line(self, file: Path, place: Place) -> str:
        """Return ":LINE" of a key, or of the nearest key above it in the file."""
        lines = lines_of(file)
        for length in range(len(place), 0, -1):
            if place[:length] in lines:
                return f":{lines[place[:length]]}"
        return ""
