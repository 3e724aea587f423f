"""Variables of the user's shell change no byte of what jobs compute and draw."""

import shutil
from dataclasses import replace

import pytest

from touchstone.digests import SNAKEMAKE_MARK

LIBRARIES = {  # of unlike effect: reduced precision, other code paths, other threads
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "NPY_ENABLE_CPU_FEATURES": "AVX2",
    "OMP_NUM_THREADS": "abc",
    "OPENBLAS_NUM_THREADS": "0",
    "SKLEARN_WORKING_MEMORY": "x",
    "CUDA_VISIBLE_DEVICES": "abc",
}
# What does not contradict each other is tried at once.
JUPYTER = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "FORCE_COLOR": "1", "COLUMNS": "1"}
SHELLS = {
    "Jupyter, Python, no folders": {
        **JUPYTER,
        "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONSAFEPATH": "1", "PYTHONHASHSEED": "7",
        "PYTHONINTMAXSTRDIGITS": "640",
        "HOME": "/proc/none", "TMPDIR": "/proc/none", "MPLCONFIGDIR": "/proc/none",
    },
    "libraries, elsewhere": {
        **LIBRARIES,
        "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii", "TZ": "Asia/Tokyo",
        "SOURCE_DATE_EPOCH": "0", "NO_COLOR": "1",
    },
}  # fmt: skip
JOBS = {  # what each writes, by its --output
    "results/tiny/train/cnn.0": "results/tiny/train/cnn.0",
    "reports/tiny/report.html": "reports/tiny",
}


def written(project):
    """The bytes of the network and of the report, by file; the mark that Snakemake leaves in a folder is not a job's."""
    files = project.digests(*JOBS.values())
    return {file: data for file, data in files.items() if not file.endswith(SNAKEMAKE_MARK)}


@pytest.mark.parametrize("job", JOBS, ids=["train", "report"])
@pytest.mark.parametrize("variables", SHELLS.values(), ids=SHELLS)
def test_a_job_writes_the_same_bytes_whatever_the_users_variables_are(copied, variables, job):
    before = written(copied)
    (words,) = (words for words in copied.jobs() if words[-1] == job)
    for folder in ("data/tiny", JOBS[job]):
        shutil.rmtree(copied.root / folder)
    shell = replace(copied, environment=variables)

    shell.run(shell.touchstone(*words[2:]))

    assert written(copied) == before


def test_a_chain_is_drawn_in_jupyter(copied):
    shell = replace(copied, environment=JUPYTER)

    shell.run(
        shell.touchstone("trace", "results/tiny/train/cnn.0/networks/cnn.0.safetensors", "--picture", "chain.svg")
    )

    assert (copied.root / "chain.svg").read_bytes().startswith(b"<?xml")
