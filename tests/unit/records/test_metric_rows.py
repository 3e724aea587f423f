from dataclasses import fields, replace

import pytest

from touchstone.records.metric_rows import (
    ADAPTIVE,
    METRIC_COLUMNS,
    TRANSFER,
    WHITE_BOX,
    MetricRow,
    Threat,
    cells_of,
    parse_threat,
    row_of,
    seedless,
)  # fmt: skip

ROW = MetricRow(
    evaluation="main", entry="cnn+knn", examples="digits_test/pgd/unet", metric="auroc", value=1 / 3, unit="", low=None,
    high=1e-20, n=5, base_rate=None, seed=2, threat=Threat(WHITE_BOX, norm="linf", budget=(("eps", 0.1),), use="pgd"),
    files=("a.safetensors", "b.safetensors"),
)  # fmt: skip


def test_the_fields_of_a_row_are_the_columns_of_the_csv_in_order():
    assert tuple(field.name for field in fields(MetricRow))[: len(METRIC_COLUMNS)] == METRIC_COLUMNS
    assert {field.name for field in fields(MetricRow)} - set(METRIC_COLUMNS) == {"line", "of"}


def test_a_row_is_read_back_as_it_was_written_to_the_last_digit():
    assert cells_of(ROW)[4:9] == ["0.3333333333333333", "", "", "1e-20", "5"]
    assert row_of(cells_of(ROW)) == ROW


def test_what_the_report_adds_to_a_row_is_in_no_csv():
    assert cells_of(replace(ROW, line=3, of=(1, 2))) == cells_of(ROW)


@pytest.mark.parametrize("column", ["value", "n"])
def test_a_row_without_a_number_is_refused(column):
    cells = ["" if name == column else cell for name, cell in zip(METRIC_COLUMNS, cells_of(ROW), strict=True)]

    with pytest.raises(ValueError):
        row_of(cells)


def test_a_row_names_the_parts_of_its_entry_and_its_metric():
    assert (ROW.classifier, ROW.detector, ROW.dataset) == ("cnn", "knn", "digits_test")
    mean = replace(ROW, entry="cnn", metric="auroc_mean", seed=None)
    assert (mean.classifier, mean.detector, mean.measured, mean.is_mean) == ("cnn", "", "auroc", True)
    assert not any(row.is_mean for row in (ROW, replace(ROW, seed=None), replace(ROW, metric="auroc_mean")))


@pytest.mark.parametrize(
    ("text", "threat"),
    [
        ("none", Threat()),
        (
            "white-box linf eps=0.1 steps=40 target=next (pgd)",
            Threat(WHITE_BOX, norm="linf", budget=(("eps", 0.1), ("steps", 40.0), ("target", "next")), use="pgd"),
        ),
        (
            "white-box adaptive to energy@0.05 l2 eps=1.5e-05 (cw)",
            Threat(ADAPTIVE, "energy@0.05", norm="l2", budget=(("eps", 1.5e-05),), use="cw"),
        ),
        ("transfer from mlp.0 linf (fgsm)", Threat(TRANSFER, "mlp.0", norm="linf", use="fgsm")),
        (
            "white-box, the worst of fgsm, pgd, linf eps=0.1",
            Threat(WHITE_BOX, worst_of=("fgsm", "pgd"), norm="linf", budget=(("eps", 0.1),)),
        ),
        ("white-box adaptive, the worst of pgd, spsa", Threat(ADAPTIVE, worst_of=("pgd", "spsa"))),
        (
            "white-box, least change found, linf (fab)",
            Threat(WHITE_BOX, how="least change found", norm="linf", use="fab"),
        ),
    ],
)
def test_a_threat_is_read_back_from_its_text(text, threat):
    assert str(threat) == text
    assert parse_threat(text) == threat


@pytest.mark.parametrize(
    "text",
    [
        "white-box linf eps=0.1 (fgsm); none",
        "white-box, linf eps=0.1",
        "transfer from cnn.0 linf eps=0.10",
        "",
        "white-box linf eps=0.1 (pgd); transfer from mlp linf eps=0.1 (pgd)",
    ],
)
def test_any_other_text_is_kept_word_for_word(text):
    assert str(parse_threat(text)) == text


def test_a_threat_says_what_the_attacker_knew_and_how_far_he_could_go():
    adaptive = parse_threat("white-box adaptive to energy@0.05 linf eps=0.1 steps=40 (pgd)")
    worst = parse_threat("white-box, the worst of fgsm, pgd, linf eps=0.1")

    assert (adaptive.knows, adaptive.kind) == ("white-box adaptive to energy@0.05", "white-box adaptive")
    assert (worst.knows, worst.kind) == ("white-box, the worst of fgsm, pgd",) * 2
    assert (adaptive.eps, Threat().eps) == (0.1, None)
    assert adaptive.is_white_box and worst.is_white_box
    assert not parse_threat("oblivious linf eps=0.1 (pgd)").is_white_box


def test_attacks_of_one_family_differ_in_budget_and_effort_only():
    families = {parse_threat(f"white-box linf eps={eps} steps={n} (pgd)").family for eps, n in ((0.1, 40), (0.2, 10))}

    assert families == {parse_threat("white-box linf (pgd)")}


def test_a_seedless_threat_names_the_network_without_its_seed():
    assert (
        str(parse_threat("transfer from mlp.0 linf eps=0.1 (pgd)").seedless) == "transfer from mlp linf eps=0.1 (pgd)"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cnn.0", "cnn"),
        ("digits_test/cnn_pgd.12/pgd_05", "digits_test/cnn_pgd/pgd_05"),
        ("cnn.0+energy@0.05", "cnn+energy@0.05"),
        (
            "transfer from mlp.0 linf eps=0.1 step_size=2.5e-05 (pgd)",
            "transfer from mlp linf eps=0.1 step_size=2.5e-05 (pgd)",
        ),
    ],
)
def test_seedless_text_loses_seeds_and_no_other_number(text, expected):
    assert seedless(text) == expected
