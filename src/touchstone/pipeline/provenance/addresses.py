"""Addresses of artefacts: a whole file, or a member of a bundle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

MARK = "#"
BUNDLE = ".zip"


@dataclass(frozen=True)
class Address:
    """A file in the project's folder and, for a bundle, a member, as in
    data/digits/scores/cnn.0/all/test.zip#knn/test.
    """

    file: str
    member: str = ""

    @classmethod
    def parse(cls, text: str | PurePath) -> Address:
        """Return the address in a text from a task, a link or a user."""
        file, _, member = str(text).partition(MARK)
        return cls(file, member)

    def __str__(self) -> str:
        return f"{self.file}{MARK}{self.member}" if self.member else self.file


def files_of(addresses: Iterable[str]) -> list[str]:
    """Return the files of these addresses in order, without duplicates."""
    return list(dict.fromkeys(Address.parse(text).file for text in addresses))
