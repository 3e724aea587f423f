"""Whether the classes of the user's images can be the outputs of the user's model, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 6  # classes that are named


@dataclass(frozen=True)
class Numbering:
    """How the images came by their class numbers.

    names: of the classes by number, "" for one without images. empty: folders without pictures. stated: the numbers were
    given (folders named 0, 1, ..., labels of an array file, --classes); else they are alphabetical places.
    """

    place: str
    names: tuple[str, ...]
    empty: tuple[str, ...] = ()
    stated: bool = True

    def fit(self, outputs: int) -> list[str]:
        """Return what the user should know before this many logits are compared with the classes.

        ValueError where there are more classes than logits, or where their numbers are guesses that must be wrong.
        """
        held = [name for name in self.names if name]
        counts = f"the model has {outputs} classes, {self.place} has {len(held)} ({_listed(held)})"
        nothing = (
            f"{', '.join(f'{name}/' for name in self.empty[:SHOWN])} {'is' if len(self.empty) == 1 else 'are'} empty"
        )
        if len(self.names) > outputs:
            numbers = f", numbered up to {len(self.names) - 1}" if len(self.names) > len(held) else ""
            raise ValueError(f"{counts}{numbers}; is this the model that was trained on these classes?")
        if len(held) == outputs:
            return [nothing] if self.empty else []
        if not self.stated:
            raise ValueError(
                f"{counts}{'; ' + nothing if self.empty else ''}. Which output is whose cannot be told from the names in"
                " alphabetical order: say it with --classes and the names of all classes in the model's order, those"
                " without pictures too, or name the folders by their numbers, 0, 1, ..."
            )
        return [f"{counts}: the other outputs are never right, and attacks may still lead to them"]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
