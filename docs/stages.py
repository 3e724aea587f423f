"""Draw how images become a verdict, step by step: make tables. A test fails if docs/stages.svg differs."""

from __future__ import annotations

from html import escape
from pathlib import Path

PICTURE = Path(__file__).parent / "stages.svg"
# {step: (column, row, what it makes)}
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
ACROSS, DOWN, WIDE, HIGH, EDGE, TOP = 122, 82, 102, 58, 12, 12  # pixels
STYLE = """text{font:11.5px system-ui,sans-serif;fill:#57606a;text-anchor:middle}
.name{font-size:14px;font-weight:600;fill:#24292f}.back{fill:#fff;stroke:none}.head{fill:#8c959f}
rect{fill:#f6f8fa;stroke:#8c959f}.arrow{fill:none;stroke:#8c959f;stroke-width:1.5}
@media (prefers-color-scheme:dark){text{fill:#9198a1}.name{fill:#e6edf3}rect{fill:#151b23;stroke:#656c76}
.back{fill:#0d1117}}"""


def picture() -> str:
    """Return the steps as SVG, from left to right, with arrows along the files."""
    width, height = 2 * EDGE + 9 * ACROSS + WIDE, 2 * TOP + 2 * DOWN + HIGH
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
    column, row, _ = BOXES[step]
    return EDGE + column * ACROSS, TOP + row * DOWN


def _arrow(first: str, second: str) -> str:
    (x, y), (u, v) = _corner(first), _corner(second)
    start, end, middle = (x + WIDE, y + HIGH / 2), (u - 2, v + HIGH / 2), u - (ACROSS - WIDE) / 2
    return f'<path d="M{start[0]} {start[1]:g}H{middle:g}V{end[1]:g}H{end[0]}" class="arrow" marker-end="url(#head)"/>'


def _box(step: str) -> str:
    x, y = _corner(step)
    words = BOXES[step][2].split(" ")
    half = 1 if len(BOXES[step][2]) < 17 else (len(words) + 1) // 2
    lines = [" ".join(words)] if len(BOXES[step][2]) < 17 else [" ".join(words[:half]), " ".join(words[half:])]
    texts = [f'<text x="{x + WIDE / 2:g}" y="{y + 38 + 13 * n}">{escape(line)}</text>' for n, line in enumerate(lines)]
    name = f'<text x="{x + WIDE / 2:g}" y="{y + 20}" class="name">{step}</text>'
    return f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>{name}{"".join(texts)}'


if __name__ == "__main__":
    if not PICTURE.is_file() or PICTURE.read_text() != picture():
        PICTURE.write_text(picture())
        print("docs/stages.svg rewritten")
