"""A forger's tools: change anything in an unpacked evidence file, and compute every digest above it again.

Tests load it with runpy, because test folders are no packages.
"""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from touchstone.digests import canonical, file_digest, sha256
from touchstone.provenance import archive, sidecar_files
from touchstone.provenance.job_folders import SIDECAR, split
from touchstone.records import encoding, metric_tables


class Forger:
    """The unpacked evidence, and what is in it."""

    def __init__(self, honest: Path, folder: Path):
        self.folder = folder
        shutil.copytree(honest, folder)
        self.about = dict(archive.read_manifest(honest.with_suffix(".pack")).about)
        self.study = self.about["study"]

    # --- what is in it -------------------------------------------------------------------------------------------------

    def read(self, file):
        return (self.folder / file).read_bytes()

    def write(self, file, data):
        (self.folder / file).write_bytes(data)

    def noun(self, file, **change):
        """Replace fields of a noun, each by what a function makes of it."""
        noun = encoding.decode(self.read(file))
        changed = {name: function(getattr(noun, name)) for name, function in change.items()}
        self.write(file, encoding.encode(replace(noun, **changed)))

    def rows(self, evaluation, change):
        """Replace an evaluation's metric rows."""
        (path,) = self.folder.glob(f"results/{self.study}/evaluate/*/metrics/{evaluation}.csv")
        table = metric_tables.decode(path.read_bytes())
        path.write_bytes(metric_tables.encode(metric_tables.Metrics(change(table.rows))))

    def record(self, file, **change):
        """Replace facts in the record of an artefact, each by what a function makes of it."""
        path = sidecar_files.sidecar_path(self.folder / file)
        content = json.loads(path.read_text())
        record = content["members"][split(file)[1]] if split(file) else content
        record |= {name: function(record[name]) for name, function in change.items()}
        path.write_text(canonical(content) + "\n")

    def text(self, name, old, new):
        path = self.folder / name
        assert old in path.read_text(), f"{name} no longer holds {old!r}"
        path.write_text(path.read_text().replace(old, new))

    def claims(self, claim, **columns):
        path = self.folder / f"reports/{self.study}/claims.csv"
        lines = list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
        (line,) = [line for line in lines if line["claim"] == claim]
        assert any(line[name] != value for name, value in columns.items())
        line |= columns
        text = io.StringIO()
        writer = csv.DictWriter(text, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        path.write_text(text.getvalue())

    # --- digests -------------------------------------------------------------------------------------------------------

    def rehash(self):
        """Make every digest consistent: of files, of records above them, of the report, and ROOT."""
        folders = {path.parent: sidecar_files.read_folder(path.parent) for path in self.folder.rglob(SIDECAR)}
        beside = {path: json.loads(path.read_text()) for path in self.folder.rglob("*" + sidecar_files.BESIDE)}
        paths = {folder / name: record for folder, members in folders.items() for name, record in members.items()}
        paths |= {Path(str(path).removesuffix(sidecar_files.BESIDE)): record for path, record in beside.items()}
        records = {path.relative_to(self.folder).as_posix(): record for path, record in paths.items()}
        digests = {}

        def settle(file):
            if file not in digests:
                record = records[file]
                for link in (link for links in record["inputs"].values() for link in links if link["file"] in records):
                    digest = settle(link["file"])
                    link |= {"artefact": records[link["file"]]["artefact"], "sidecar": digest}
                if (self.folder / file).is_file():
                    record["artefact"] = sha256(self.read(file))
                if "pages" in record:
                    pages = self.folder / Path(file).parent
                    record["pages"] |= {n: file_digest(pages / n) for n in record["pages"] if (pages / n).is_file()}
                digests[file] = sidecar_files.digest_of_record(record)
            return digests[file]

        for file in records:
            settle(file)
        for folder, members in folders.items():
            sidecar_files.write_job_sidecar(folder, members)
        for path, record in beside.items():
            path.write_bytes(sidecar_files.as_bytes(record))
        root = file_digest(self.folder / f"reports/{self.study}/report.html{sidecar_files.BESIDE}")
        (self.folder / f"reports/{self.study}/ROOT").write_text(root + "\n")
        self.about["root"] = root

    def packed(self):
        """Return the evidence file of what is here now."""
        path = self.folder.with_suffix(".forged")
        names = [each.relative_to(self.folder).as_posix() for each in self.folder.rglob("*") if each.is_file()]
        archive.write(path, "study", self.about, [(name, (self.folder / name).read_bytes) for name in names])
        return path


def flipped(values):
    """The same values, those of the first row reversed."""
    values = values.copy()
    values[0] = values[0][::-1]
    return values


def bumped(values, by, rows=1):
    """The same values, a little more in the first rows."""
    values = values.copy()
    values[:rows] += np.asarray(by, values.dtype)
    return values


def caught(result, check, named):
    """The problems that one check found, and whose text holds a name."""
    return [problem for problem in result.problems if problem.check == check and named in str(problem)]
