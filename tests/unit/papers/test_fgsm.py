"""What the head of the report shows of the FGSM paper; its claims are judged in test_claims.py."""

import pytest
from hand_made_claims import networks, shipped

from touchstone.claims import contrast_files, contrasts
from touchstone.records.metric_rows import WHITE_BOX

PAPER = shipped()["F"]


@pytest.mark.parametrize(
    ("place", "entries"), [(0, ["cnn_fgsm", "cnn_fgsm", "cnn"]), (1, ["mlp_fgsm", "mlp_fgsm", "mlp"])]
)
def test_the_head_of_the_report_shows_one_step_a_suite_and_the_plain_network(place, entries):
    written = contrast_files.read(PAPER.facts)[place]
    who = {name: PAPER.cast(name) for name in written.of}
    roles = {role: entry for one in reversed(who.values()) for role, entry in one.items()}
    places = [
        {"entry": test.rows.entry.format(**roles), "examples": test.rows.examples.format(**roles)}
        for test in written.criterion.tests
    ]
    made = [
        row
        for value, place in zip((0.9, 0.2, 0.1), places, strict=True)
        for row in networks(
            value, evaluation="robustness", metric="robust_accuracy", threat=f"{WHITE_BOX} linf eps=0.1", **place
        )
    ]

    (contrast,) = contrasts.contrasts({"fgsm": PAPER.facts}, PAPER.study(*who), made)

    parts = (contrast.unaware, contrast.aware, contrast.reference)
    assert [part.quantity.value for part in parts] == [0.9, 0.2, 0.1]
    assert [part.quantity.row.entry for part in parts] == entries
