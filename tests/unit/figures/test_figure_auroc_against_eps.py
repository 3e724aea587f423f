import pytest

from touchstone.figures.auroc_against_eps import auroc_against_eps
from touchstone.records.metric_rows import parse_threat
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing


def left(net, value, eps=0.0):
    """Return the row of what attacks of an eps leave of the AUROC of one network's softmax score."""
    threat = parse_threat(f"white-box adaptive to msp linf eps={eps:g} (score_pgd)" if eps else "none")
    metric, examples = ("auroc_both", f"noise/score_{eps:g}") if eps else ("auroc_clean", "noise")
    return MetricRow(
        "scores", f"{net}+msp", examples, metric, value, "", value - 0.02, value + 0.02, 300, 0.5, None, threat, ()
    )


@pytest.mark.parametrize(("value", "title"), [(0.3, "0.30 (large)"), (0.004, "0.00 (large)")])
def test_the_title_is_about_networks_that_were_attacked_at_its_eps(value, title):
    rows = [left("small", 0.99), left("large", 0.99), left("small", 0.9, 0.05), left("large", 0.8, 0.05)]

    figure = auroc_against_eps([*rows, left("large", value, 0.2)])

    assert drawing.takeaway(figure) == f"At eps 0.2, the most that is left is an AUROC of {title}"
