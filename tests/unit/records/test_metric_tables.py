import pytest

from touchstone.records import metric_tables
from touchstone.records.damage import DamagedFile
from touchstone.records.metric_rows import WHITE_BOX, Threat
from touchstone.records.metric_tables import MetricRow, Metrics
from touchstone.records.nouns import ContractError


def row(**changes):
    values = {
        **dict.fromkeys(("evaluation", "entry", "examples", "metric", "unit"), "x"),
        **{"value": 0.1, "low": None, "high": 1 / 3, "n": 5, "base_rate": None, "seed": 2},
        **{
            "threat": Threat(WHITE_BOX, norm="linf", budget=(("eps", 0.1),)),
            "files": ("a.safetensors", "b.safetensors"),
        },
    }
    return MetricRow(**(values | changes))


def test_write_read_write_gives_equal_bytes():
    data = metric_tables.encode(Metrics([row()]))

    assert metric_tables.decode(data) == Metrics([row()])
    assert metric_tables.encode(metric_tables.decode(data)) == data


@pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"", b"\xff", metric_tables.encode(Metrics([row()]))[:-40]])
def test_other_bytes_are_refused(data):
    with pytest.raises(DamagedFile):
        metric_tables.decode(data)


def test_a_metric_that_is_nan_is_refused():
    with pytest.raises(ContractError, match="value is nan"):
        Metrics([row(value=float("nan"))])


def test_what_was_left_out_is_written_beside_the_numbers():
    metrics = Metrics([row()], ("detector vim of cnn.0 cannot be fitted: no, not, never", "another"))

    data = metric_tables.encode(metrics)

    assert metric_tables.decode(data) == metrics
    assert data.startswith(metric_tables.encode(Metrics([row()])))
    assert metric_tables.left_out({"a": metrics, "b": Metrics([]), "c": metrics}) == metrics.left_out
