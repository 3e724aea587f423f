"""What an audit says of the numbers on a page."""

import gzip

import pytest

from touchstone.pipeline.auditing import report_pages, report_tables


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("95.0\u202f%", []),
        ("94.96\u202f%", []),  # near its bound a number has more digits
        ("94.97\u202f%", ["shows 94.97\u202f% but line 2 of metrics.csv.gz says 0.9496"]),
        ("96.0\u202f%", ["shows 96.0\u202f% but line 2 of metrics.csv.gz says 0.9496"]),
    ],
)
def test_a_number_may_have_more_digits_but_no_others(text, problems, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9496,fraction\n"))
    (tmp_path / "claims.csv").write_text("claim,status,attacker,measured,kind\n")
    page = f'<data value="0.9496" data-row="2">{text}</data>'

    assert list(report_pages._shown(page, tmp_path)) == problems


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"claim,status\nS1-1,confirmed\n,\n", "1 of its rows name no claim"),
        (bytes(200_000), "is damaged: "),
        (b"claim,status\nS1-1\n", "not every row has all columns"),
        (b"claim,status\nS1-1,\xff\n", "is damaged: "),
    ],
)
def test_a_damaged_table_of_claims_is_named(table, words):
    with pytest.raises(ValueError, match=r"claims\.csv: .*restore the file with git") as error:
        report_tables.claims("claims.csv", table)

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("kind", "word", "problems"),
    [
        ("counter", "counter-claim holds", []),
        ("counter", "counter-claim fails", ["says that S4-6 is counter-claim fails; claims.csv says confirmed"]),
        ("counter", "confirmed", ["says that S4-6 is confirmed; claims.csv says confirmed"]),
        ("paper", "confirmed", []),
        ("paper", "counter-claim holds", ["says that S4-6 is counter-claim holds; claims.csv says confirmed"]),
    ],
)
def test_a_counter_claim_has_words_of_its_own(kind, word, problems, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9,fraction\n"))
    (tmp_path / "claims.csv").write_text(f"claim,status,attacker,measured,kind\nS4-6,confirmed,broken,0.9,{kind}\n")
    page = f'<tr id="claim-S4-6" class="x"><td><span class="verdict a">{word}</span></td></tr>'

    assert list(report_pages._shown(page, tmp_path)) == problems
