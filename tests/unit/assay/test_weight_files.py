"""What an attacker would put into a file of weights: refused in words, and nothing in it runs."""

import io
import json
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from touchstone.assay import user_models, weight_files
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import decode
from touchstone.records.nouns import Checkpoint

DEEP = 2 * 10**5  # two hundred times as deep as Python lets functions call each other


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
    "weights on no device": saved({"weight": torch.zeros(10**6, 10**6, device="meta")}),
    "sparse weights": saved({"weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (10**9, 10**9))}),
    "quantised weights": saved({"weight": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}),
    "nested weights": saved({"weight": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])}),
    "a list": saved([torch.zeros(3)]),
    "a tensor": saved(torch.zeros(3)),
    "texts": saved({"weight": "zeros"}),
    "no weights": saved({}),
    "brackets": b"\x80\x02" + b"(" * DEEP,
    "lists in lists": b"\x80\x02" + b"]" * DEEP + b"a" * (DEEP - 1) + b".",
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
        weight_files.read_weights(path)

    assert not Path("sprung").exists()


def test_a_state_dict_comes_out_as_it_went_in(tmp_path):
    shared = torch.rand(4)
    state = OrderedDict(a=torch.rand(2, 3).T, b=shared, c=shared[1:], d=torch.tensor(7), e=torch.rand(2).half())
    (tmp_path / "good.pth").write_bytes(saved({"state_dict": state}))

    found = weight_files.read_weights(tmp_path / "good.pth")["state_dict"]

    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) and found[name].dtype == state[name].dtype for name in state)


def test_a_refused_file_is_named_as_it_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(torch.nn.Linear(2, 2), "whole.pt")

    with pytest.raises(ValueError, match=r"^whole\.pt contains code \(torch\.nn\S+Linear\), not only .*--architecture"):
        weight_files.read_weights(Path("whole.pt"))


@pytest.mark.parametrize(
    ("name", "case", "words"),
    [
        ("w.pt", "a pickle of code", "contains code, not only weights; it was not run. "),
        ("w.pt", "code that torch saved", "contains code (getattr), not only weights; it was not run. "),
        ("w.pt", "a cut file", "is a damaged file of torch.save; copy it again. "),
        ("w.pt", "a cut file in the old format", "is a damaged file of torch.save; copy it again. "),
        ("w.pt", "a tar archive", "is no file of torch.save. "),
        ("w.safetensors", "a pickle of code", "is no safetensors file, although its name says so. "),
    ],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_each_cause_of_a_refusal_has_its_own_words_and_no_warning(tmp_path, name, case, words, is_named):
    path = tmp_path / name
    path.write_bytes(WEIGHTS[case])

    with warnings.catch_warnings(action="error"), pytest.raises(DamagedFile) as refusal:
        weight_files.read_weights(path, is_named)

    advice = weight_files.SAVE + weight_files.NAME * (not is_named)  # who has named the network is not told to do so
    assert str(refusal.value) == f"{path} {words}{advice}"


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


@pytest.mark.parametrize("last", [torch.zeros(()), torch.zeros(10**6, 0), torch.zeros(1), torch.zeros(200_000)])
def test_a_named_network_is_not_built_for_any_number_of_classes(tmp_path, last):
    save_file({"fc.weight": torch.zeros(1), "fc.bias": last}, tmp_path / "trap.safetensors")

    with pytest.raises(ValueError, match=r"there are no weights fc\.bias of a layer that makes the logits"):
        user_models.open_model("resnet18", weights=str(tmp_path / "trap.safetensors"))
