"""Snakemake's records, told to it by the restore that has just read them all.

There is one per file, and each lists all inputs of the job: 144 MB for 700 jobs. Snakemake asks four times for the records
of a job, one after the other, keeps 128, and so reads those of a job with more files anew each time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from snakemake.persistence import MetadataRecord
from snakemake.persistence.file import FilePersistence

from touchstone.restoring import Restored


def use(restored: Restored) -> None:
    """Let Snakemake take its records from a restore, in this process, until the first job starts: jobs write new ones."""
    known = {file: record for job in restored.finished for file, record in job.kept.items()}
    most = max((len(job.kept) for job in restored.finished), default=0)
    read, forget = FilePersistence._read_record_cached.__wrapped__, FilePersistence._clear_cache

    @lru_cache(maxsize=max(128, most))
    def record(self: Any, key: str) -> Any:
        return MetadataRecord.model_validate(known[key]) if key in known else read(self, key)

    def forgotten(self: Any) -> None:
        known.clear()
        forget(self)

    FilePersistence._read_record_cached, FilePersistence._clear_cache = record, forgotten
