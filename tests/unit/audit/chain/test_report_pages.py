"""What an audit says of the numbers on a page."""

import gzip
import time

import pytest

from job_files import FACTS, link, write_job
from touchstone.audit.chain import report_pages, report_tables
from touchstone.provenance import chain, sidecar_files
from touchstone.records import size_limits
from touchstone.report import packing

ZEN_4, ZEN_5 = (f"aten=avx2 mkl=auto(AuthenticAMD {model}) onednn=avx512_bf16 numpy=X86_V3 blas=Haswell"
                for model in ("25.17", "26.2"))  # fmt: skip
OF_NUMPY = "numpy=X86_V3 blas=Haswell"


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
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9496,fraction\n", mtime=0))
    (tmp_path / "claims.csv").write_text("claim,status,attacker,measured,kind\n")
    page = f'<data value="0.9496" data-row="2">{text}</data>'
    (tmp_path / "report.html").write_text(page)

    assert list(report_pages.contradictions(tmp_path / "report.html")) == problems


def test_a_bomb_in_place_of_the_table_of_numbers_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(size_limits, "MOST_ROWS", 100)
    page = tmp_path / "report.html"
    page.write_text('<data value="0.9496" data-row="2">95.0\u202f%</data>')
    page.with_name("metrics.csv.gz").write_bytes(
        gzip.compress(b"value,unit\n" + b"0.9496,fraction\n" * 100_000, mtime=0)
    )
    sidecar_files.write_sidecar(page, sidecar_files.artefact_digest(page), {**FACTS, "pages": {}})
    page.with_name("ROOT").write_text(f"{chain.root_digest(page)}\n")

    found = [finding.problem for finding in report_pages.differences(page, tmp_path, None, clone=False)]

    words = "it has 100,001 lines, at most 100 are read; refused as a bomb"
    assert found[-1] == f"cannot be checked: not a whole gzipped table: {words}"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"claim,status\nS1-1,holds\n,\n", "1 of its rows name no claim"),
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
    "tags",
    [
        '<data value="" ',
        '<data value="" data-row="1" ',
        '<data value="1" data-row="',
        '<tr id="claim-a">',
        '<tr id="claim-',
        '<span class="verdict ',
        '<span class="verdict a">',
        '<script type="text/plain" class="packed">',
    ],
)
def test_a_page_of_tags_that_never_end_is_read_at_once(tags, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9,fraction\n", mtime=0))
    (tmp_path / "claims.csv").write_text("claim,status,attacker,measured,kind\n")
    (tmp_path / "report.html").write_text(f"<html>{tags * 50_000}")

    begin = time.process_time()
    list(report_pages.contradictions(tmp_path / "report.html"))

    assert time.process_time() - begin < 5


def test_two_lines_of_tags_that_never_end_are_compared_at_once():
    begin = time.process_time()
    words = report_pages.first_difference("report.html", b"<" * 200_000, b"<" * 200_001)

    assert words.startswith("line 1 says")
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("page", "problems"),
    [
        ('<td><data data-row="2" class="x" value="0.8">0.800</data>', ["shows 0.8, which is not in line 2 of metrics.csv.gz"]),
        ('<data value="0.8"><data value="0.9" data-row="2">90.0\u202f%', []),
        ('<tr id="claim-S1"><td></tr><tr><span class="verdict a">fails</span></tr>', []),
        ('<tr id="claim-S1"><td>\n<b></b><span class="verdict a">fails</span>', ["says that S1 is fails; claims.csv says holds"]),
        ('<tr id="claim-S1"><span class="verdict a">holds</span><span class="verdict b">fails</span></tr>', []),
    ],
)  # fmt: skip
def test_numbers_and_verdicts_are_found_wherever_they_are_in_a_page(page, problems, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9,fraction\n", mtime=0))
    (tmp_path / "claims.csv").write_text("claim,status,attacker,measured,kind\nS1,holds,broken,0.9,paper\n")
    (tmp_path / "report.html").write_text(page)

    assert list(report_pages.contradictions(tmp_path / "report.html")) == problems


@pytest.mark.parametrize(
    ("kind", "word", "problems"),
    [
        ("counter", "counter-claim holds", []),
        ("counter", "counter-claim fails", ["says that S4-6 is counter-claim fails; claims.csv says holds"]),
        ("counter", "holds", ["says that S4-6 is holds; claims.csv says holds"]),
        ("paper", "holds", []),
        ("paper", "counter-claim holds", ["says that S4-6 is counter-claim holds; claims.csv says holds"]),
    ],
)
def test_a_counter_claim_has_words_of_its_own(kind, word, problems, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9,fraction\n", mtime=0))
    (tmp_path / "claims.csv").write_text(f"claim,status,attacker,measured,kind\nS4-6,holds,broken,0.9,{kind}\n")
    page = f'<tr id="claim-S4-6" class="x"><td><span class="verdict a">{word}</span></td></tr>'
    (tmp_path / "report.html").write_text(page)

    assert list(report_pages.contradictions(tmp_path / "report.html")) == problems


def three_files(root, cpu, scores=b"0.5", numpy=OF_NUMPY):
    """Write a chain of three: raw files, scores that were computed from them with torch, and a report computed without."""
    report, raw = root / "reports/tiny/report.html", root / "data/raw/images"
    raw.mkdir(parents=True)
    report.parent.mkdir(parents=True)
    (raw / "image").write_bytes(b"raw")
    sidecar_files.write_sidecar(raw, sidecar_files.artefact_digest(raw), FACTS)
    made_from = {"inputs": {"from": [link(root, "data/raw/images")]}, "cpu": cpu}
    write_job(root / "results/tiny/detect/cnn.0", {"scores/x.safetensors": scores}, **made_from)
    made_from = {"inputs": {"from": [link(root, "results/tiny/detect/cnn.0/scores/x.safetensors")]}, "cpu": numpy}
    report.write_bytes(b"page")
    sidecar_files.write_sidecar(report, sidecar_files.artefact_digest(report), {**FACTS, **made_from})
    return report


def test_a_report_has_the_root_of_another_processor_if_all_files_are_equal(tmp_path):
    here, there = (three_files(tmp_path / name, cpu) for name, cpu in (("here", ZEN_5), ("there", ZEN_4)))
    assert chain.root_digest(here) != chain.root_digest(there)

    for cpu, report in ((ZEN_4, there), (ZEN_5, here)):
        assert report_pages.root_digest_on(here, tmp_path / "here", cpu) == chain.root_digest(report)


def test_a_report_with_one_other_byte_has_another_root_on_every_processor(tmp_path):
    here = three_files(tmp_path / "here", ZEN_5, scores=b"0.6")
    there = three_files(tmp_path / "there", ZEN_4)

    assert report_pages.root_digest_on(here, tmp_path / "here", ZEN_4) != chain.root_digest(there)


def test_jobs_without_torch_name_the_paths_of_numpy_alone(tmp_path):
    here = three_files(tmp_path / "here", ZEN_5, numpy="numpy=baseline blas=Zen")
    there = three_files(tmp_path / "there", ZEN_4)

    assert report_pages.root_digest_on(here, tmp_path / "here", ZEN_4) == chain.root_digest(there)


def test_a_forged_circle_of_links_is_a_finding(tmp_path):
    report = three_files(tmp_path, ZEN_5)
    record = sidecar_files.read_sidecar(report)
    circle = {"circle": [{"file": "reports/tiny/report.html", "artefact": "sha256:0", "sidecar": "sha256:0"}]}
    facts = {name: value for name, value in record.items() if name != "artefact"} | {"inputs": circle, "pages": {}}
    sidecar_files.write_sidecar(report, record["artefact"], facts)
    (report.parent / "ROOT").write_text(chain.root_digest(report))

    expected = report_pages.ExpectedRoot("sha256:0", ZEN_4)
    (finding,) = report_pages.differences(report, tmp_path, expected, clone=False)

    assert finding.problem.startswith("cannot be checked: maximum recursion depth exceeded")


GAIN = '<p>\n<b>gain <script type="text/plain" class="packed">{}</script>'


@pytest.mark.parametrize(
    ("page", "before", "after", "words"),
    [
        ("report.html", GAIN.format(packing.packed("-0.1")).encode(), GAIN.format(packing.packed("+0.1")).encode(), 'line 2 says "gain -0.1", the chain "gain +0.1"'),
        ("metrics.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), gzip.compress(b"a,b\n1,3\n", mtime=0), 'line 2 says "1,2", the chain "1,3"'),
        ("extra.csv", b"x", b"", "no such page"),
        ("figures/more.svg", b"", b"<svg/>", "it is missing"),
        ("figures/roc.png", b"\x89PNG1", b"\x89PNG2", "its bytes differ"),
        ("metrics.csv.gz", b"no gzip", gzip.compress(b"", mtime=0), "it cannot be read"),
    ],
)  # fmt: skip
def test_two_versions_of_a_page_differ_in_what_they_say(page, before, after, words):
    assert report_pages.first_difference(page, before, after).startswith(words)


@pytest.mark.parametrize(
    ("status", "count", "problems"),
    [
        ("holds", 1, []),
        ("holds", 0, ["counts 0 claims that are upper bound only; claims.csv has 1"]),
        ("fails", 0, []),  # an attacker who found no more than the paper's own test is not mentioned
        ("fails", 1, ["counts 1 claims that are upper bound only; claims.csv has 0"]),
    ],
)
def test_the_count_of_attackers_leaves_out_claims_that_fail_without_them(status, count, problems, tmp_path):
    (tmp_path / "metrics.csv.gz").write_bytes(gzip.compress(b"value,unit\n0.9,fraction\n", mtime=0))
    row = f"S1,{status},upper bound only,0.9,claim\n"
    (tmp_path / "claims.csv").write_text(f"claim,status,attacker,measured,kind\n{row}")
    (tmp_path / "report.html").write_text(f'<span class="verdict a">upper bound only</span> <strong>{count}</strong>')

    assert list(report_pages.contradictions(tmp_path / "report.html")) == problems
