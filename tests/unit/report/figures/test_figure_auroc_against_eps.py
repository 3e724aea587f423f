import pytest

from touchstone.records.metric_rows import parse_threat
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing
from touchstone.report.figures.auroc_against_eps import auroc_against_eps


def left(net, value, eps=0.0):
    """Return the row of what attacks of an eps leave of the AUROC of one network's softmax score."""
    threat = parse_threat(f"white-box adaptive to msp linf eps={eps:g} (score_pgd)" if eps else "none")
    metric, examples = ("auroc_both", f"noise/score_{eps:g}") if eps else ("auroc_clean", "noise")
    return MetricRow(
        "scores", f"{net}+msp", examples, metric, value, "", value - 0.02, value + 0.02, 300, 0.5, None, threat, ()
    )


ROWS = [left("small", 0.99), left("large", 0.99), left("small", 0.2, 0.05), left("large", 0.8, 0.05)]


@pytest.mark.parametrize(("value", "title"), [(0.3, "0.30"), (0.004, "0.00")])
def test_the_title_is_about_networks_that_were_attacked_at_its_eps(value, title):
    figure = auroc_against_eps([*ROWS, left("large", value, 0.2)])

    assert drawing.takeaway(figure) == f"AUROC under attack: at eps 0.2, no network keeps more than {title}"


def test_the_title_states_the_eps_of_training_first():
    rows = [*ROWS, left("large", 0.03, 0.1), left("large", 0.01, 0.2)]

    figure = auroc_against_eps(rows, training_eps=0.05)

    start = "AUROC under attack: at the training eps 0.05, large keeps 0.80, small keeps 0.20;"
    assert drawing.takeaway(figure) == f"{start} at eps 0.1, no network keeps more than 0.03"


def test_an_eps_of_training_without_an_attack_is_not_in_the_title():
    figure = auroc_against_eps(ROWS, training_eps=0.1)

    assert drawing.takeaway(figure) == "AUROC under attack: at eps 0.05, no network keeps more than 0.80"
