"""The environment of a job: what changes its bytes is set or removed, and the rest of the user's variables stays."""

import os

import pytest

from touchstone.pipeline.jobs import environment

CHANGES_JOBS = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # of Jupyter and Colab
    "MATPLOTLIBRC": "/home/me/matplotlibrc",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONINSPECT": "1",
    "PYTHONDEVMODE": "1",
    "OMP_NUM_THREADS": "abc",
    "OMP_DYNAMIC": "true",
    "OMP_THREAD_LIMIT": "1",
    "KMP_AFFINITY": "compact",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_DYNAMIC": "true",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "NPY_ENABLE_CPU_FEATURES": "AVX2",
    "NPY_PROMOTION_STATE": "legacy",
    "NUMEXPR_MAX_THREADS": "x",
    "SCIPY_ARRAY_API": "1",
    "SKLEARN_WORKING_MEMORY": "x",
    "PANDAS_FUTURE_INFER_STRING": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "DNNL_DEFAULT_FPMATH_MODE": "ANY",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
    "TORCH_BLAS_PREFER_CUBLASLT": "1",
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    "PYTORCH_TUNABLEOP_ENABLED": "1",
    "NVIDIA_TF32_OVERRIDE": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":0:0",
    "CUDNN_CONV_WSCAP_DBG": "1",
}
HARMLESS = {
    "PYTHONPATH": "mine",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "7",
    "CUDA_VISIBLE_DEVICES": "1",
    "TORCH_HOME": "/home/me/networks",
    "TORCH_LOGS": "+all",
    "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
    "TORCH_SHOW_CPP_STACKTRACES": "1",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # sidecars name it
    "MPLCONFIGDIR": "/home/me/fonts",
    "TOUCHSTONE_STORE": "/shared/store",
    "LC_ALL": "C",
    "TZ": "Asia/Tokyo",
    "TMPDIR": "/scratch",
    "HTTPS_PROXY": "http://proxy",
}


@pytest.fixture
def variables(monkeypatch):
    """The environment, as a test may change it."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return os.environ


@pytest.mark.parametrize("name", CHANGES_JOBS)
def test_a_variable_that_changes_what_jobs_compute_does_not_reach_them(variables, name):
    variables[name] = CHANGES_JOBS[name]

    assert environment.set_environment(1)

    assert variables.get(name) == environment.environment(1).get(name)
    assert not environment.set_environment(1)


@pytest.mark.parametrize("name", HARMLESS)
def test_another_variable_of_the_user_stays(variables, name):
    variables[name] = HARMLESS[name]

    environment.set_environment(1)

    assert variables[name] == HARMLESS[name]
