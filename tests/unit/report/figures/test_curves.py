from matplotlib.figure import Figure

from touchstone.report import palette
from touchstone.report.figures._curves import label_ends


def test_each_name_has_the_mark_and_the_colour_of_its_curve_and_a_line_to_its_end():
    axes = Figure().subplots()
    axes.set(ylim=(0, 1))
    ends = {"cnn": (0.3, 0.0), "mlp": (0.3, 0.0)}
    axes.plot([0, 0.3], [1, 0])
    limits = axes.get_xlim()

    label_ends(axes, ends, ends)

    colours = [palette.line(name, ends)["color"] for name in ends]
    names = [text for text in axes.texts if text.get_text()]
    leaders = [text for text in axes.texts if not text.get_text()]
    assert [(text.get_text(), text.get_color()) for text in names] == list(zip(ends, colours, strict=True))
    assert [mark.get_offsets().tolist() for mark in axes.collections] == [[list(text.xy)] for text in names]
    assert [leader.xyann for leader in leaders] == list(ends.values())
    assert axes.get_xlim() == limits
