"""What an attacker who has the source would put into a .pt2 file: each is refused in words, in seconds, and nothing runs."""

import json
import runpy
import struct
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from touchstone.assay import user_models
from touchstone.models.exported_program import exported_program
from touchstone.network_files.operators import ALLOWED, RANDOM
from touchstone.network_files.programs import GRAPH, as_bytes
from touchstone.network_files.pt2_archive import read_program
from touchstone.network_files.shapes import weight_norm
from touchstone.networks import checkpoints
from touchstone.records.encoding import DamagedFile, decode, encode
from touchstone.records.nouns import Checkpoint

h = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "hostile_files.py")))
node, tensor, whole, wholes, number, numbers, words = (
    getattr(h, name) for name in ("node", "tensor", "whole", "wholes", "number", "numbers", "words")
)

MEMORY = 3 * 2**30  # more than any of these may take


@pytest.fixture(autouse=True)
def little_memory(readers_with_torch):
    """What asks for more than the test has fails in the allocator, and not the machine."""
    with h.limited_memory(MEMORY):
        yield


def run(path):
    """Open a model file and run it as an assay does."""
    model = user_models.open_model(str(path)).program(h.SHAPE)
    return model(torch.rand(8, *h.SHAPE))


def same(name, *args, **kwargs):
    """A node that takes the images and whose result nothing reads."""
    return node(name, tensor("x"), *args, **kwargs)


def big(side, *, out="big"):
    return node("aten.expand.default", tensor("p_weight"), wholes(side, 3, 144), out=out)


def test_the_hand_written_program_that_the_others_are_made_of_runs(tmp_path):
    images = torch.rand(2, *h.SHAPE)

    model = user_models.open_model(str(h.program(tmp_path / "good.pt2", h.COUNT))).program(h.SHAPE)

    torch.testing.assert_close(model(images), images.flatten(1)[:, :3])


# --- code ---------------------------------------------------------------------------------------------------------

BUILTINS = (
    node("aten.__getattr__.__getattribute__", words("__globals__"), out="globals"),
    node("_operator.getitem", tensor("globals"), words("__builtins__"), out="builtins"),
    node("_operator.getitem", tensor("builtins"), words("eval"), out="eval"),
)
CODE = "__import__('pathlib').Path('sprung').touch() or 0"


