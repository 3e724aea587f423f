"""What an attacker would put into a file of weights or an ONNX file: refused in words, and nothing runs, hangs or fills up."""

import io
import json
import pickle
import runpy
import struct
import subprocess
import tarfile
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from touchstone.assay import program_export, user_models
from touchstone.network_files import confined, onnx_conversion, weight_files
from touchstone.records.encoding import DamagedFile, decode, encode
from touchstone.records.nouns import Checkpoint, Outputs

limited_memory = runpy.run_path(str(Path(__file__).parents[2] / "hostile_files.py"))["limited_memory"]
MEMORY = 4 * 2**30


@pytest.fixture(autouse=True)
def little_memory(readers_with_torch):
    with limited_memory(MEMORY):
        yield


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def saved(value, **settings):
    buffer = io.BytesIO()
    torch.save(value, buffer, **settings)
    return buffer.getvalue()


def packed(method=zipfile.ZIP_STORED, **files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(f"m/{name}", data)
    return buffer.getvalue()


def tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("storages", "tensors", "pickle"):
            data = pickle.dumps(Trap())
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def recompressed(data, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return buffer.getvalue()


def laughing(levels=64):
    """A key whose hash takes 2^levels steps: (), ((), ()), (((), ()), ((), ())), ..."""
    code = b"\x80\x02])q\x00a"  # a list, to put () into, remembered as 0
    for level in range(levels):
        code += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1]) + b"a"
    code += b"}h" + bytes([levels]) + b"K\x01s\x86."  # and {key: 1}
    return packed(**{"data.pkl": code, "version": b"3", "byteorder": b"little", ".format_version": b"1"})


