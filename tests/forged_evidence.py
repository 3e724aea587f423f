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
from touchstone.pipeline.provenance.addresses import Address

from touchstone.digests import canonical, file_digest, sha256
from touchstone.evidence_files import archive
from touchstone.pipeline.provenance import bundles, sidecar_files
from touchstone.records import encoding, metric_tables

SIDECAR = sidecar_files.SIDECAR


class Forger:
    """The unpacked evidence, and what is in it."""

    def __init__(self, honest: Path, folder: Path):
        self.folder = folder
        shutil.copytree(honest, folder)
        self.about = dict(archive.read_manifest(honest.with_suffix(".evidence")).about)
        self.study = self.about["study"]

    # --- what is in it -------------------------------------------------------------------------------------------------

    def read(self, address):
        return sidecar_files.read_artefact(self.folder / address)

    def write(self, address, data):
        place = Address.parse(address)
        path = self.folder / place.file
        if not place.member:
            path.write_bytes(data)
            return
        members = {name: bundles.read(path, name) for name in bundles.names(path)} | {place.member: data}
        with bundles.written(path) as bundle:
            for name, content in members.items():
                bundle.add(name, content)

    def noun(self, address, **change):
        """Replace fields of a noun, each by what a function makes of it."""
        noun = encoding.decode(self.read(address))
        changed = {name: function(getattr(noun, name)) for name, function in change.items()}
        self.write(address, encoding.encode(replace(noun, **changed)))

    def rows(self, evaluation, change):
        """Replace an evaluation's metric rows."""
        address = f"data/{self.study}/metrics/{evaluation}.csv"
        table = metric_tables.decode(self.read(address))
        self.write(address, metric_tables.encode(metric_tables.Metrics(change(table.rows))))

    def record(self, address, **change):
        """Replace facts in the record of an artefact, each by what a function makes of it."""
        place = Address.parse(address)
        path = sidecar_files.sidecar_path(self.folder / place.file)
        content = json.loads(path.read_text())
        record = content["members"][place.member] if place.member else content
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
        sidecars = {path: json.loads(path.read_text()) for path in sorted(self.folder.rglob("*" + SIDECAR))}
        records = {}
        for path, content in sidecars.items():
            file = path.relative_to(self.folder).as_posix().removesuffix(SIDECAR)
            members = content.get("members")
            records |= {f"{file}#{name}": one for name, one in members.items()} if members else {file: content}
        digests = {}

        def settle(address):
            if address not in digests:
                record = records[address]
                for link in (link for links in record["inputs"].values() for link in links if link["file"] in records):
                    digest = settle(link["file"])
                    link |= {"artefact": records[link["file"]]["artefact"], "sidecar": digest}
                if sidecar_files.exists(self.folder / address):
                    record["artefact"] = sha256(self.read(address))
                if "pages" in record:
                    pages = self.folder / Path(address).parent
                    record["pages"] |= {n: file_digest(pages / n) for n in record["pages"] if (pages / n).is_file()}
                digests[address] = sha256((canonical(record) + "\n" * ("#" not in address)).encode())
            return digests[address]

        for address in records:
            settle(address)
        for path, content in sidecars.items():
            if "members" in content and (bundle := Path(str(path).removesuffix(SIDECAR))).exists():
                content["artefact"] = file_digest(bundle)
            if "members" in content:
                content["records"] = sidecar_files.digest_of_records(content["members"], content["definitions"])
            path.write_text(canonical(content) + "\n")
        root = file_digest(self.folder / f"reports/{self.study}/report.html{SIDECAR}")
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