@pytest.mark.parametrize("key", ["key", "default"])
def test_no_name_of_an_operator_leads_to_eval(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    call = node(
        "torch.sym_max", {"as_strings": [CODE, "0"]}, **{key: tensor("eval")}, out={"as_sym_int": {"as_name": "n"}}
    )
    path = h.program(tmp_path / "trap.pt2", *BUILTINS, call)

    with pytest.raises(ValueError, match=r"trap\.pt2.*which touchstone does not run"):
        run(path)

    assert not Path("sprung").exists()


NAMES = [
    *("aten.from_file.default", "aten.save.default", "aten.__class__", "aten.relu.__class__", "aten._dir.append", "aten.relu.op"),
    *("aten.relu.default.__call__.__globals__", "aten.relu.out", "aten.add.out", "aten.name.__add__", "aten", "", "."),
    *("aten.set_.source_Storage", "aten.set_.source_Tensor", "aten.resize_.default", "aten.resize_as_.default"),
    *("aten.rand.generator", "aten.randn.names", "aten.bernoulli.p", "aten.uniform_.default", "aten.normal_.default"),
    *("aten.rrelu.default", "aten.multinomial.default", "aten._print.default", "aten.empty_like.default"),
    *("aten.empty.memory_format", "aten.new_empty.default", "aten.empty_strided.default", "aten.nonzero.default"),
    *("aten.item.default", "aten._local_scalar_dense.default", "aten.data_ptr.default", "aten.set_data.default"),
    *("aten._reinterpret_tensor.default", "aten._foobar_.default", "aten.unique_dim.default", "aten.max_unpool2d.default"),
    *("aten._embedding_bag.default", "aten.mkldnn_rnn_layer.default", "aten.sparse_coo_tensor.indices"),
    *("aten._make_per_tensor_quantized_tensor.default", "aten._cudnn_rnn.default", "aten.native_batch_norm.default"),
    *("aten._native_batch_norm_legit.default", "aten.batch_norm.out", "aten.record_stream.default", "aten.pin_memory.default"),
    *("_operator.getitem", "_operator.attrgetter", "_operator.methodcaller", "_operator.call", "_operator.setitem"),
    *("math.factorial", "math.comb", "math.__loader__", "torch.load", "torch.sym_max.__globals__", "torch.hub.load"),
    *("builtins.eval", "os.system", "prim.device.default", "prims.copy_to.default", "mine.run.default", "torchvision.roi_align.default"),
    *("aten.__getattr__.__getattribute__", "aten._qualname.upper", "torch_ops.aten.relu.default", "torch.ops.load_library"),
    *("aten.detach_", "aten._weight_norm", "aten._weight_norm.", "aten.scaled_dot_product_attention", "aten..default"),
    *("aten.grid_sampler.default", "aten.grid_sampler_2d.default", "aten.view.dtype", "aten.repeat_interleave.Tensor"),
    *("aten.repeat_interleave.self_Tensor", "aten.linalg_norm.default", "aten.linalg_svd.default", "aten.cdist.default"),
    *("aten.remainder.int", "aten.floordiv.int", "aten.mul.left_t", "aten.add.t", "aten.eq.str", "aten.split.str"),
    *("higher_order.cond", "_c10d_functional.all_reduce.default", "inductor.accumulate_grad_.default", "aten.to.prim_Nothing"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_on_the_list_is_refused_by_name(tmp_path, name):
    path = h.program(tmp_path / "trap.pt2", same(name))

    with pytest.raises(
        DamagedFile, match=r"trap\.pt2: node 0 of the program: the program uses .*touchstone does not run"
    ):
        read_program(path)


def test_what_is_on_the_list_touches_no_file_no_storage_no_chance_and_no_memory_that_nobody_wrote():
    """By torch's own words for each: the types it takes and what it is tagged with."""
    chance = {
        *RANDOM,
        "dropout",
        "dropout_",
        "feature_dropout",
        "alpha_dropout",
        "feature_alpha_dropout",
        "scaled_dot_product_attention",
    }
    for name in ALLOWED:
        packet = getattr(torch.ops.aten, name)
        assert not name.startswith("empty")
        for variant in packet.overloads():
            overload = getattr(packet, variant)
            if torch.Tag.nondeterministic_seeded in overload.tags:
                assert name in chance, f"{overload} draws random numbers"


# --- arguments ----------------------------------------------------------------------------------------------------

ARGUMENTS = {
    "a text for a tensor": node("aten.relu.default", words("x")),
    "a list for a tensor": node("aten.relu.default", wholes(1, 2)),
    "a tensor for a number": same("aten.select.int", tensor("x"), whole(0)),
    "a float for a number": same("aten.select.int", {"as_float": 1.0}, whole(0)),
    "a text for a float": same("aten.leaky_relu.default", {"as_float": "much"}),
    "too many": same("aten.relu.default", whole(1)),
    "too few": node("aten.relu.default"),
    "an unknown name": same("aten.relu.default", out="made", inplace={"as_bool": True}),
    "a name twice": node("aten.relu.default", tensor("x"), self=tensor("x")),
    "out": {**same("aten.relu.default"), "inputs": [{"name": "out", "arg": tensor("x"), "kind": 2}]},
    "a function": same("aten.relu.default", {"as_operator": "os.system"}),
    "a graph": same("aten.relu.default", {"as_graph": {"name": "g", "graph": {}}}),
    "a custom object": node("aten.relu.default", {"as_custom_obj": {"name": "o", "class_fqn": "os.system"}}),
    "a complex number": same("aten.add.Tensor", {"as_complex": {"real": 0, "imag": 1}}),
    "a huge number": same("aten.add.Tensor", whole(10**30)),
    "a huge size": node("aten.full.default", wholes(10**30), whole(0)),
    "a huge list": same("aten.repeat.default", wholes(*[1] * 10_000)),
    "a long text": node("aten.einsum.default", words("a" * 10_000), {"as_tensors": [{"name": "x"}]}),
    "a dtype that is none": same("aten.to.dtype", {"as_scalar_type": 99}),
    "a dtype that is a list": same("aten.to.dtype", {"as_scalar_type": [7]}),
    "memory that is pinned": same("aten.zeros_like.default", pin_memory={"as_bool": True}),
    "an argument of two kinds": same("aten.add.Tensor", {"as_int": 1, "as_float": 2.0}),
    "an argument of no kind": same("aten.add.Tensor", {}),
    "an argument that is none": {**same("aten.relu.default"), "inputs": [7]},
    "arguments that are a number": {**same("aten.relu.default"), "inputs": 7},
    "arguments that are an object": {**same("aten.relu.default"), "inputs": {"a": 1}},
    "a target that is a list": {**same("aten.relu.default"), "target": ["aten"]},
    "a node that is a list": ["aten.relu.default"],
    "a node that is nothing": None,
    "an unknown value": node("aten.relu.default", tensor("nowhere")),
    "a value from below": node("aten.relu.default", tensor("logits")),
    "its own value": node("aten.relu.default", tensor("made")),
    "a name that is a number": node("aten.relu.default", tensor(7)),
    "a name that is a list": node("aten.relu.default", tensor(["x"])),
    "a name twice given": same("aten.relu.default", out="x"),
    "the weights' name": same("aten.relu.default", out="p_weight"),
    "a long name": same("aten.relu.default", out="x" * 100_000),
    "names for nothing": same("aten.relu.default", out=("a", "b")),
    "a list of names for one": same("aten.relu.default", out={"as_tensors": [{"name": "a"}]}),
    "one name for a list": same("aten.chunk.default", whole(2), out="a"),
    "sym_max of texts": node("torch.sym_max", words("a"), words("b"), out=h.SIZE),
    "sym_max of three": node("torch.sym_max", whole(1), whole(2), whole(3), out=h.SIZE),
    "arithmetic on tensors": node("_operator.mul", tensor("x"), tensor("x"), out=h.SIZE),
    "arithmetic on lists": node("_operator.mul", wholes(1), whole(10**9), out=h.SIZE),
    "arithmetic on texts": node("_operator.mul", words("a"), whole(10**9), out=h.SIZE),
    "arithmetic with keywords": node("_operator.add", whole(1), whole(2), key=whole(3), out=h.SIZE),
    "batch statistics": same("aten.batch_norm.default", {"as_none": True}, {"as_none": True}, {"as_none": True},
        {"as_none": True}, {"as_bool": True}, {"as_float": 0.1}, {"as_float": 1e-5}, {"as_bool": False}),
    "dropout": same("aten.dropout.default", {"as_float": 0.5}, {"as_bool": True}),
    "dropout by a number": same("aten.dropout.default", {"as_float": 0.5}, whole(2)),
    "division that ends the process": same("aten.div.Tensor_mode", tensor("x"), rounding_mode=words("trunc")),
    "a scale that leads out of 64 bits": same("aten.upsample_nearest2d.default", wholes(4, 4), {"as_float": 1e-38},
        {"as_float": 1e-38}),
    "scales that lead out of 64 bits": same("aten.upsample_nearest2d.vec", {"as_none": True}, {"as_floats": [1e-38, 1e-38]}),
    "a scale that is no number": same("aten.upsample_bilinear2d.default", wholes(4, 4), {"as_bool": False}, {"as_float": "NaN"}),
    "a dilation that wraps around": same("aten.max_pool2d.default", wholes(5, 5), wholes(1, 1), wholes(0, 0), wholes(2**62, 2**62)),
    "a padding beyond 32 bits": same("aten.avg_pool2d.default", wholes(2**31, 2**31), wholes(1, 1), wholes(2**30, 2**30)),
    "a window that is computed": same("aten.avg_pool2d.default", numbers("n", "n")),
    "a gradient that is sparse": node("aten.embedding.default", tensor("p_weight"), tensor("x"), whole(-1), {"as_bool": False},
        {"as_bool": True}),
    "dropout in attention": same("aten.scaled_dot_product_attention.default", tensor("x"), tensor("x"), {"as_none": True},
        {"as_float": 0.5}),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_that_the_schema_does_not_know_is_refused_before_anything_runs(tmp_path, case):
    path = h.program(tmp_path / "trap.pt2", ARGUMENTS[case])

    with pytest.raises(DamagedFile, match=r"trap\.pt2"):
        read_program(path)


# --- what shows only when it runs -----------------------------------------------------------------------------------

RUNS = {
    "full": node("aten.full.default", wholes(10**6, 10**6), whole(1)),
    "zeros": node("aten.zeros.default", wholes(10**6, 10**6)),
    "ones beyond 64 bits": node("aten.ones.default", wholes(2**40, 2**40)),
    "a negative size": node("aten.zeros.default", wholes(-5)),
    "arange": node("aten.arange.default", whole(10**13)),
    "linspace": node("aten.linspace.default", whole(0), whole(1), whole(10**12)),
    "eye": node("aten.eye.default", whole(10**7)),
    "one_hot": [node("aten.to.dtype", tensor("x"), {"as_scalar_type": 5}, out="whole"),
        node("aten.one_hot.default", tensor("whole"), whole(10**11))],
    "repeat": same("aten.repeat.default", wholes(10**4, 10**4, 10**2, 10**2)),
    "tile": same("aten.tile.default", wholes(10**4, 10**4, 10**2, 10**2)),
    "repeat_interleave": same("aten.repeat_interleave.self_int", whole(10**11), whole(0)),
    "new_full": same("aten.new_full.default", wholes(10**6, 10**6), whole(1)),
    "expand, then copy": [big(10**9), node("aten.clone.default", tensor("big"), out="copy")],
    "expand, then sum": [big(10**12), node("aten.sum.default", tensor("big"), out="total")],
    "expand, then sum, ever again": [big(10**6), *[node("aten.sum.default", tensor("big"), out=f"s{i}") for i in range(200)]],
    "expand, then unbind": [big(10**6), node("aten.unbind.int", tensor("big"), out={"as_tensors": [{"name": "a"}]})],
    "expand, then split": [big(10**6), node("aten.split.Tensor", tensor("big"), whole(1), out={"as_tensors": [{"name": "a"}]})],
    "expand, then chunk": [big(10**6), node("aten.chunk.default", tensor("big"), whole(10**6), out={"as_tensors": [{"name": "a"}]})],
    "expand, then tensor_split": [big(10**6), node("aten.tensor_split.sections", tensor("big"), whole(10**6),
        out={"as_tensors": [{"name": "a"}]})],
    "outer": [node("aten.expand.default", tensor("p_weight"), wholes(10**5, 3, 144), out="e"),
        node("aten.flatten.using_ints", tensor("e"), out="f"), node("aten.outer.default", tensor("f"), tensor("f"))],
    "doubled 60 times": [node("aten.cat.default", {"as_tensors": [{"name": f"c{i}" if i else "x"}] * 2}, out=f"c{i + 1}")
        for i in range(60)],
    "squared 40 times": [node("aten.matmul.default", tensor("x"), tensor("x"), out="c0"), *[node("aten.conv2d.default",
        tensor(f"c{i}"), tensor("p_kernel"), {"as_none": True}, wholes(1, 1), wholes(2000, 2000), out=f"c{i + 1}")
        for i in range(40)]],
    "a pool with a window as large as all": [same("aten.upsample_nearest2d.default", wholes(4000, 4000), out="up"),
        node("aten.avg_pool2d.default", tensor("up"), wholes(2001, 2001), wholes(1, 1), wholes(1000, 1000))],
    "padding": same("aten.constant_pad_nd.default", wholes(10**7, 10**7, 10**7, 10**7)),
    "reflection": same("aten.reflection_pad2d.default", wholes(10**7, 10**7, 10**7, 10**7)),
    "upsampling": same("aten.upsample_nearest2d.default", wholes(10**6, 10**6)),
    "convolution in double, unfolded": [same("aten.to.dtype", {"as_scalar_type": 8}, out="d"),
        node("aten.to.dtype", tensor("p_wide"), {"as_scalar_type": 8}, out="k"),
        node("aten.conv2d.default", tensor("d"), tensor("k"), {"as_none": True}, wholes(1, 1), wholes(3000, 3000))],
    "matrices": [node("aten.zeros.default", wholes(20_000, 20_000), out="z0"), *[node("aten.mm.default", tensor(f"z{i}"),
        tensor("z0"), out=f"z{i + 1}") for i in range(5)]],
    "a power of sizes": [h.COUNT, node("_operator.pow", whole(10), whole(10**9), out={"as_sym_int": {"as_name": "m"}})],
    "a tower of sizes": [h.COUNT, *[node("_operator.mul", number("n" if not i else f"m{i}"), number("n" if not i else f"m{i}"),
        out={"as_sym_int": {"as_name": f"m{i + 1}"}}) for i in range(200)]],
    "division by nothing": node("_operator.floordiv", whole(1), whole(0), out=h.SIZE),
    "a root": node("_operator.pow", whole(-8), {"as_float": 0.5}, out={"as_sym_float": {"as_name": "n"}}),
    "ceil of infinity": node("math.ceil", {"as_float": "Infinity"}, out=h.SIZE),
    "sizes of the number of images": [h.COUNT, node("_operator.pow", number("n"), whole(40), out={"as_sym_int": {"as_name": "m"}}),
        node("aten.zeros.default", numbers("m"))],
    "sizes that shrink with it": [h.COUNT, node("_operator.sub", whole(10**12), number("n"), out={"as_sym_int": {"as_name": "m"}}),
        node("aten.zeros.default", numbers("m"))],
    "a dimension that is not there": same("aten.select.int", whole(9), whole(0)),
    "pieces that are not there": same("aten.chunk.default", whole(2), whole(1), out={"as_tensors": [{"name": "a"}, {"name": "b"}]}),
    "weights that change": node("aten.add_.Tensor", tensor("p_weight"), {"as_float": 0.1}),
    "weights that change by a view": [node("aten.transpose.int", tensor("p_weight"), whole(0), whole(1), out="turned"),
        node("aten.mul_.Tensor", tensor("turned"), {"as_float": 2.0})],
    "weights that change by copy_": node("aten.copy_.default", tensor("p_weight"), tensor("p_weight")),
    "weights that change their shape": node("aten.transpose_.default", tensor("p_weight"), whole(0), whole(1)),
    "weights that get a side": node("aten.unsqueeze_.default", tensor("p_weight"), whole(0)),
    "a mask of any size": [same("aten.gt.Scalar", whole(0), out="mask"), node("aten.index.Tensor", tensor("x"),
        {"as_optional_tensors": [tensor("mask")]})],
    "as_strided beyond": same("aten.as_strided.default", wholes(10**6), wholes(10**6)),
    "zero groups": node("aten.conv2d.default", tensor("x"), tensor("p_kernel"), {"as_none": True}, wholes(1, 1), wholes(0, 0),
        wholes(1, 1), whole(0)),
    "a stride of nothing": node("aten.conv2d.default", tensor("x"), tensor("p_kernel"), {"as_none": True}, wholes(0, 0)),
    "a window of nothing": same("aten.avg_pool2d.default", wholes(0, 0)),
    "pixel_shuffle by nothing": same("aten.pixel_shuffle.default", whole(0)),
    "batch norm of nothing": [same("aten.slice.Tensor", whole(0), whole(0), whole(0), out="none"),
        node("aten._native_batch_norm_legit_no_training.default", tensor("none"), *[tensor("p_kernel_row")] * 4,
            {"as_float": 0.1}, {"as_float": 1e-5}, out=("made", "mean", "spread"))],
    "fewer weights than channels": [same("aten.expand.default", wholes(-1, 64, 12, 12), out="deep"),
        node("aten._native_batch_norm_legit_no_training.default", tensor("deep"), *[tensor("p_kernel_row")] * 4,
            {"as_float": 0.1}, {"as_float": 1e-5}, out=("made", "mean", "spread"))],
    "fewer weights than channels of a batch": [same("aten.expand.default", wholes(-1, 64, 12, 12), out="deep"),
        node("aten._native_batch_norm_legit.no_stats", tensor("deep"), *[tensor("p_kernel_row")] * 2,
            {"as_bool": True}, {"as_float": 0.1}, {"as_float": 1e-5}, out=("made", "mean", "spread"))],
    "fewer values than keys": [same("aten.select.int", whole(2), whole(0), out="few"),
        node("aten.unsqueeze.default", tensor("few"), whole(2), out="one"),
        node("aten.scaled_dot_product_attention.default", tensor("x"), tensor("x"), tensor("one"))],
    "a mask of other keys": node("aten.scaled_dot_product_attention.default", tensor("x"), tensor("x"), tensor("x"),
        tensor("p_weight")),
    "many nodes": [same("aten.relu.default", out=f"r{i}") for i in range(25_000)],
}  # fmt: skip


@pytest.mark.parametrize("case", RUNS)
def test_a_program_that_would_take_all_memory_or_hours_is_refused_before_it_runs(tmp_path, case):
    nodes = RUNS[case] if isinstance(RUNS[case], list) else [RUNS[case]]
    wide = {"kernel": np.ones((1, 1, 1, 1)), "kernel_row": np.ones(1), "wide": np.ones((1, 1, 300, 300))}
    wide = {name: values.astype(np.float32) for name, values in wide.items()}
    path = h.program(tmp_path / "trap.pt2", *nodes, weights=wide)

    with pytest.raises(ValueError, match=r"trap\.pt2"):
        run(path)


ODD = {
    "diff for ever": same("aten.diff.default", whole(10**9)),
    "weights that lose their gradient": node("aten.detach_.default", tensor("p_weight")),
    "images that change": node("aten.add_.Tensor", tensor("x"), {"as_float": 0.0}),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_and_does_no_harm_runs(tmp_path, case):
    model = user_models.open_model(str(h.program(tmp_path / "odd.pt2", ODD[case]))).program(h.SHAPE)

    images = torch.rand(2, *h.SHAPE)
    torch.testing.assert_close(model(images.clone()), images.flatten(1)[:, :3])
    assert all(weight.requires_grad for weight in model.parameters())


def test_weights_scaled_to_norms_are_those_of_torch_and_too_few_norms_reach_nothing():
    weights, lengths = torch.randn(64, 12), torch.rand(64, 1)

    torch.testing.assert_close(weight_norm(weights, lengths, 0), torch._weight_norm(weights, lengths, 0))
    assert weight_norm(weights, lengths[:1], 0).shape == weights.shape
    with pytest.raises(RuntimeError):
        weight_norm(weights, lengths[:7], 0)


def test_no_images_at_all_may_go_through_batch_norm(tmp_path):
    ones = {name: np.ones(1, np.float32) for name in "abcd"}
    norm = node("aten._native_batch_norm_legit_no_training.default", tensor("x"), *[tensor(f"p_{name}") for name in ones],
                {"as_float": 0.1}, {"as_float": 1e-5}, out=("made", "mean", "spread"))  # fmt: skip
    model = user_models.open_model(str(h.program(tmp_path / "good.pt2", norm, weights=ones))).program(h.SHAPE)

    with torch.no_grad():
        assert model(torch.rand(0, *h.SHAPE)).shape == (0, 3)


def test_what_does_not_fit_is_said_once_and_without_a_traceback(tmp_path, capfd):
    path = h.program(tmp_path / "trap.pt2", same("aten.reshape.default", wholes(7, 7)))

    with pytest.raises(ValueError, match=r"trap\.pt2: the model does not take your images, 1 x 12 x 12"):
        run(path)

    assert capfd.readouterr().err == ""


# --- the file -----------------------------------------------------------------------------------------------------


def of_weight(**changes):
    def change(config):
        config["weight"].update(changes)

    return {"entries": change}


def of_meta(**changes):
    def change(config):
        config["weight"]["tensor_meta"].update(changes)

    return {"entries": change}


def of_program(path, value):
    def change(content):
        *inside, last = path
        for key in inside:
            content = content[key]
        content[last] = value

    return {"change": change}


def many_names(config):
    """A thousand weights that share the bytes of one."""
    shared = {**config["weight"], "tensor_meta": h.meta(np.zeros((3, 144), np.float32), strides=[whole(0)] * 2,
                                                        sizes=[whole(10_000)] * 2)}  # fmt: skip
    config.update({f"w{number}": shared for number in range(1000)})


SIGNATURE, GRAPHS = ("graph_module", "signature"), ("graph_module", "graph")
FILES = {
    "a stride of nothing": of_meta(sizes=[whole(10**9)] * 2, strides=[whole(0)] * 2),
    "a shape beyond 64 bits": of_meta(sizes=[whole(2**60)] * 9, strides=[whole(0)] * 9),
    "an empty shape with a side beyond": of_meta(sizes=[whole(0), whole(2**62), whole(2**62)], strides=[whole(0)] * 3),
    "a negative length": of_meta(sizes=[whole(-3), whole(-144)]),
    "a negative stride": of_meta(strides=[whole(-1), whole(-1)]),
    "an offset by which one value is beyond its bytes": of_meta(storage_offset=whole(1)),
    "a negative offset": of_meta(storage_offset=whole(-4)),
    "a length that is a text": of_meta(sizes=[{"as_int": "3"}, whole(144)]),
    "a length that is true": of_meta(sizes=[{"as_int": True}, whole(144)]),
    "a length that is a symbol": of_meta(sizes=[{"as_expr": {"expr_str": "__import__('os')"}}, whole(144)]),
    "fewer strides": of_meta(strides=[whole(144)]),
    "65 dimensions": of_meta(sizes=[whole(1)] * 65, strides=[whole(1)] * 65),
    "a dtype that is a list": of_meta(dtype=[7]),
    "no dtype": of_meta(dtype=None),
    "a tensor that is a list": of_weight(tensor_meta=[]),
    "a tensor that is a text": of_weight(tensor_meta="float"),
    "a pickle": of_weight(use_pickle=True),
    "a path outside": of_weight(path_name="../../../../../../etc/passwd"),
    "an absolute path": of_weight(path_name="/etc/passwd"),
    "a path that is a list": of_weight(path_name=["weight_0"]),
    "one weight a thousand times": {"entries": many_names},
    "a table that is a list": {"more": [("m/data/weights/model_weights_config.json", b"[]")]},
    "a weight twice": {"more": [("m/data/weights/weight_0", b"\0" * 1728)]},
    "two programs": {"more": [("m/models/other.json", b"{}")]},
    "a compressed file": {"method": zipfile.ZIP_DEFLATED},
    "a compressed bomb": {"method": zipfile.ZIP_DEFLATED, "more": [("m/data/zeros", b"\0" * 10**8)]},
    "a compressed LZMA bomb": {"method": zipfile.ZIP_LZMA, "more": [("m/data/zeros", b"\0" * 10**8)]},
    "no JSON": {"raw": "\xff\xfe"},
    "JSON of brackets": {"raw": "[" * 10**6},
    "JSON of objects": {"raw": '{"a":' * 10**5},
    "JSON of lists within the limit": {"raw": "[" * 900 + "]" * 900},
    "a number of 5,000 digits": {"raw": "1" * 5000},
    "JSON that is a list": {"raw": "[1, 2]"},
    "JSON that is a text": {"raw": '"graph_module"'},
    "JSON of 70 MB": {"raw": " " * (70 * 2**20) + "{}"},
    "no graph": of_program(GRAPHS, None),
    "a graph that is a list": of_program(GRAPHS, []),
    "inputs that are a number": of_program((*SIGNATURE, "input_specs"), 7),
    "inputs that are a list of lists": of_program((*SIGNATURE, "input_specs"), [[]]),
    "an input that is a list": of_program((*SIGNATURE, "input_specs"), [{"user_input": []}]),
    "an argument that is a list": of_program((*SIGNATURE, "input_specs"), [{"user_input": {"arg": []}}]),
    "two inputs": of_program((*SIGNATURE, "input_specs"), [{"user_input": {"arg": tensor("x")}}] * 2),
    "a token": of_program((*SIGNATURE, "input_specs"), [{"token": {"arg": {"name": "x"}}}]),
    "a custom object": of_program((*SIGNATURE, "input_specs"), [{"custom_obj": {"arg": {"name": "x"}}}]),
    "no output": of_program((*SIGNATURE, "output_specs"), []),
    "an unknown output": of_program((*SIGNATURE, "output_specs"), [{"user_output": {"arg": tensor("nowhere")}}]),
    "an output that is the images' number": of_program((*SIGNATURE, "output_specs"), [{"user_output": {"arg": number("n")}}]),
    "a name that is a list": of_program((*SIGNATURE, "output_specs"), [{"user_output": {"arg": tensor(["x"])}}]),
    "images of two dimensions": {"shape": (None, 144)},
    "images of no dimension": {"shape": ()},
    "images of any height": {"shape": (None, 1, None, 12)},
    "a batch of 10^12": {"shape": (10**12, 1, 12, 12)},
    "a batch of 10^9": {"shape": (10**9, 1, 12, 12)},
    "a batch of -1": {"shape": (-1, 1, 12, 12)},
    "sizes that are a text": of_program((*GRAPHS, "tensor_values"), {"x": {"sizes": "four"}}),
    "sizes of 10^5 sides": of_program((*GRAPHS, "tensor_values"), {"x": {"sizes": [whole(1)] * 10**5}}),
    "nodes that are an object": of_program((*GRAPHS, "nodes"), {"a": 1}),
    "nodes that are a text": of_program((*GRAPHS, "nodes"), "nodes"),
}  # fmt: skip
HARMLESS = {"images of any height"}
LARGER = "its weights are larger than the file"
REASONS = {  # of those that the memory of the test would stop, too, or another reader
    "a stride of nothing": LARGER,
    "a shape beyond 64 bits": LARGER,
    "an offset by which one value is beyond its bytes": "432 values from 432",
    "one weight a thousand times": LARGER,
    "a compressed bomb": "contains compressed or encrypted files",
    "a weight twice": "contains two files of one name",
    "JSON of 70 MB": "is larger than",
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", FILES)
def test_a_forged_file_is_refused_by_its_name(tmp_path, case):
    path = h.program(tmp_path / "trap.pt2", **FILES[case])
    if case in HARMLESS:
        assert run(path).shape == (8, 3)
        return

    with pytest.raises(DamagedFile, match=rf"trap\.pt2.*{REASONS.get(case, '')}"):
        run(path)


def overlapping(path):
    """Fifield's bomb: many names for the same bytes."""
    data = bytearray(h.program(path).read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("m/data/weights/weight_0")
    one = _central(data, entry.filename)
    end = data.rindex(b"PK\5\6")
    fakes = b"".join(one.replace(b"weight_0", b"w%07d" % number) for number in range(2000))
    start = struct.unpack_from("<I", data, end + 16)[0]
    tail = bytearray(data[end:])
    count = struct.unpack_from("<H", tail, 10)[0] + 2000
    struct.pack_into("<HHI", tail, 8, count, count, end - start + len(fakes))
    path.write_bytes(bytes(data[:end]) + fakes + bytes(tail))


def _central(data, name):
    place = data.index(b"PK\1\2")
    while True:
        lengths = struct.unpack_from("<HHH", data, place + 28)
        end = place + 46 + sum(lengths)
        if data[place + 46 : place + 46 + lengths[0]] == name.encode():
            return bytes(data[place:end])
        place = end


def endless_table(path):
    path.write_bytes(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**31, 0, 0))


def larger_than_it_is(path):
    """A file in it says that it has 4 GB."""
    data = bytearray(h.program(path).read_bytes())
    place = data.index(_central(data, "m/data/weights/weight_0"))
    struct.pack_into("<II", data, place + 20, 2**32 - 2, 2**32 - 2)
    path.write_bytes(data)


def encrypted(path):
    data = bytearray(h.program(path).read_bytes())
    place = data.index(_central(data, "m/models/model.json"))
    data[place + 8] |= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(h.program(path).read_bytes()[:-40])


def no_zip(path):
    path.write_bytes(b"\0" * 1000)


def empty(path):
    path.write_bytes(b"")


ARCHIVES = {
    overlapping: "would unpack to more than it contains",
    endless_table: "table of contents is missing or too long",
    larger_than_it_is: "would unpack to more than it contains",
    encrypted: "contains compressed or encrypted files",
    **dict.fromkeys((cut, no_zip, empty), ""),
}


@pytest.mark.parametrize("forge", ARCHIVES)
def test_a_forged_archive_is_refused_by_its_name(tmp_path, forge):
    forge(tmp_path / "trap.pt2")

    with pytest.raises(ValueError, match=rf"trap\.pt2.*{ARCHIVES[forge]}"):
        run(tmp_path / "trap.pt2")


# --- the checkpoint that a study made of it -------------------------------------------------------------------------


def checkpoint(graph, weights=None):
    data = graph if isinstance(graph, bytes) else json.dumps(graph).encode()
    stored = {"weight": np.eye(3, 144, dtype=np.float32), **(weights or {}), GRAPH: as_bytes(data)}
    return decode(encode(Checkpoint(stored, {"use": "it"}, h.SHAPE, 3, (0.0,), (1.0,))), Checkpoint)


def graph(*nodes, **changes):
    head = [
        {"op": "aten.flatten.using_ints", "args": [{"value": "x"}, 1], "kwargs": {}, "out": ["rows"]},
        {"op": "aten.linear.default", "args": [{"value": "rows"}, {"value": "w"}], "kwargs": {}, "out": ["logits"]},
    ]
    facts = {"input": "x", "output": "logits", "shape": [None, *h.SHAPE], "tensors": {"w": "weight"}, "trained": []}
    return {**facts, "nodes": [*nodes, *head], **changes}


def call(op, *args, **kwargs):
    return {"op": op, "args": list(args), "kwargs": kwargs, "out": ["made"]}


X = {"value": "x"}
CHECKPOINTS = {
    "an attribute of torch": graph(call("aten.to.dtype", X, {"dtype": "load"})),
    "an attribute of torch by another kind": graph(call("aten.relu.default", {"hub": "load"})),
    "a memory format that is a module": graph(call("aten.clone.default", X, memory_format={"memory_format": "hub"})),
    "keywords of nn.Conv2d": graph(call("aten.conv2d.default", X, {"value": "w"}, padding_mode="circular")),
    "a list in a list": graph(call("aten.cat.default", [[X]])),
    "an operator": graph(call("aten.from_file.default", X)),
    "no nodes": graph(nodes=None),
    "nodes of numbers": graph(nodes=[1, 2]),
    "a node without arguments": graph(nodes=[{"op": "aten.relu.default"}]),
    "no tensors": graph(tensors=[]),
    "tensors of numbers": graph(tensors={"w": 7}),
    "no output": graph(output=None),
    "an unknown output": graph(output="nowhere"),
    "a shape of texts": graph(shape=["1", "2", "3", "4"]),
    "a shape of three": graph(shape=[1, 12, 12]),
    "a fixed batch": graph(shape=[10**9, *h.SHAPE]),
    "trained numbers": graph(trained=[7]),
    "unknown weights": graph(tensors={"w": "nowhere"}),
    "itself as weights": graph(tensors={"w": GRAPH}),
    "a list": [],
    "no JSON": b"\xff\x00",
    "deep": b"[" * 10**6,
    "many digits": b"1" * 5000,
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_forged_program_in_a_checkpoint_is_refused(case):
    with pytest.raises(DamagedFile):
        checkpoints.load(exported_program, checkpoint(CHECKPOINTS[case]))


def test_a_program_in_a_checkpoint_is_rehearsed_before_it_runs():
    model = checkpoints.load(exported_program, checkpoint(graph(call("aten.zeros.default", [10**6, 10**6]))))

    with pytest.raises(DamagedFile, match=r"aten\.zeros\.default makes"):
        model(torch.rand(1, *h.SHAPE))


def test_a_truth_value_from_a_file_is_true_or_false():
    """As a byte it can be 255, which kernels would count as 255."""
    nodes = [call("aten._to_copy.default", {"value": "m"}, dtype={"dtype": "float32"})]
    stored = checkpoint(
        graph(*nodes, tensors={"w": "weight", "m": "mask"}), {"mask": np.frombuffer(b"\xff\0", np.bool_)}
    )

    model = checkpoints.load(exported_program, stored)[1]

    assert model.bare_mask.view(torch.uint8).tolist() == [1, 0]


def test_weights_that_do_not_fit_their_layer_are_told():
    stored = checkpoint(graph(call("aten.linear.default", {"value": "w"}, {"value": "b"}, X), tensors={"w": "weight", "b": "b"}),
                        {"b": np.zeros((2, 2), np.float32)})  # fmt: skip
    model = checkpoints.load(exported_program, stored)

    with pytest.raises(ValueError, match=r"aten\.linear\.default"):
        model(torch.rand(1, *h.SHAPE))


def test_fewer_images_are_rehearsed_again_only_where_the_program_computes_with_their_number():
    plain, counting = (
        checkpoints.load(exported_program, checkpoint(graph(*nodes)))[1]
        for nodes in ([], [call("aten.sym_size.int", X, 0)])
    )
    for model in (plain, counting):
        for count in (4, 2, 4):
            model(torch.rand(count, *h.SHAPE))

    assert plain.rehearsed[h.SHAPE] == {4}
    assert counting.rehearsed[h.SHAPE] == {2, 4}


def test_no_module_is_imported_by_a_name_in_a_file():
    """Nothing here was imported by a forged file: antigravity opens a browser."""
    assert "antigravity" not in sys.modules
