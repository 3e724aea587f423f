import re
from xml.etree import ElementTree

from touchstone.report import drawing
from touchstone.report.inline_svg import inline_svg

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def inline(inside, **more):
    styles = {}
    html = inline_svg(f"<svg {NAMESPACES}>{inside}</svg>", "name", "words", styles, **more)
    return re.sub(r"^<svg[^>]*>|</svg>$", "", html), styles


def test_words_of_a_figure_that_look_like_a_style_stay_words():
    html, styles = inline('<text x="1" style="fill:red" y="2">style="&lt;/style&gt;" a</text>')

    assert html == '<text x="1" y="2" class="s0">style="&lt;/style&gt;" a</text>'
    assert styles == {"{fill:red}": "s0"}


def test_each_point_of_a_curve_names_its_row_and_a_single_mark_does_as_a_whole():
    points = '<use xlink:href="#m"/><use xlink:href="#m"/>'
    curve = f'<g id="a"><path d="M0 0"/><defs><path id="m" d="M0 0"/></defs><g>{points}</g></g>'
    bar = '<g id="b"><path d="M0 0"/></g>'

    html, _ = inline(curve + bar, lines={"a": [7, None], "b": [9]}, groups={"a": {"data-series": "0"}})

    assert '<use data-row="7" href="#name-0"/><use href="#name-0"/>' in html
    assert '<g data-row="9"><path d="M0 0"/></g>' in html and '<g data-series="0">' in html


def test_rows_are_left_out_if_points_are_missing_for_them():
    html, _ = inline('<g id="a"><use/><use/></g>', lines={"a": [7, 8, 9]})

    assert "data-row" not in html


def test_groups_that_say_nothing_and_shapes_that_are_never_seen_are_gone():
    html, _ = inline('<metadata/><g id="x"><g id="empty"/><path style="fill:none" d=""/><path d="M1 1"/></g>')

    assert html == '<path d="M1 1"/>'


def test_ids_that_are_used_are_those_of_the_page():
    html, _ = inline('<clipPath id="c"><path d=""/></clipPath><path d="M1 1" clip-path="url(#c)"/>')

    assert '<clipPath id="name-0">' in html and 'clip-path="url(#name-0)"' in html


def test_steps_of_a_path_lead_to_the_points_that_they_came_from():
    path = drawing._relative("M 1.04 2 \nL 1.98 2.26 \nL 3.02 1.96 \nz\nM 0 0 \nL -0.5 0.04 ")

    assert path == "M1 2l1 .3 1-.3zM0 0l-.5 0"
    assert drawing._relative("M 0 1.25 \nC 1.11 2 3 4 5 6 \nz") == "M0 1.2C1.1 2 3 4 5 6z"


def test_a_figure_is_smaller_on_the_page_and_still_one_tree():
    figure, (axes,) = drawing.panels(1)
    axes.plot([0, 1], [0, 1], "o-", label="a")
    svg = drawing.svg(figure, "name").decode()

    html = inline_svg(svg, "name", 'words "quoted"', {})

    assert len(html) < 0.6 * len(svg)
    assert ElementTree.fromstring(html).get("aria-label") == 'words "quoted"'
