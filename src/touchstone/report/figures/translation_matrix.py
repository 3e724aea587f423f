"""Figure: every translator against every attack, whichever it was trained on."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.evaluations.statistics.places import place_of
from touchstone.records.metric_rows import NONE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.report.figures import _dots
from touchstone.report.figures._curves import overall
from touchstone.report.figures._dots import Dot
from touchstone.report.figures._words import CLEAN, percent
from touchstone.report.names import called, label_of

UNTRANSLATED = "no translator"
GREY, COLOUR = palette.IN_DISTRIBUTION, palette.COLOURS["blue"]


def translation_matrix(
    metrics: list[MetricRow], *, classifier: str, examples: str, images: str | None = None
) -> Figure:
    """Return a panel per attack, and one of clean images: accuracy of `classifier` through each translator.

    The first row of a panel, in grey, is without a translator. In one panel all translators get the same images. Lines are
    95 % intervals.

    Args:
        metrics: rows of a translation evaluation, with means over seeds if there are several.
        classifier: the one to show.
        examples: the clean set.
        images: what its images are called if nobody attacks them: "darker images".

    Raises:
        ValueError: there is no accuracy to show.
    """
    own = (row for row in metrics if (row.entry, row.measured, row.dataset) == (classifier, "accuracy", examples))
    shown: dict[str, dict[str, MetricRow]] = {}
    for (attack, translator), row in overall(own, _place).items():
        shown.setdefault(attack, {})[translator] = row
    if not shown:
        raise ValueError(f"no accuracy of {classifier} on {examples}")
    tested = {attack: shown[attack] for attack in sorted(shown, key=lambda attack: (attack != "", attack))}
    names = {
        attack: f"images attacked by {_chain(attack)}" if attack else images or f"{CLEAN} images" for attack in tested
    }
    panels = {
        names[attack]: [
            Dot(label_of(name), rows[name], GREY if name == UNTRANSLATED else COLOUR)
            for name in sorted(rows, key=lambda name: (name != UNTRANSLATED, name))
        ]
        for attack, rows in tested.items()
    }
    figure = _dots.stacked(panels, f"share of images that\n{called(classifier)} gets right", "translated by")
    sentences = [_sentence(classifier, names[attack], rows) for attack, rows in tested.items()]
    drawing.headline(figure, sentences[-1])
    return drawing.described(figure, f"Accuracy by translator and attack. {'. '.join(sentences)}.")


def _chain(attack: str) -> str:
    """Return what people call an attack, and the network that it was made on, if that is another one: "mlp/pgd"."""
    return " on ".join(map(called, attack.split("/")[::-1]))


def _place(row: MetricRow) -> tuple[str, str]:
    """Return the attack and the translator of a row; a white-box attack has no translator, a clean set no attack."""
    place = place_of(row)
    if row.threat.knows == NONE:
        return "", (place.last if place.changes else UNTRANSLATED)
    if row.threat.is_white_box:
        return place.how, UNTRANSLATED
    return place.before.how, place.last


def _sentence(classifier: str, images: str, rows: dict[str, MetricRow]) -> str:
    """Return how many images are right through the best translator, and without one."""
    translated = {name: row.value for name, row in rows.items() if name != UNTRANSLATED}
    parts = []
    if translated:
        best = max(translated, key=lambda name: translated[name])
        parts.append(f"{percent(translated[best])} through {called(best)}")
    if UNTRANSLATED in rows:
        parts.append(f"{percent(rows[UNTRANSLATED].value)} without a translator")
    return f"Of {images}, {called(classifier)} is right on {', '.join(parts)}"
