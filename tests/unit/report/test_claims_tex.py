"""The LaTeX table of claims: what pdflatex reads as syntax is escaped, opened and closed."""

import re

import pytest
from hand_made_claims import ASKED, asks, book, networks

from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.report.claim_files import claims_tex
from touchstone.settings import papers

# What the file may use, beside the packages that its first line names: pdflatex itself is not at hand where tests run.
PLAIN = {
    "arraybackslash", "begin", "end", "endhead", "footnotesize", "ge", "hline", "le", "noalign", "raggedright", "setlength",
    "smallskip", "tabcolsep", "textasciicircum", "textasciitilde", "textbackslash", "textwidth", "times",
}  # fmt: skip


def table(rows, **blocks):
    made = book(**blocks)
    claims = {"S9-1": ASKED, "S9-2": "Not here & now."}
    return claims_tex(made, judge(made, StudyClaims({"main": "robustness"}, claims), rows)).decode()


def told():
    return table(networks(0.8, 0.68, 0.92), S9_1=asks(at_least=0.8) | {"scales": ["P9-1"]}, S9_2=asks())


def check_is_plain_latex(text):
    """Hold the structure that pdflatex needs: what it reads as syntax is escaped, opened and closed, and known to it."""
    comment, *lines = text.splitlines()
    assert comment.startswith("% ") and comment.endswith(r"\usepackage{array,longtable}")
    body = "\n".join(lines)
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= PLAIN
    assert set(re.findall(r"\\([^a-zA-Z])", body)) <= set("\\,%&$#_{}\n")
    assert {*re.findall(r"\\(?:begin|end)\{(.*?)\}", body)} == {"longtable"}
    bare = re.sub(r"\\.", "", body)  # without what is escaped, and without commands' first letters
    assert {len(re.findall("&", re.sub(r"\\.", "", line))) for line in lines[2:-1]} == {4}
    assert all(line.endswith((r" \\", r"\hline\noalign{\smallskip}\endhead")) for line in lines[2:-1])
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not set('%#~^"') & set(bare)
    assert not set("<>_") & set(re.sub(r"\$.*?\$", "", "\n".join(re.sub(r"\\.", "", line) for line in lines[2:])))
    assert {letter for letter in text if not letter.isascii()} <= {"é"}


def test_the_latex_table_escapes_what_latex_reads():
    text = told()

    assert r"99\% (s.1; read in published text)" in text
    assert text.count(r" \\") == 3
    assert r"accuracy: 80.0\,\% [68.0, 92.0]" in text
    assert text.splitlines()[1].startswith("{\\footnotesize") and text.endswith("\\end{longtable}}\n")


def test_the_latex_table_has_the_second_word_where_a_claim_is_about_an_attacker():
    attack = asks("SR", metric="evasion_rate", above=0.5)
    rows = [*networks(0.9), *networks(0.7, metric="evasion_rate")]
    made = book(S9_1=asks(at_least=0.8) | {"broken_by": ["S9-2"]}, S9_2=attack)
    found = judge(made, StudyClaims({"main": "robustness"}, dict.fromkeys(made.criteria, ASKED)), rows)

    first, second = (line for line in claims_tex(made, found).decode().splitlines() if line.startswith("S9-"))

    assert first.endswith(r" & holds; attacker who knows: broken \\")
    assert second.endswith(r" & holds \\")


def test_a_counter_claim_in_the_latex_table_is_not_read_as_one_of_the_paper():
    text = table(networks(0.9), S9_1=asks(at_least=0.8) | {"kind": "counter"}, S9_2=asks())

    assert r" & counter-claim holds \\" in text


def test_the_latex_table_of_every_claim_is_plain_latex():
    made = paper_files.book(papers.shipped_facts())

    check_is_plain_latex(claims_tex(made, judge(made, StudyClaims({}, {}), [])).decode())


@pytest.mark.parametrize("found", [-0.187, 0.5])
def test_a_number_below_0_has_a_minus_and_words_keep_their_hyphens(found):
    rows = networks(found, metric="kendall_tau", unit="rank correlation")

    text = table(rows, S9_1=asks("tau of a white-box net, S2-9", metric="kendall_tau"))

    check_is_plain_latex(text)
    assert "tau of a white-box net, S2-9: " in text
    assert ("$-$0.187 [$-$0.207, $-$0.167]" in text) == (found < 0)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(r"99\%", "99%"), (" & ", " "), (r" \\", ""), (r"\hline", r"\toprule"), ("S9-1", "S9_1"), ("{", "")],
)
def test_the_check_of_the_latex_sees_what_pdflatex_would_not_read(right, wrong):
    text = told()
    check_is_plain_latex(text)
    assert right in text

    with pytest.raises(AssertionError):
        check_is_plain_latex(text.replace(right, wrong))
