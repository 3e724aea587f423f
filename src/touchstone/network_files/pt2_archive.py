"""A torch.export program (.pt2) read as data: its graph and its weights. No pickle in it is opened.

torch.export.load unpickles weights and custom objects without limits. This reader refuses both, and reads only the
archive's JSON and raw bytes (schema 8 of torch/_export/serde/schema.py, archive format of torch 2.8 and later).
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from touchstone.network_files.graphs import Graph, calls
from touchstone.network_files.operators import DTYPES, MEMORY_FORMATS
from touchstone.network_files.zip_archives import NOT_WHOLE, names, opened
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array

SCHEMA = 8
PLAIN = ("as_int", "as_ints", "as_string", "as_strings", "as_bool", "as_bools")
ASSERTIONS = ("aten._assert_", "aten.sym_constrain_range")  # redundant: the operators check their arguments
MODEL = 2**26  # bytes of the JSON of a program; the largest of torchvision take 4 MB
SPREAD = 2**28  # bytes by which the weights may exceed the file, because weights may share bytes


def is_program(path: Path) -> bool:
    """Return whether torch.export.save wrote a file.

    DamagedFile if it is a damaged zip.
    """
    return any("/models/" in name for name in names(path))


def read_program(path: Path) -> tuple[Graph, dict[str, Array]]:
    """Return the graph of a .pt2 file and its weights by name.

    Operators and their arguments are checked, and nothing is run.

    Raises:
        DamagedFile: Unless the file has one program from one tensor (N, C, H, W) to one tensor, with plain arrays as
            weights.
    """
    if not zipfile.is_zipfile(path):
        raise DamagedFile(f"{path}: not a .pt2 file: it is no zip archive")
    with opened(path) as archive:
        models = [name for name in archive.namelist() if "/models/" in name and name.endswith(".json")]
        if len(models) != 1:
            raise DamagedFile(
                f"{path}: contains {len(models)} programs of torch.export (torch 2.8 or later), expected one"
            )
        folder, name = models[0].removesuffix(".json").split("/models/")
        parts = {kind: f"{folder}/data/{kind}/" for kind in ("weights", "constants")}
        try:
            content = _json(archive, models[0])
            weights: dict[str, Array] = {}
            for kind, part in parts.items():
                weights |= _payload(archive, part, f"{name}_{kind}_config.json", path.stat().st_size + SPREAD)
            graph = _graph(content)
            calls(graph, weights)
        except DamagedFile as error:
            raise DamagedFile(f"{path}: {error}") from error
        except NOT_WHOLE as error:
            raise DamagedFile(f"{path}: not a whole torch.export program ({str(error)[:200]})") from error
    return graph, weights


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > MODEL:
        raise ValueError(f"{name} is larger than {MODEL:,} bytes")
    return json.loads(archive.read(name))


def _payload(archive: zipfile.ZipFile, folder: str, config: str, most: int) -> dict[str, Array]:
    """Return the arrays of weights or constants, at most `most` bytes.

    Pickled ones are refused.
    """
    arrays: dict[str, Array] = {}
    files: dict[str, bytes] = {}
    for name, entry in _json(archive, folder + config)["config"].items():
        if entry["use_pickle"] or entry["tensor_meta"] is None:
            raise DamagedFile(f"{name} is a pickle, which could run code when opened; export it as a plain tensor")
        meta = entry["tensor_meta"]
        if meta["dtype"] not in DTYPES:
            raise DamagedFile(f"{name} has a type that touchstone does not read; convert the model to float32")
        sizes, strides = ([_length(length) for length in meta[key]] for key in ("sizes", "strides"))
        most -= math.prod(sizes) * np.dtype(DTYPES[meta["dtype"]]).itemsize
        if most < 0:
            raise DamagedFile("its weights are larger than the file that should hold them")
        place = entry["path_name"]
        if place not in files:
            files[place] = archive.read(folder + place)
        data = np.frombuffer(files[place], DTYPES[meta["dtype"]])
        arrays[name] = _strided(data, sizes, strides, _length(meta["storage_offset"]))
    return arrays


def _length(entry: dict[str, Any]) -> int:
    length = entry["as_int"]
    if type(length) is not int or length < 0:
        raise ValueError(f"the length {str(length)[:50]} in the shape of a weight")
    return length


def _strided(data: Array, sizes: list[int], strides: list[int], offset: int) -> Array:
    """Return a copy of the view of flat data with these sizes and strides.

    IndexError if it leaves the data.
    """
    if 0 in sizes:
        return np.zeros(sizes, data.dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if last >= len(data):
        raise IndexError(f"{math.prod(sizes)} values from {len(data)}")
    steps = [stride * data.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(data[offset:], sizes, steps, writeable=False).copy()


def _graph(content: dict[str, Any]) -> Graph:
    signature, graph = content["graph_module"]["signature"], content["graph_module"]["graph"]
    tensors, inputs, trained = {}, [], []
    for spec in signature["input_specs"]:
        ((kind, fields),) = spec.items()
        if kind == "user_input":
            inputs.append(fields["arg"].get("as_tensor", {}).get("name"))
        elif kind in ("parameter", "buffer", "tensor_constant"):
            tensors[fields["arg"]["name"]] = fields[f"{kind}_name"]
            trained += [fields["parameter_name"]] if kind == "parameter" else []
        else:
            raise DamagedFile(f"takes a {kind.replace('_', ' ')}, which is no tensor")
    if changed := sorted({kind for spec in signature["output_specs"] for kind in spec} - {"user_output"}):
        raise DamagedFile(
            f"changes its own state when it runs ({', '.join(changed)}), so each run would be of another model"
        )
    outputs = [spec["user_output"]["arg"].get("as_tensor", {}).get("name") for spec in signature["output_specs"]]
    if len(inputs) != 1 or inputs[0] is None or len(outputs) != 1 or outputs[0] is None:
        raise DamagedFile(f"takes {len(inputs)} inputs and returns {len(outputs)} outputs; expected images and logits")
    shape = [size.get("as_int") for size in graph["tensor_values"][inputs[0]]["sizes"]]
    nodes = [_node(node) for node in graph["nodes"]]
    return {
        "input": inputs[0],
        "output": outputs[0],
        "shape": shape,  # None for a side of any length
        "tensors": tensors,
        "trained": trained,
        "nodes": [node for node in nodes if not node["op"].startswith(ASSERTIONS)],
    }


def _node(node: dict[str, Any]) -> dict[str, Any]:
    target = node["target"]
    arguments = [(_argument(item["arg"]), item["name"], item.get("kind", 1)) for item in node["inputs"]]
    return {
        "op": target.removeprefix("torch.ops."),
        "args": [value for value, _, kind in arguments if kind != 2],
        "kwargs": {name: value for value, name, kind in arguments if kind == 2},
        "out": [_result(output) for output in node["outputs"]],
    }


def _result(output: dict[str, Any]) -> Any:
    ((kind, value),) = output.items()
    if kind == "as_tensor":
        return value["name"]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return value.get("as_name", "")
    if kind == "as_tensors":
        return [tensor["name"] for tensor in value]
    if kind == "as_none":
        return ""
    raise DamagedFile(f"an operator returns {kind}, which touchstone does not run")


def _argument(argument: dict[str, Any]) -> Any:
    """Return an argument as plain JSON, with values of the graph as {"value": name}."""
    ((kind, value),) = argument.items()
    if kind in PLAIN:
        return value
    match kind:
        case "as_float":
            return float(value)  # "-Infinity" is a string
        case "as_floats":
            return [float(item) for item in value]
        case "as_none" | "as_layout":
            return None
        case "as_tensor":
            return {"value": value["name"]}
        case "as_tensors":
            return [{"value": tensor["name"]} for tensor in value]
        case "as_sym_int" | "as_sym_bool" | "as_sym_float":
            return _symbol(value)
        case "as_sym_ints" | "as_sym_floats":
            return [_symbol(item) for item in value]
        case "as_optional_tensor":
            return _argument(value)
        case "as_optional_tensors":
            return [_argument(item) for item in value]
        case "as_scalar_type" if value in DTYPES:
            return {"dtype": DTYPES[value]}
        case "as_memory_format":
            return {"memory_format": MEMORY_FORMATS[value]}
        case "as_device":
            return {"device": "the images'"}
    raise DamagedFile(f"an operator takes {kind}, which touchstone does not run")


def _symbol(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return {"value": content} if kind == "as_name" else content
