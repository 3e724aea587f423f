"""Draw how images become a verdict, step by step: make tables. A test fails if docs/stages.svg differs."""

from __future__ import annotations

from html import escape
from pathlib import Path

PICTURE = Path(__file__).parent / "stages.svg"
# {step: (row, column, what it makes)}
BOXES = {
    "fetch": (0, 1, "raw files"),
    "prepare": (1, 1, "images, labels"),
    "train": (2, 0, "networks, translators"),
    "attack": (3, 1, "attacked images"),
    "translate": (4, 0, "translated images"),
    "measure": (3, 2, "distances to the boundary"),
    "infer": (5, 1, "logits, features, gradients"),
    "fit": (6, 0, "detectors, thresholds"),
    "score": (7, 0, "scores"),
    "evaluate": (8, 1, "numbers with intervals"),
    "report": (9, 1, "claims with verdicts"),
}
ARROWS = {
    "fetch": ["prepare"],
    "prepare": ["train", "attack", "measure"],
    "train": ["attack"],
    "attack": ["translate", "infer"],
    "translate": ["infer"],
    "measure": ["evaluate"],
    "infer": ["fit", "score", "evaluate"],
    "fit": ["score"],
    "score": ["evaluate"],
    "evaluate": ["report"],
}
ACROSS, DOWN, WIDE, HIGH, EDGE = 224, 70, 196, 46, 12  # pixels
STYLE = """text{font:13px system-ui,sans-serif;fill:#57606a;text-anchor:middle}
.name{font-size:15px;font-weight:600;fill:#24292f}.back{fill:#fff;stroke:none}.head{fill:#8c959f}
rect{fill:#f6f8fa;stroke:#8c959f}.arrow{fill:none;stroke:#8c959f;stroke-width:1.5}
@media (prefers-color-scheme:dark){text{fill:#9198a1}.name{fill:#e6edf3}rect{fill:#151b23;stroke:#656c76}
.back{fill:#0d1117}}"""


def picture() -> str:
    """Return the steps as SVG, from top to bottom, with arrows along the files."""
    width, height = 2 * EDGE + 2 * ACROSS + WIDE, 2 * EDGE + 9 * DOWN + HIGH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>The steps of a study: what each makes</title><style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" class="head"/></marker></defs>',
        f'<rect width="{width}" height="{height}" class="back"/>',
        *(_arrow(first, second) for first, others in ARROWS.items() for second in others),
        *(_box(step) for step in BOXES),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _corner(step: str) -> tuple[int, int]:
    row, column, _ = BOXES[step]
    return EDGE + column * ACROSS, EDGE + row * DOWN


def _arrow(first: str, second: str) -> str:
    (x, y), (u, v) = _corner(first), _corner(second)
    start, turn, end = (x + WIDE // 2, y + HIGH), v - (DOWN - HIGH) // 2, (u + WIDE // 2, v - 2)
    way = f"M{start[0]} {start[1]}V{turn}H{end[0]}V{end[1]}"
    return f'<path d="{way}" class="arrow" marker-end="url(#head)"/>'


def _box(step: str) -> str:
    x, y = _corner(step)
    middle = x + WIDE // 2
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="{middle}" y="{y + 19}" class="name">{step}</text>'
        f'<text x="{middle}" y="{y + 36}">{escape(BOXES[step][2])}</text>'
    )


if __name__ == "__main__":
    if not PICTURE.is_file() or PICTURE.read_text() != picture():
        PICTURE.write_text(picture())
        print("docs/stages.svg rewritten")
