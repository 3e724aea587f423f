"""Draw what is left of the five ideas under attack, from the committed metrics of Fashion-MNIST: make tables.

A test fails if docs/five_ideas.svg differs from what the metrics give.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "five_ideas.svg"
METRICS = ROOT / "reports" / "fashion_mnist" / "metrics.csv.gz"

Row = tuple[str, str, str, str]  # evaluation, entry, examples, metric


@dataclass(frozen=True)
class Idea:
    """A line of the picture.

    Attributes:
        name: The idea.
        shown: What the axis means in this line.
        weak: The weaker test and its row.
        strong: The attacker who knows everything and its row.
        plain: The row of the network without the idea, under attack.
        share_of: "good" if the rows hold what is drawn, "bad" if they hold its complement.
    """

    name: str
    shown: str
    weak: tuple[str, Row]
    strong: tuple[str, Row]
    plain: Row | None = None
    share_of: str = "good"


IDEAS = (
    Idea(
        "Margin consistency",
        "brittle images, flagged or right",
        (
            "no attack",
            ("margin_evasion", "cnn_pgd", "fashion_attacked/union", "share_wrong_unflagged_unattacked_mean"),
        ),
        ("worst of the attacks", ("margin_evasion", "cnn_pgd", "fashion_attacked/union", "share_wrong_unflagged_mean")),
        share_of="bad",
    ),
    Idea(
        "ALOE",
        "AUROC, unknown against known images",
        (
            "both kinds changed by .05",
            ("attacked_detection", "cnn_aloe+msp", "mean_of_sets/score_05", "auroc_both_mean"),
        ),
        ("by .1", ("attacked_detection", "cnn_aloe+msp", "mean_of_sets/score_10", "auroc_both_mean")),
        ("attacked_detection", "cnn_original+msp", "mean_of_sets/score_10", "auroc_both_mean"),
    ),
    Idea(
        "FGSM training",
        "accuracy",
        ("one step", ("single_step", "mlp_fgsm", "fashion_attacked/fgsm_10", "robust_accuracy_mean")),
        (
            "worst of the attacks",
            ("one_step_training", "mlp_fgsm", "fashion_attacked/union_linf@0.1", "robust_accuracy_union_mean"),
        ),
        ("single_step", "mlp", "fashion_attacked/pgd_10", "robust_accuracy_mean"),
    ),
    Idea(
        "Translation",
        "accuracy",
        ("attacker knows the network", ("translation", "cnn", "fashion_attacked/pgd/unet", "accuracy_mean")),
        ("attacker knows everything", ("claims", "S4-6", "translated on fashion_attacked/worst", "accuracy left")),
        ("translation", "cnn", "fashion_attacked/pgd", "accuracy_mean"),
    ),
    Idea(
        "Gradient detection",
        "attacked images that are right or flagged",
        (
            "attacker knows the network",
            ("evasion", "cnn+gradient_network", "fashion_attacked/reliable", "evasion_rate_at_0.05_mean"),
        ),
        (
            "attacker knows everything",
            ("evasion", "cnn+gradient_network", "fashion_attacked/worst", "evasion_rate_at_0.05_mean"),
        ),
        ("translation", "cnn", "fashion_attacked/pgd", "accuracy_mean"),
        share_of="bad",
    ),
)
WIDTH, LEFT, RIGHT, TOP, STEP = 820, 300, 780, 112, 66  # pixels
STYLE = """text{font:14px system-ui,sans-serif;fill:#24292f}.title{font-size:20px;font-weight:600}.name{font-weight:600}
.small{font-size:13px;fill:#57606a}.grid{stroke:#d0d7de}.way{stroke:#8c959f;stroke-width:1.5}
.weak{stroke:#0969da;fill:#fff}.strong{stroke:#bc4c00;fill:#bc4c00}.plain{stroke:#57606a}
.weak,.strong,.plain{stroke-width:2}.back{fill:#fff}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.grid{stroke:#3d444d}.back{fill:#0d1117}
.weak{fill:#0d1117;stroke:#4493f8}.strong{stroke:#f0883e;fill:#f0883e}.plain{stroke:#9198a1}}"""


def estimates() -> dict[Row, tuple[float, float, float]]:
    """Return value, low and high of each mean over networks."""
    with gzip.open(METRICS, "rt", newline="") as stream:
        return {
            (row["evaluation"], row["entry"], row["examples"], row["metric"]): (
                float(row["value"]), float(row["low"] or "nan"), float(row["high"] or "nan"),
            )
            for row in csv.DictReader(stream)
            if not row["seed"] and row["value"]
        }  # fmt: skip


def picture(rows: dict[Row, tuple[float, float, float]]) -> str:
    """Return the picture as SVG: a line per idea, from the weaker test to the attacker who knows everything."""
    height = TOP + STEP * len(IDEAS) + 34
    parts = [_header(height), *_axis(TOP + STEP * len(IDEAS) - 16)]
    for number, idea in enumerate(IDEAS):
        parts += _line(idea, rows, TOP + STEP * number + 14)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _header(height: int) -> str:
    title = "What is left of five ideas once an attacker knows everything"
    words = "Fashion-MNIST, three networks each, changes of at most 0.1 per pixel. Bars are 95 % intervals."
    legend = (
        f'<circle cx="26" cy="76" r="6" class="weak"/>{_text(38, 81, "weaker test")}'
        f'<circle cx="166" cy="76" r="6" class="strong"/>{_text(178, 81, "attacker who knows everything")}'
        f"{_cross(430, 76)}{_text(442, 81, 'without the idea')}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        f'<rect width="{WIDTH}" height="{height}" class="back"/>\n'
        f"{_text(20, 30, title, 'title')}\n{_text(20, 52, words, 'small')}\n{legend}"
    )


def _axis(bottom: int) -> list[str]:
    parts = []
    for tick in (0, 25, 50, 75, 100):
        x = _x(tick / 100)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 14}" y2="{bottom}" class="grid"/>')
        parts.append(_text(x, bottom + 18, f"{tick} %", "small", "middle"))
    return parts


def _line(idea: Idea, rows: dict[Row, tuple[float, float, float]], y: int) -> list[str]:
    turned = idea.share_of == "bad"
    ends = []
    for mark, (_, row) in (("weak", idea.weak), ("strong", idea.strong)):
        value, low, high = (1 - number if turned else number for number in rows[row])
        ends.append((mark, value, min(low, high), max(low, high)))
    parts = [_text(20, y, idea.name, "name"), _text(20, y + 18, idea.shown, "small")]
    if idea.plain is not None:
        parts.append(_cross(_x(rows[idea.plain][0]), y))
    parts.append(f'<line x1="{_x(ends[0][1])}" x2="{_x(ends[1][1])}" y1="{y}" y2="{y}" class="way"/>')
    for mark, value, low, high in ends:
        parts.append(f'<line x1="{_x(low)}" x2="{_x(high)}" y1="{y}" y2="{y}" class="{mark}"/>')
        parts.append(f'<circle cx="{_x(value)}" cy="{y}" r="6" class="{mark}"/>')
    words = f"{idea.weak[0]}: {ends[0][1]:.0%} → {idea.strong[0]}: {ends[1][1]:.0%}".replace("%", " %")
    return [*parts, _text(LEFT + 8, y + 24, words, "small")]


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _cross(x: float, y: float) -> str:
    return f'<path d="M{x - 5:g} {y - 5:g}l10 10m0 -10l-10 10" class="plain"/>'


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


if __name__ == "__main__":
    text = picture(estimates())
    if not PICTURE.is_file() or PICTURE.read_text() != text:
        PICTURE.write_text(text)
        print(f"{PICTURE.relative_to(ROOT)} rewritten")
