from touchstone.report import pictures


def test_words_of_a_figure_that_look_like_a_style_stay_words():
    styles = {}
    svg = '<svg><text x="1" style="fill:red" y="2">style="&lt;/style&gt;" a</text></svg>'

    inline = pictures.inline_svg(svg, "a", "b", styles)

    assert inline.endswith('<text x="1" class="s0" y="2">style="&lt;/style&gt;" a</text></svg>')
    assert styles == {"{fill:red}": "s0"}
