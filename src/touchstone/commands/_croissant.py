"""Croissant metadata of a study's example sets, which dataset search engines and mlcroissant read.

References:
    Croissant format specification 1.0, http://mlcommons.org/croissant/1.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files
from touchstone.records.rows import Rows

FORMAT = "http://mlcommons.org/croissant/1.0"
URL = "urn:touchstone:study:"  # followed by the name of the study
CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/", "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
    "format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet",
    "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform", "equivalentProperty": "cr:equivalentProperty", "samplingRate": "cr:samplingRate",
}  # fmt: skip


def croissant(plan: Plan, day: str, root: Path = Path()) -> bytes:
    """Return the Croissant metadata of a study's example sets, as JSON-LD.

    Args:
        plan: The study's.
        day: The date of publication, YYYY-MM-DD.
        root: The project's folder.

    Raises:
        ValueError: A set is not here, or its bytes do not match its sidecar.
    """
    name = plan.study.name
    files = [plan.layout.file("examples", entry) for entry in plan.study["examples"]]
    entities = [_entity(file, root) for file in files]
    licences = {str(Rows.at(root / file).about.get("notes", {}).get("licence", "unknown")) for file in files}
    metadata = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": FORMAT,
        "name": f"touchstone-{name}",
        "description": f"The example sets of touchstone's study {name}: images in [0, 1], labels (-1 without a class), and"
        " example_ids, the rows of the source. Each file is safetensors.",
        "license": sorted(licences),
        "url": f"{URL}{name}",
        "creator": {"@type": "sc:Organization", "name": "touchstone"},
        "datePublished": day,
        "version": "1.0.0",
        "citeAs": f"touchstone, study {name}",
        "distribution": entities,
    }
    return (json.dumps(metadata, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _entity(file: str, root: Path) -> dict[str, Any]:
    if not (root / file).is_file():
        raise ValueError(f"{file}: is not here; run the study first")
    digest = sidecar_files.artefact_digest(root / file)
    if digest != sidecar_files.read_sidecar(root / file)["artefact"]:
        raise ValueError(f"{file}: its bytes do not match its sidecar; see touchstone audit")
    rows = Rows.at(root / file)
    shapes = ", ".join(f"{name} {' x '.join(map(str, array['shape']))}" for name, array in rows.arrays.items())
    notes = "; ".join(f"{name}: {value}" for name, value in sorted(rows.about.get("notes", {}).items()))
    return {
        "@type": "cr:FileObject",
        "@id": file,
        "name": Path(file).name,
        "description": f"From {rows.about['source']}: {shapes}." + (f" {notes}" if notes else ""),
        "contentUrl": file,
        "contentSize": f"{(root / file).stat().st_size} B",
        "encodingFormat": "application/octet-stream",
        "sha256": digest.removeprefix("sha256:"),
    }
