"""Files that somebody could send: .pt2 programs written by hand, with whatever nodes, weights and shapes a test likes."""

import json
import resource
import zipfile
from contextlib import contextmanager

import numpy as np

SHAPE = (1, 12, 12)


@contextmanager
def limited_memory(size):
    """Make what asks for more than `size` bytes fail in the allocator instead of taking the machine's memory."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def tensor(name):
    return {"as_tensor": {"name": name}}


def whole(number):
    return {"as_int": number}


def wholes(*numbers):
    return {"as_ints": list(numbers)}


def words(text):
    return {"as_string": text}


def number(name):
    return {"as_sym_int": {"as_name": name}}


def numbers(*names):
    return {"as_sym_ints": [{"as_name": name} if isinstance(name, str) else {"as_int": name} for name in names]}


def node(target, *args, out="made", **kwargs):
    """A call; out: a name, several, a list of names in a list, or a whole output."""
    given = [{"name": f"a{place}", "arg": arg, "kind": 1} for place, arg in enumerate(args)]
    given += [{"name": name, "arg": arg, "kind": 2} for name, arg in kwargs.items()]
    outs = [out] if isinstance(out, str | dict) else list(out)
    return {
        "target": target if target.startswith(("_operator", "math", "torch")) else f"torch.ops.{target}",
        "inputs": given,
        "outputs": [name if isinstance(name, dict) else tensor(name) for name in outs],
        "metadata": {},
    }


SIZE = {"as_sym_int": {"as_name": "n"}}
COUNT = node("aten.sym_size.int", tensor("x"), whole(0), out=SIZE)  # the number of images, as n
HEAD = (
    node("aten.flatten.using_ints", tensor("x"), whole(1), out="rows"),
    node("aten.linear.default", tensor("rows"), tensor("p_weight"), out="logits"),
)


def meta(array, **changes):
    lengths = {"sizes": array.shape, "strides": [stride // array.itemsize for stride in array.strides]}
    kinds = {"float32": 7, "float64": 8, "int64": 5}
    facts = {key: [whole(length) for length in value] for key, value in lengths.items()}
    return {"dtype": kinds[array.dtype.name], "storage_offset": whole(0), **facts, **changes}


def program(path, *nodes, output="logits", weights=None, shape=(None, *SHAPE), change=None, entries=None, raw=None,
            more=(), method=zipfile.ZIP_STORED):  # fmt: skip
    """Write a .pt2 file: the nodes, then a linear layer of (N, 1, 12, 12) images.

    change(content): of the program's JSON. entries(config): of the weights' table. raw: that JSON as text instead.
    more: other files in the archive, (name, bytes).
    """
    weights = {"weight": np.eye(3, 144, dtype=np.float32)} | (weights or {})
    config = {
        name: {"path_name": f"weight_{place}", "is_param": True, "use_pickle": False, "tensor_meta": meta(array)}
        for place, (name, array) in enumerate(weights.items())
    }
    if entries:
        entries(config)
    sizes = [{"as_expr": {"expr_str": "s"}} if side is None else whole(side) for side in shape]
    inputs = [{"user_input": {"arg": tensor("x")}}]
    inputs += [{"parameter": {"arg": {"name": f"p_{name}"}, "parameter_name": name}} for name in weights]
    content = {
        "schema_version": {"major": 8, "minor": 20},
        "graph_module": {
            "signature": {"input_specs": inputs, "output_specs": [{"user_output": {"arg": tensor(output)}}]},
            "graph": {"nodes": [*nodes, *HEAD], "tensor_values": {"x": {"sizes": sizes}}},
        },
    }
    if change:
        change(content)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("m/models/model.json", raw or json.dumps(content))
        archive.writestr("m/data/weights/model_weights_config.json", json.dumps({"config": config}))
        archive.writestr("m/data/constants/model_constants_config.json", json.dumps({"config": {}}))
        for place, array in enumerate(weights.values()):
            archive.writestr(f"m/data/weights/weight_{place}", np.ascontiguousarray(array).tobytes())
        for name, data in more:
            archive.writestr(name, data)
    return path
