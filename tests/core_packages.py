"""The packages that the library needs without any extra, by the names that Python imports."""

CORE = {
    "torch",
    "numpy",
    "scipy",
    "safetensors",
    "yaml",
    "PIL",
    "annotated_types",
    "pydantic",
    "psutil",
    "threadpoolctl",
    "filelock",
    "click",
}
