import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from touchstone.report import drawing


def figure(image=False):
    with drawing.style():
        figure, (axes,) = drawing.panels(1)
        axes.plot([0, 1], [1, 0], label="a line")
        if image:
            axes.imshow([[0.0, 1.0]])
        axes.legend()
        return figure


def test_svg_and_png_hold_no_clock_and_no_version():
    svg, png = drawing.svg(figure(), "name"), drawing.png(figure())

    assert b"dc:date" not in svg and b"Matplotlib" not in svg
    assert b"Software" not in png and b"tIME" not in png


def test_equal_figures_are_equal_bytes_under_one_name():
    assert drawing.svg(figure(), "name") == drawing.svg(figure(), "name")
    assert drawing.png(figure()) == drawing.png(figure())


def test_the_look_does_not_depend_on_the_machines_own_settings():
    plain = drawing.svg(figure(), "name")

    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "axes.linewidth": 5, "xtick.direction": "in"}):
        assert drawing.svg(figure(), "name") == plain


def test_the_machines_own_settings_come_back():
    with matplotlib.rc_context({"font.size": 30}):
        figure()

        assert matplotlib.rcParams["font.size"] == 30


def test_panels_are_as_many_as_asked_for():
    figure, axes = drawing.panels(4, columns=3)

    assert len(axes) == len(figure.axes) == 4


@pytest.mark.parametrize(("count", "inches"), [(3, 7.2), (1, 3.9)])
def test_the_pdf_is_as_wide_as_a_text_of_two_columns_or_a_phone_and_its_letters_stay_letters(count, inches):
    with drawing.style():
        figure, axes = drawing.panels(count)
        axes[0].set_title("a word")

    pdf = drawing.pdf(figure)

    width, _ = map(float, re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]", pdf).groups())
    assert width == pytest.approx(72 * inches, abs=1)
    assert b"/Type42" in pdf or b"/CIDFontType2" in pdf or b"/TrueType" in pdf


def test_a_figure_with_images_is_raster():
    assert drawing.is_raster(figure(image=True))
    assert not drawing.is_raster(figure())


def test_a_figure_without_words_is_refused():
    assert drawing.description(drawing.described(Figure(), "two lines")) == "two lines"
    with pytest.raises(ValueError, match="without a description"):
        drawing.description(Figure())


def test_a_thinned_curve_keeps_its_ends_and_its_shape():
    across = np.linspace(0, 1, 5001)
    up = across**3

    few = drawing.thinned(across, up)

    assert len(few[0]) < 500
    assert (few[0][0], few[1][0], few[0][-1], few[1][-1]) == (0, 0, 1, 1)
    assert np.abs(np.interp(across, *few) - up).max() < 0.01


def test_an_svg_holds_no_space_that_nothing_needs_and_no_finer_place_than_is_seen():
    figure, (axes,) = drawing.panels(1)
    axes.plot([0.123456, 0.5, 0.9], [0.2, 0.4, 0.1], label="a b: c; d")
    axes.legend()

    text = drawing.svg(figure, "name").decode()

    assert re.search(r'd="M[\d.]+ [\d.]+l[-\d. ]+"', text)
    assert not re.search(r"\n\s", text) and not re.search(r' x="\d+\.\d{3}', text)
    assert "a b: c; d" in text
    ElementTree.fromstring(text)
