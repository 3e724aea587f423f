"""A job that was run again: other bytes are wrong, unless it ran in another environment; the difference is shown."""

import gzip

import pytest

from touchstone.pipeline.auditing import recomputation
from touchstone.report import packing

SIDECAR = {"artefact": "sha256:1", "step": "infer", "settings": {}, "inputs": {}, "code": "c", "cpu": "onednn=avx2"}


def compared(tmp_path, before, after, pages=()):
    for folder, contents in zip(("root", "scratch"), pages, strict=False):
        for name, data in contents.items():
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_bytes(data)
    return list(
        recomputation._compared("r/out", before, after, *(tmp_path / name / "r/out" for name in ("root", "scratch")))
    )


def test_equal_bytes_are_no_finding_whatever_the_environment(tmp_path):
    assert compared(tmp_path, SIDECAR, SIDECAR) == []
    assert compared(tmp_path, SIDECAR, SIDECAR | {"cpu": "onednn=avx512"}) == []


def test_other_bytes_are_wrong(tmp_path):
    (found,) = compared(tmp_path, SIDECAR, SIDECAR | {"artefact": "sha256:2"})

    assert (found.file, found.unchecked) == ("r/out", False)
    assert found.problem == "recomputed, its digest is sha256:2, not sha256:1"


def test_other_bytes_in_another_environment_prove_nothing(tmp_path):
    (found,) = compared(tmp_path, SIDECAR, SIDECAR | {"artefact": "sha256:2", "cpu": "onednn=avx512", "device": "cuda"})

    assert found.unchecked
    assert "in another environment (cpu, device)" in found.problem


@pytest.mark.parametrize("fact", ["settings", "inputs", "code", "definitions"])
def test_a_sidecar_that_the_job_would_not_write_is_wrong_though_the_bytes_are_equal(tmp_path, fact):
    (found,) = compared(tmp_path, SIDECAR, SIDECAR | {fact: "another"})

    assert not found.unchecked
    assert found.problem == f"its sidecar is not what the job writes: {fact}"


def test_of_a_report_every_page_that_differs_is_named_with_what_it_says(tmp_path):
    folded = '<script type="text/plain" class="packed">{}</script>'
    first = {
        "r/report.html": f"<p>\n<b>gain {folded.format(packing.packed('-0.150'))}".encode(),
        "r/metrics.csv.gz": gzip.compress(b"a,b\n1,2\n"),
        "r/extra.csv": b"x",
        "r/figures/roc.png": b"\x89PNG1",
        "r/claims.csv": b"equal",
    }
    second = {
        "r/report.html": f"<p>\n<b>gain {folded.format(packing.packed('+0.150'))}".encode(),
        "r/metrics.csv.gz": gzip.compress(b"a,b\n1,3\n"),
        "r/figures/roc.png": b"\x89PNG2",
        "r/figures/more.svg": b"<svg/>",
        "r/claims.csv": b"equal",
    }
    before, after = (
        SIDECAR | {"artefact": str(place), "pages": {name.removeprefix("r/"): "" for name in pages}}
        for place, pages in enumerate((first, second))
    )

    found = compared(tmp_path, before, after, (first, second))

    assert {finding.file: finding.problem.partition(": ")[2] for finding in found} == {
        "r/report.html": 'line 2 says "gain -0.150", the chain "gain +0.150"',
        "r/metrics.csv.gz": 'line 2 says "1,2", the chain "1,3"',
        "r/extra.csv": "no such page",
        "r/figures/roc.png": "its bytes differ",
        "r/figures/more.svg": "it is missing",
    }
