"""The scores of all networks of a study, and the worst of all points of each image, for `union_detection`."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from touchstone.evaluations.statistics import estimators
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import times_drawn
from touchstone.evaluations.statistics.rows import grouped, only
from touchstone.evaluations.statistics.threats import budget, network
from touchstone.records.metric_rows import ADAPTIVE, Threat, stated
from touchstone.records.nouns import Cell

Key = tuple[str, int | None, str]  # kind of network, seed, detector


class Side(NamedTuple):
    """The scores of one set, in the order of the ids: clean, or the worst of all points."""

    scores: Array  # (N,)
    population: int  # how many images are resampled: those of all sets of the kind
    cells: list[Cell]


class Auroc(NamedTuple):
    """An AUROC, its resamples, and what it was computed from."""

    value: float
    samples: Array
    sides: tuple[Side, Side]

    @property
    def drawn_from(self) -> tuple[int, int]:
        return self.sides[0].population, self.sides[1].population


class ScoreUnion:
    """The scores of all networks, and the worst of all points of each image."""

    def __init__(self, cells: list[Cell], kinds: dict[str, str], resamples: int, seed: int) -> None:
        self.kinds, self.resamples, self.seed = kinds, resamples, seed
        attacked = [cell for cell in cells if cell.attack]
        allowed = {budget(cell) for cell in attacked}
        if len(allowed) != 1:
            raise ValueError(f"expected attacks of one norm and eps, got {sorted(map(str, allowed))}")
        ((norm, eps),) = allowed
        if eps is None:
            raise ValueError("an attack declares no eps")
        aims = {(kinds.get(_aimed_at(cell), "network"), cell.attack) for cell in attacked}
        names = tuple(f"{aim}/{attack}" for aim, attack in sorted(aims))
        self.attacks = frozenset(attack for _, attack in aims)
        self.threat = Threat(ADAPTIVE, worst_of=names, norm=norm, budget=(("eps", stated(eps)),))
        self.by_key = grouped(
            cells, lambda cell: (kinds[cell.entry], cell.seed, kinds[cell.detector], kinds[cell.examples])
        )
        self.keys: list[Key] = list(dict.fromkeys(key[:3] for key in self.by_key))
        self.sets = list(dict.fromkeys(key[3] for key in self.by_key))
        self._check(attacked)
        self.populations = {
            name: np.unique(np.concatenate([cell.noun.example_ids for cell in alike]))
            for name, alike in grouped(cells, lambda cell: kinds[cell.examples]).items()
        }
        self.aurocs: dict[tuple[object, ...], Auroc] = {}

    def _check(self, attacked: list[Cell]) -> None:
        """Raise ValueError unless each detector scores all points on each set of its network.

        All networks of a kind must have the same detectors, because one of these is chosen for the kind.
        """
        for kind, keys in grouped(self.keys, lambda key: key[0]).items():
            for seed, detector in product(dict.fromkeys(key[1] for key in keys), dict.fromkeys(key[2] for key in keys)):
                if (kind, seed, detector) not in keys:
                    raise ValueError(
                        f"no scores of {kind} (seed {seed}) and {detector}, which other networks of its kind have"
                    )
        made = grouped(attacked, network)
        for key in self.keys:
            for name in self.sets:
                cells = self.by_key.get((*key, name), [])
                only(
                    (cell for cell in cells if not cell.attack),
                    f"scores of {key[0]} (seed {key[1]}) and {key[2]} on {name}",
                )
                if network(cells[0]) not in made:
                    raise ValueError(f"no attacked scores of {network(cells[0])}")
                aims = {(cell.victim, cell.attack) for cell in made[network(cells[0])]}
                if aims != {(cell.victim, cell.attack) for cell in cells if cell.attack}:
                    raise ValueError(
                        f"{key[2]} has not scored all points that were made from {name} of {network(cells[0])}"
                    )

    def auroc(self, key: Key, sets: tuple[str, str], attacks: frozenset[str] | None = None) -> Auroc:
        """Return the AUROC of a detector between known images and others.

        Args:
            key: of the network and the detector.
            sets: the known images and the others.
            attacks: those whose points count, beside the clean image; all if None.
        """
        counted = self.attacks if attacks is None else attacks
        about = (key, sets, counted)
        if about not in self.aurocs:
            sides = self._side(key, sets[0], 0, counted), self._side(key, sets[1], 1, counted)
            known, others = sides[0].scores[:, None], sides[1].scores[None]
            above = (others > known) + 0.5 * (others == known)
            drawn = [self._drawn(side.cells[0], part) for part, side in enumerate(sides)]
            pairs = np.maximum(drawn[0].sum(1) * drawn[1].sum(1), 1)
            samples = ((drawn[0] @ above) * drawn[1]).sum(1) / pairs
            self.aurocs[about] = Auroc(estimators.point("auroc", sides[0].scores, sides[1].scores), samples, sides)
        return self.aurocs[about]

    def _side(self, key: Key, name: str, part: int, attacks: frozenset[str]) -> Side:
        cells = [cell for cell in self.by_key[*key, name] if not cell.attack or cell.attack in attacks]
        worst = np.minimum if part else np.maximum
        scores = worst.reduce([cell.noun.scores[np.argsort(cell.noun.example_ids)] for cell in cells])
        return Side(scores, len(self.populations[name]), cells)

    def _drawn(self, cell: Cell, part: int) -> Array:
        """Return how often each image of a set is in each resample of all images of sets of its kind, (resamples, N)."""
        population = self.populations[self.kinds[cell.examples]]
        places = np.searchsorted(population, np.sort(cell.noun.example_ids))
        return times_drawn(len(population), self.resamples, self.seed, part)[:, places].astype(np.float64)


def _aimed_at(cell: Cell) -> str:
    """Return the detector that an attack was made on; "" for the bare network."""
    return cell.victim.partition("+")[2].partition("@")[0]
