"""A torch.export program (.pt2) read as data: its graph of operators and its weights. No pickle in it is opened.

torch.export.load unpickles weights that say so, and custom objects, without limits; this reader refuses both, and takes
the archive's JSON and raw bytes alone (schema 8 of torch/_export/serde/schema.py, archive format of torch 2.8 and later).
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from touchstone.records import Array, DamagedFile

# torch._export.serde.schema.ScalarType, by what numpy can hold.
DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
}
MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
SCHEMA = 8
PLAIN = ("as_int", "as_ints", "as_float", "as_floats", "as_string", "as_strings", "as_bool", "as_bools", "as_operator")
ASSERTIONS = ("aten._assert_", "aten.sym_constrain_range")  # what the exporter checked; the operators check enough
# {"input", "output", "shape", "tensors": {value: weight}, "trained": [weight], "nodes": [{"op", "args", "kwargs", "out"}]}
Graph = dict[str, Any]


def is_program(path: Path) -> bool:
    """Return whether a file is a zip that torch.export.save wrote."""
    return zipfile.is_zipfile(path) and any("/models/" in name for name in _names(path))


def read_program(path: Path) -> tuple[Graph, dict[str, Array]]:
    """Return the graph of a .pt2 file and its weights by name; DamagedFile in words where it is not one that can be read.

    One program of one tensor, (N, C, H, W), that returns one tensor. Weights are plain arrays.
    """
    if not zipfile.is_zipfile(path):
        raise DamagedFile(f"{path}: not a .pt2 file: it is no zip archive")
    with zipfile.ZipFile(path) as archive:
        models = [name for name in archive.namelist() if "/models/" in name and name.endswith(".json")]
        if len(models) != 1:
            raise DamagedFile(
                f"{path}: holds {len(models)} programs of torch.export (torch 2.8 or later), expected one"
            )
        folder, name = models[0].removesuffix(".json").split("/models/")
        parts = {kind: f"{folder}/data/{kind}/" for kind in ("weights", "constants")}
        try:
            content = json.loads(archive.read(models[0]))
            weights: dict[str, Array] = {}
            for kind, part in parts.items():
                weights |= _payload(path, archive, part, f"{name}_{kind}_config.json")
            return _graph(path, content, set(weights)), weights
        except (KeyError, TypeError, IndexError, json.JSONDecodeError, zipfile.BadZipFile) as error:
            raise DamagedFile(f"{path}: not a whole torch.export program ({error!r})") from error


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _payload(path: Path, archive: zipfile.ZipFile, folder: str, config: str) -> dict[str, Array]:
    """Return the arrays of weights or constants; those that are pickled are refused."""
    found = {}
    for name, entry in json.loads(archive.read(folder + config))["config"].items():
        if entry["use_pickle"] or entry["tensor_meta"] is None:
            raise DamagedFile(
                f"{path}: {name} is a pickle, which could run code when opened; export it as a plain tensor"
            )
        meta = entry["tensor_meta"]
        if meta["dtype"] not in DTYPES:
            raise DamagedFile(f"{path}: {name} has a type that touchstone does not read; convert the model to float32")
        data = np.frombuffer(archive.read(folder + entry["path_name"]), DTYPES[meta["dtype"]])
        sizes, strides = ([length["as_int"] for length in meta[key]] for key in ("sizes", "strides"))
        found[name] = _strided(data, sizes, strides, meta["storage_offset"]["as_int"])
    return found


def _strided(data: Array, sizes: list[int], strides: list[int], offset: int) -> Array:
    """Return a copy of the view of flat data that sizes and strides describe; IndexError where it leaves the data."""
    if 0 in sizes:
        return np.zeros(sizes, data.dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if last >= len(data) or min(strides, default=0) < 0:
        raise IndexError(f"{math.prod(sizes)} values from {len(data)}")
    steps = [stride * data.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(data[offset:], sizes, steps, writeable=False).copy()


def _graph(path: Path, content: dict[str, Any], weights: set[str]) -> Graph:
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
            raise DamagedFile(f"{path}: takes a {kind.replace('_', ' ')}, which is no tensor")
    outputs = [spec["user_output"]["arg"].get("as_tensor", {}).get("name")
               for spec in signature["output_specs"] if "user_output" in spec]  # fmt: skip
    if len(inputs) != 1 or inputs[0] is None or len(outputs) != 1 or outputs[0] is None:
        raise DamagedFile(f"{path}: takes {len(inputs)} things and returns {len(outputs)}; expected images to logits")
    if missing := sorted(set(tensors.values()) - weights):
        raise DamagedFile(f"{path}: the weights {', '.join(missing[:3])} are missing")
    shape = [size.get("as_int") for size in graph["tensor_values"][inputs[0]]["sizes"]]
    nodes = [_node(path, node) for node in graph["nodes"]]
    return {
        "input": inputs[0],
        "output": outputs[0],
        "shape": shape,  # None where any length is taken
        "tensors": tensors,
        "trained": trained,
        "nodes": [node for node in nodes if not node["op"].startswith(ASSERTIONS)],
    }


def _node(path: Path, node: dict[str, Any]) -> dict[str, Any]:
    target = node["target"]
    arguments = [(_argument(path, given["arg"]), given["name"], given.get("kind", 1)) for given in node["inputs"]]
    return {
        "op": target.removeprefix("torch.ops."),
        "args": [value for value, _, kind in arguments if kind != 2],
        "kwargs": {name: value for value, name, kind in arguments if kind == 2},
        "out": [_result(path, output) for output in node["outputs"]],
    }


def _result(path: Path, output: dict[str, Any]) -> Any:
    ((kind, value),) = output.items()
    if kind == "as_tensor":
        return value["name"]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        return value.get("as_name", "")
    if kind == "as_tensors":
        return [tensor["name"] for tensor in value]
    if kind == "as_none":
        return ""
    raise DamagedFile(f"{path}: an operator returns {kind}, which touchstone does not run")


def _argument(path: Path, argument: dict[str, Any]) -> Any:
    """Return an argument as plain JSON: values of the graph as {"value": name}, lists of them as lists."""
    ((kind, value),) = argument.items()
    if kind in PLAIN:
        return value
    match kind:
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
            return _argument(path, value)
        case "as_optional_tensors":
            return [_argument(path, item) for item in value]
        case "as_scalar_type" if value in DTYPES:
            return {"dtype": DTYPES[value]}
        case "as_memory_format":
            return {"memory_format": MEMORY_FORMATS[value]}
        case "as_device":
            return {"device": "the images'"}
    raise DamagedFile(f"{path}: an operator takes {kind}, which touchstone does not run")


def _symbol(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return {"value": content} if kind == "as_name" else content