WEIGHTS = {
    "nothing": b"",
    "zeros": b"\0" * 1000,
    "a pickle of code": pickle.dumps(Trap()),
    "code that torch saved": saved({"weight": Trap()}),
    "code in the old format": saved({"weight": Trap()}, _use_new_zipfile_serialization=False),
    "a tar archive": tar(),
    "a gzip file": b"\x1f\x8b\x08" + b"\0" * 100,
    "a compressed archive": recompressed(saved({"weight": torch.zeros(10**7)})),
    "an archive without a pickle": packed(version=b"3"),
    "an archive of a cut pickle": packed(**{"data.pkl": b"\x80\x02}(", "version": b"3"}),
    "a cut file": saved({"weight": torch.zeros(1000)})[:-700],
    "a cut file in the old format": saved({"weight": torch.zeros(1000)}, _use_new_zipfile_serialization=False)[:-700],
    "weights of a stride of nothing": saved({"weight": torch.zeros(1).expand(10**6, 10**6)}),
    "weights on no device": saved({"weight": torch.zeros(10**6, 10**6, device="meta")}),
    "sparse weights": saved({"weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (10**9, 10**9))}),
    "quantised weights": saved({"weight": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}),
    "nested weights": saved({"weight": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}),
    "a list": saved([torch.zeros(3)]),
    "a tensor": saved(torch.zeros(3)),
    "texts": saved({"weight": "zeros"}),
    "no weights": saved({}),
    "brackets": b"\x80\x02" + b"(" * 10**6,
    "lists in lists": b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".",
    "a huge number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1),
    "a huge text": b"\x80\x02X" + struct.pack("<I", 2**32 - 1),
    "an unknown operation": b"\x80\x02\xff.",
    "a module's attribute": b"\x80\x02ctorch.hub\nload\n.",
    "a builtin": b"\x80\x02cbuiltins\neval\n(X\x04\x00\x00\x001+11tR.",
    "a rebuilt tensor of texts": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(X\x01\x00\x00\x00aKKtR.",
    "the memory that nobody filled": b"\x80\x02h\x07.",
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_a_forged_state_dict_is_refused_in_words(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trap.pth"
    path.write_bytes(WEIGHTS[case])

    with pytest.raises(ValueError, match=r"trap\.pth"):
        weight_files.plain_weights(path, tmp_path / "out.safetensors")

    assert not Path("sprung").exists()


def test_a_state_dict_comes_out_as_it_went_in(tmp_path):
    shared = torch.rand(4)
    state = OrderedDict(a=torch.rand(2, 3).T, b=shared, c=shared[1:], d=torch.tensor(7), e=torch.rand(2).half())
    (tmp_path / "good.pth").write_bytes(saved({"state_dict": state}))

    weight_files.plain_weights(tmp_path / "good.pth", tmp_path / "out.safetensors")

    found = weight_files.stored(tmp_path / "out.safetensors")["state_dict"]
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) and found[name].dtype == state[name].dtype for name in state)


def test_a_refused_file_is_named_as_it_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(torch.nn.Linear(2, 2), "whole.pt")

    with pytest.raises(ValueError, match=r"^whole\.pt is damaged or contains more than weights"):
        weight_files.unpickled(Path("whole.pt"), trust_code=False)


def test_a_key_that_takes_for_ever_to_hash_ends_with_its_time(tmp_path, monkeypatch):
    """In a process of its own, which subprocess.run ends."""
    monkeypatch.setattr(confined, "subprocess", subprocess)
    monkeypatch.setattr(weight_files, "SECONDS", 4)
    (tmp_path / "slow.pth").write_bytes(laughing())
    start = time.monotonic()

    with pytest.raises(ValueError, match=r"slow\.pth: reading it took more than"):
        user_models.open_model(str(tmp_path / "slow.pth"))

    assert time.monotonic() - start < 60


def header(text, data=b"", length=None):
    code = text.encode() if isinstance(text, str) else json.dumps(text).encode()
    return struct.pack("<Q", len(code) if length is None else length) + code + data


def described(**changes):
    return {"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


SAFETENSORS = {
    "nothing": b"",
    "no header": b"\0" * 8,
    "a header beyond 64 bits": header("{}", length=2**64 - 1),
    "a header longer than the file": header("{}", length=10**9),
    "no JSON": header("{" * 1000),
    "brackets": header("[" * 10**6),
    "objects": header('{"a":' * 10**5),
    "a list": header([]),
    "an unknown dtype": header(described(dtype="PICKLE"), b"\0" * 8),
    "a shape that does not fit": header(described(shape=[10**9]), b"\0" * 8),
    "a shape beyond 64 bits": header(described(shape=[2**63, 2**63]), b"\0" * 8),
    "a negative shape": header(described(shape=[-2]), b"\0" * 8),
    "offsets beyond the file": header(described(data_offsets=[0, 2**62]), b"\0" * 8),
    "offsets turned round": header(described(data_offsets=[8, 0]), b"\0" * 8),
    "two in one place": header({**described(), "bias": described()["weight"]}, b"\0" * 8),
    "a name that is no text": header('{"\xff": 1}', b""),
    "a cut file": header(described(), b"\0" * 4),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_a_forged_safetensors_file_is_refused_in_words(tmp_path, case):
    path = tmp_path / "trap.safetensors"
    path.write_bytes(SAFETENSORS[case])

    with pytest.raises(ValueError, match=r"trap\.safetensors"):
        user_models.open_model(str(path))
    with pytest.raises(DamagedFile):
        decode(SAFETENSORS[case], Checkpoint)


def stored(metadata):
    """An artefact with metadata of somebody else's."""
    from safetensors.numpy import save

    arrays = {"logits": np.zeros((2, 3), np.float32), "labels": np.zeros(2, np.int64), "example_ids": np.arange(2)}
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    return save(arrays, metadata={"touchstone": text})


METADATA = {
    "a list": [],
    "a text": '"Outputs"',
    "a number": 7,
    "nothing": None,
    "brackets": "[" * 10**6,
    "lists within lists": "[" * 900 + "]" * 900,
    "no kind": {"nested": []},
    "an unknown kind": {"kind": "os.system", "nested": []},
    "a kind that is a list": {"kind": [], "nested": []},
    "nested that is a number": {"kind": "Outputs", "nested": 7},
    "nested that holds numbers": {"kind": "Outputs", "nested": [7]},
    "nested twice": {"kind": "Outputs", "nested": ["features", "features"], "logits": 1},
    "another field": {"kind": "Outputs", "nested": [], "open": "/etc/passwd"},
    "a field of another kind": {"kind": "Outputs", "nested": [], "features": 7},
    "features that are a list": {"kind": "Outputs", "nested": [], "features": [1]},
    "a number of 5,000 digits": '{"kind": "Outputs", "nested": [], "features": ' + "1" * 5000 + "}",
    "means that are a number": {"kind": "Checkpoint", "nested": [], "mean": 7},
}


@pytest.mark.parametrize("case", METADATA)
def test_an_artefact_with_forged_metadata_is_a_damaged_file(case):
    with pytest.raises(DamagedFile):
        decode(stored(METADATA[case]), Outputs)


def test_an_artefact_of_arrays_alone_is_decoded_as_before():
    outputs = Outputs(np.zeros((2, 3), np.float32), np.zeros(2, np.int64), np.arange(2))

    assert np.array_equal(decode(encode(outputs), Outputs).logits, outputs.logits)


@pytest.mark.parametrize("last", [torch.zeros(()), torch.zeros(10**6, 0), torch.zeros(1), torch.zeros(200_000)])
def test_a_named_network_is_not_built_for_any_number_of_classes(tmp_path, last):
    save_file({"fc.weight": torch.zeros(1), "fc.bias": last}, tmp_path / "trap.safetensors")

    with pytest.raises(ValueError, match=r"there are no weights fc\.bias of a layer that makes the logits"):
        user_models.open_model("resnet18", weights=str(tmp_path / "trap.safetensors"))


# --- ONNX -----------------------------------------------------------------------------------------------------------


def onnx_file(path, nodes, weights=(), external=None, domain=None):
    """A network of (N, 1, 4, 4) images: the nodes, then what makes logits of the images."""
    from onnx import TensorProto, helper, numpy_helper, save

    matrix = numpy_helper.from_array(np.eye(16, 3, dtype=np.float32), "matrix")
    if external is not None:
        matrix.ClearField("raw_data")
        matrix.data_location = TensorProto.EXTERNAL
        for key, value in {"location": external, "offset": "0", "length": "192"}.items():
            matrix.external_data.add(key=key, value=value)
    made = [helper.make_node(kind, *given, **settings) for kind, given, settings in nodes]
    made += [
        helper.make_node("Flatten", ["images"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["logits"]),
    ]
    graph = helper.make_graph(
        made,
        "theirs",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 1, 4, 4))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("n", 3))],
        [matrix, *(numpy_helper.from_array(values, name) for name, values in weights)],
    )
    opsets = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


PLACES = ["../secret.bin", "/etc/passwd", "sub/secret.bin", ".", "..", "", "link.bin", "nowhere.bin", "sub"]


@pytest.mark.parametrize("place", PLACES)
def test_onnx_weights_from_elsewhere_are_refused(tmp_path, place):
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    for secret in (tmp_path / "secret.bin", home / "sub/secret.bin"):
        secret.write_bytes(b"\1" * 192)
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")

    with pytest.raises(ValueError, match=r"trap\.onnx: keeps weights in .* only from a file in the same folder"):
        onnx_conversion.open_onnx(onnx_file(home / "trap.onnx", [], external=place), "")


def test_onnx_weights_beside_the_file_are_read(tmp_path):
    (tmp_path / "good.onnx.data").write_bytes(np.eye(16, 3, dtype=np.float32).tobytes())

    network = onnx_conversion.open_onnx(onnx_file(tmp_path / "good.onnx", [], external="good.onnx.data"), "")

    images = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(network(images), images.flatten(1)[:, :3])


def test_onnx_weights_in_a_node_of_a_branch_are_found_too(tmp_path):
    """A constant inside a graph inside a node."""
    from onnx import TensorProto, helper

    hidden = TensorProto(name="h", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    hidden.external_data.add(key="location", value="/etc/passwd")
    inner = helper.make_graph([helper.make_node("Constant", [], ["h"], value=hidden)], "inner", [],
                              [helper.make_tensor_value_info("h", TensorProto.FLOAT, (3,))])  # fmt: skip
    truth = np.array(True)
    node = ("If", (["truth"], ["either"]), {"then_branch": inner, "else_branch": inner})

    with pytest.raises(ValueError, match=r"trap\.onnx: keeps weights in '/etc/passwd'"):
        onnx_conversion.open_onnx(onnx_file(tmp_path / "trap.onnx", [node], [("truth", truth)]), "")


@pytest.mark.parametrize(("kind", "domain"), [
    ("Run", "theirs"), ("Gemm", "com.microsoft"), ("ImageDecoder", ""), ("Normalizer", "ai.onnx.ml"),
])  # fmt: skip
def test_operators_that_are_not_onnxs_own_are_refused(tmp_path, kind, domain):
    node = (kind, (["images"], ["made"]), {"domain": domain})

    with pytest.raises(ValueError, match=rf"trap\.onnx: uses the operator .*{kind}; only ONNX's own are run"):
        onnx_conversion.open_onnx(onnx_file(tmp_path / "trap.onnx", [node], domain=domain), "")


BOMBS = {
    "a tensor of all memory": [("ConstantOfShape", (["shape"], ["made"]), {})],
    "a sum over all memory": [("Expand", (["images", "shape"], ["wide"]), {}), ("Exp", (["wide"], ["made"]), {})],
}


@pytest.mark.parametrize("case", BOMBS)
def test_an_onnx_bomb_is_refused_in_words(tmp_path, case):
    weights = [("shape", np.array([10**5, 10**6, 4, 4]))]
    path = onnx_file(tmp_path / "trap.onnx", BOMBS[case], weights)

    with pytest.raises(ValueError, match=r"trap\.onnx"):
        program_export.put_into_file(user_models.open_model(str(path)), (1, 4, 4), tmp_path / "made")


def test_an_onnx_loop_without_end_is_stopped(tmp_path, monkeypatch):
    from onnx import TensorProto, helper

    monkeypatch.setattr(program_export, "ONNX_SECONDS", 2)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["state", "state"], ["next"])], "body",
        [helper.make_tensor_value_info("round", TensorProto.INT64, ()), helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
         helper.make_tensor_value_info("state", TensorProto.FLOAT, ())],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, ()), helper.make_tensor_value_info("next", TensorProto.FLOAT, ())],
    )  # fmt: skip
    weights = [("rounds", np.array(10**12)), ("go", np.array(True)), ("state", np.array(0, np.float32))]
    node = ("Loop", (["rounds", "go", "state"], ["last"]), {"body": body})
    path = onnx_file(tmp_path / "slow.onnx", [node], weights)

    with pytest.raises(ValueError, match=r"slow\.onnx: reading it took more than"):
        program_export.put_into_file(user_models.open_model(str(path)), (1, 4, 4), tmp_path / "made")
