import synthetic_study
from touchstone.report import drawing, marks, palette
from touchstone.report.figures._curves import draw

STUDY = vars(synthetic_study)


def row(entry, value):
    return STUDY["metric_row"]("accuracy", value, entry=entry, examples="digits", low=value, high=value)


def test_curves_name_the_rows_of_their_points_and_the_legend_names_its_series():
    with marks.collected() as parts:
        figure, (axes,) = drawing.panels(1)
        curves = {name: {0.0: row(name, 0.9), 0.1: row(name, 0.2)} for name in ("cnn", "mlp")}
        for name, curve in curves.items():
            draw(axes, curve, name, palette.line(name, curves), alpha=0.2)
        axes.legend()
    marks.name_series(figure, parts)

    assert [[one.value for one in rows] for rows in parts.rows.values()] == [[0.9, 0.2], [0.9, 0.2]]
    assert list(parts.names.values()) == ["cnn", "mlp"]
    assert sorted(parts.series.values()) == ["cnn", "cnn", "mlp", "mlp"]  # a line and its band each
    svg = drawing.svg(figure, "name").decode()
    assert all(f'id="{part}"' in svg for part in (*parts.rows, *parts.series, *parts.names))


def test_a_figure_with_one_series_has_nothing_to_hide():
    figure, (axes,) = drawing.panels(1)
    axes.plot([0, 1], [0, 1], label="a")
    axes.legend()
    parts = marks.Marks()

    marks.name_series(figure, parts)

    assert parts.groups == {}
