"""What is wrong with a study's settings, collected so that one error lists everything with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from touchstone.pipeline.settings.files import ParamsError, Place, lines_of, printable

MOST_ERRORS, MOST_LETTERS = 50, 3_000  # errors in one message, letters in one error


class Problem(NamedTuple):
    """One mistake: the keys that lead to it, and what is wrong."""

    place: Place
    message: str


class Problems:
    """Collects the mistakes of one study and finds the file and line of each.

    Args:
        base: params.yaml, or the overlay if the study starts from nothing.
        overlay: the study's own file, if there is one.

    Attributes:
        overlaid: the places that the overlay changed; mistakes there are reported with a line of the overlay.
    """

    def __init__(self, base: Path, overlay: Path | None = None) -> None:
        self.base, self.overlay = base, overlay
        self.overlaid: set[Place] = set()
        self._errors: list[str] = []
        self._lines: dict[Path, dict[Place, int]] = {}

    def add(self, place: Place, message: str, file: Path | None = None) -> None:
        """Record a mistake. ParamsError as soon as there are more than MOST_ERRORS.

        Args:
            place: the keys that lead to the mistake.
            message: what is wrong and what to do.
            file: the file that holds the keys, if `overlaid` cannot say it.
        """
        file = file or self._file(place)
        if len(self._errors) == MOST_ERRORS:
            self._errors.append(f"and more: these are the first {MOST_ERRORS}")
            self.stop()
        words = printable(f"{'.'.join(place)}: {message}"[:MOST_LETTERS])
        self._errors.append(f"{file}{self._line(file, place)}: {words}")

    def extend(self, *checks: Iterable[Problem]) -> None:
        """Record every mistake that the checks yield, in their order."""
        for check in checks:
            for problem in check:
                self.add(*problem)

    def stop(self) -> None:
        """Raise ParamsError if anything was recorded, so that later checks may rely on the earlier ones."""
        if self._errors:
            raise ParamsError("\n".join(self._errors))

    def _file(self, place: Place) -> Path:
        changed = any(place[:length] in self.overlaid for length in range(1, len(place) + 1))
        return self.overlay if changed and self.overlay else self.base

    def _line(self, file: Path, place: Place) -> str:
        """Return ":LINE" of a key, or of the nearest key above it in the file."""
        if file not in self._lines:
            self._lines[file] = lines_of(file)
        lines = self._lines[file]
        for length in range(len(place), 0, -1):
            if place[:length] in lines:
                return f":{lines[place[:length]]}"
        return ""
