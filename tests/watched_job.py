"""Run `python -m touchstone WORDS` within limits, and write which files of the package the process imports or opens.

Run as `python watched_job.py PACKAGE FILE WORDS`: the folder of the package, the file to write, and the command's words.
"""

from __future__ import annotations

import resource
import runpy
import sys
from pathlib import Path

SECONDS = 60  # of a processor that a job may take; without a mutant the longest takes 10
MEMORY = 8 * 2**30  # bytes of data of a process

opened = set[str]()
sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)


def main(package: str, file: str, *words: str) -> None:
    """Run the command; its exit code is that of this process."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    sys.argv = ["-m", *words]
    sys.orig_argv = [sys.executable, "-m", "touchstone", *words]
    try:
        runpy.run_module("touchstone", run_name="__main__", alter_sys=True)
    finally:
        imported = {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}
        paths = map(Path, imported | {name for name in opened if not name.endswith((".py", ".pyc"))})
        used = sorted(path.relative_to(package).as_posix() for path in paths if path.is_relative_to(package))
        Path(file).write_text("\n".join(used))


if __name__ == "__main__":
    main(*sys.argv[1:])
