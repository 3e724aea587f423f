"""The operators that a program in a file may use: an allow-list of torch's aten library, and arithmetic on sizes.

The list covers what torch.export writes for classifiers. It leaves out everything that accesses files, storages or
uninitialised memory. Some operators draw random numbers: a job runs them only if its study says so. Arguments are checked
against the operator's schema before anything runs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch._ops import OpOverload

from touchstone.network_files.shapes import attention, channels, guarded, weight_norm
from touchstone.records.encoding import DamagedFile

Kind = Literal["tensor", "number"]  # of a value in a graph

NAMES = """
abs abs_ acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
adaptive_max_pool2d add add_ addcdiv addcmul addmm addmv affine_grid_generator alias all alpha_dropout amax amin
aminmax any arange argmax argmin as_strided asin asinh atan atan2 atanh avg_pool1d avg_pool2d avg_pool3d baddbmm
batch_norm bitwise_and bitwise_not bitwise_or bitwise_xor bmm broadcast_to bucketize cat ceil ceil_ celu
channel_shuffle chunk clamp clamp_ clamp_max clamp_max_ clamp_min clamp_min_ clip clone col2im concat constant_pad_nd
contiguous conv1d conv2d conv3d conv_transpose1d conv_transpose2d convolution copy copy_ cos cosh cosine_similarity
count_nonzero cross cumprod cumsum detach detach_ diag_embed diagonal diff digamma div div_ divide dot dropout
dropout_ einsum elu elu_ embedding eq erf erfc exp exp2 exp_ expand expand_as expm1 eye feature_alpha_dropout
feature_dropout fill fill_ flatten flip floor floor_ floor_divide fmax fmin fmod frac full full_like gather ge gelu
gelu_ glu greater group_norm gt hardshrink hardsigmoid hardsigmoid_ hardswish hardswish_
hardtanh hardtanh_ im2col index index_fill index_fill_ index_put index_put_ index_select instance_norm isfinite isinf
isnan layer_norm le leaky_relu leaky_relu_ lerp less lift_fresh_copy linalg_vector_norm linear linspace
log log10 log1p log2 log_sigmoid log_softmax logaddexp logical_and logical_not logical_or logical_xor logit logsumexp
lt mT masked_fill masked_fill_ matmul max max_pool1d max_pool2d max_pool2d_with_indices max_pool3d maximum mean
meshgrid min minimum mish mish_ mm movedim moveaxis mul mul_ multiply mv nan_to_num narrow native_group_norm
native_layer_norm ne neg neg_ negative new_full new_ones new_zeros norm not_equal numpy_T one_hot ones ones_like outer
pad pairwise_distance permute pixel_shuffle pixel_unshuffle pow pow_ prelu prod ravel reciprocal reciprocal_
reflection_pad1d reflection_pad2d relu relu6 relu_ remainder repeat repeat_interleave replication_pad1d
replication_pad2d reshape reshape_as rms_norm roll round round_ rsqrt rsqrt_ rsub scalar_tensor
scaled_dot_product_attention scatter scatter_add select select_scatter selu selu_ sigmoid sigmoid_ sign silu silu_ sin
sinh slice slice_scatter softmax softplus softshrink sort special_expit split split_with_sizes sqrt sqrt_ square
squeeze squeeze_ stack std std_mean sub sub_ subtract sum swapaxes sym_numel sym_size t tan tanh tanh_ tensor_split
threshold threshold_ tile to topk transpose transpose_ tril triu true_divide trunc type_as unbind unflatten unfold
unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_ upsample_bicubic2d upsample_bilinear2d
upsample_nearest1d upsample_nearest2d upsample_nearest3d var var_mean vdot view view_as vstack where xlogy zero zero_
zeros zeros_like __and__ __or__ __xor__ _adaptive_avg_pool2d _log_softmax _native_batch_norm_legit
_native_batch_norm_legit_no_training _softmax _to_copy _unsafe_view _upsample_bilinear2d_aa _upsample_nearest_exact2d
_weight_norm
"""
RANDOM = frozenset(["rand", "rand_like", "randint", "randint_like", "randn", "randn_like"])
ALLOWED = frozenset(NAMES.split()) | RANDOM

# Arguments that switch an operator to training, and the value that does not.
EVALUATION: dict[str, dict[str, Any]] = {
    "batch_norm": {"training": False},
    **{name: {"train": False} for name in (
        "dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout",
    )},
    "scaled_dot_product_attention": {"dropout_p": 0},
}  # fmt: skip

# Reinterpreted bytes can be booleans that are neither true nor false; repeats that wrap around write beyond the result.
UNSAFE = frozenset({"view.dtype", "repeat_interleave.Tensor", "repeat_interleave.self_Tensor"})
# The only values allowed. Another rounding of integers can end the process; a classifier does not need the others.
CHOICES: dict[str, tuple[Any, ...]] = {
    "rounding_mode": (None, "floor"), "pin_memory": (None, False), "sparse": (False,), "sparse_grad": (False,),
}  # fmt: skip
# Smallest and largest magnitude. Beyond it, kernels compute 32-bit indices that lie outside a tensor.
WINDOW, SCALE = (0.0, 2.0**14), (1e-3, 1e3)
RANGES = {
    **dict.fromkeys(("kernel_size", "stride", "padding", "dilation", "output_padding"), WINDOW),
    **dict.fromkeys(("scales", "scales_d", "scales_h", "scales_w", "scale_factors"), SCALE),
}

INSTEAD: dict[str, Callable[..., Any]] = {
    # In place, it would detach the weights themselves.
    "aten.detach_.default": torch.ops.aten.detach.default,
    "aten._weight_norm.default": weight_norm,
    **{
        str(overload): guarded(overload, check)
        for overload, check in (
            (torch.ops.aten.scaled_dot_product_attention.default, attention),
            (torch.ops.aten._native_batch_norm_legit_no_training.default, channels),
            (torch.ops.aten._native_batch_norm_legit.no_stats, channels),
        )
    },
}

ARITHMETIC: dict[str, tuple[int, Callable[..., Any]]] = {
    **{
        f"_operator.{name}": (2, getattr(operator, name))
        for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge")
    },
    "_operator.neg": (1, operator.neg),
    "math.ceil": (1, math.ceil),
    "math.floor": (1, math.floor),
    "torch.sym_max": (2, max),
    "torch.sym_min": (2, min),
}
# torch._export.serde.schema.ScalarType, as far as numpy has the type.
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
SIDE = 2**31  # above any size or index
END = 2**63 - 1  # the end of a slice that has none
STEEPEST = 64  # exponent of a power of sizes
LONGEST = 4096  # items of a list argument
WORD = 200  # characters of a text argument
SIZES = ("int",)  # results of the operators that read the sides of a tensor
PLAIN = ("Tensor", "number", "int", "float", "bool", "str", "ScalarType", "Layout", "Device", "MemoryFormat")


@dataclass(frozen=True)
class Call:
    """One step of a program: a function that may be run, and its checked arguments."""

    name: str
    function: Callable[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    out: list[Any]
    bound: dict[str, Any]  # all arguments by their names in the operator's schema; empty for arithmetic


def call(node: Mapping[str, Any], kinds: Mapping[str, Kind]) -> tuple[Call, list[Kind | list[Kind]]]:
    """Return a node as a call, and the kinds of its results.

    Args:
        node: of the graph.
        kinds: of the values that exist before it.

    Raises:
        DamagedFile: If an operator or argument is refused; the message says which.
    """
    name, args, kwargs = node["op"], node["args"], node["kwargs"]
    if name in ARITHMETIC:
        count, function = ARITHMETIC[name]
        if len(args) != count or kwargs or not all(_fits(value, "number", None, kinds) for value in args):
            raise DamagedFile(f"{name} takes {count} number{'s' * (count > 1)} and nothing else")
        return Call(name, partial(_size, function), args, {}, node["out"], {}), ["number"]
    overload = _overload(name)
    bound = _bound(overload, args, kwargs, kinds)
    for argument, value in EVALUATION.get(_packet(name), {}).items():
        if bound.get(argument, value) != value:
            raise DamagedFile(f"{name} runs as in training. Call model.eval() before it is saved or exported")
    returned = [_returned(kind) for kind in _types(overload._schema.returns)]
    return Call(name, INSTEAD.get(str(overload), overload), args, kwargs, node["out"], bound), returned


def _packet(name: str) -> str:
    return name.removeprefix("aten.").partition(".")[0]


def _overload(name: str) -> OpOverload:
    """Return the operator with a name on the list; DamagedFile for any other."""
    library, _, rest = name.partition(".")
    packet, _, variant = rest.partition(".")
    names = "name" in variant  # of dimensions: older versions of torch have such variants
    if library == "aten" and packet in ALLOWED and rest not in UNSAFE and not names:
        operators = getattr(torch.ops.aten, packet)
        if variant in operators.overloads():
            overload = getattr(operators, variant)
            if isinstance(overload, OpOverload) and _harmless(overload):
                return overload
    raise DamagedFile(f"the program uses {name[:100]}, which touchstone does not run")


def _harmless(overload: OpOverload) -> bool:
    """Return whether an operator takes plain arguments, returns tensors, and writes at most to its first argument.

    `relu_` is one that writes. Operators from numbers to numbers belong to TorchScript; some of them end the process
    at a division by 0.
    """
    arguments, returns = _types(overload._schema.arguments), _types(overload._schema.returns)
    written = [place for place, argument in enumerate(overload._schema.arguments)
               if argument.alias_info is not None and argument.alias_info.is_write]  # fmt: skip
    name = overload.overloadpacket.__name__
    in_place = name.endswith("_") and not name.endswith("__")
    makes = SIZES if name.startswith("sym_") else ("Tensor", "List[Tensor]")
    return (
        all(_core(kind) in PLAIN for kind in arguments)
        and all(kind in makes for kind in returns)
        and written == ([0] if in_place else [])
    )


def _types(arguments: Any) -> list[str]:
    return [str(argument.real_type) for argument in arguments]


def _core(kind: str) -> str:
    while kind.startswith(("Optional[", "List[")):
        kind = kind.partition("[")[2].removesuffix("]")
    return kind


def _returned(kind: str) -> Kind | list[Kind]:
    if kind.startswith("List["):
        return ["tensor"]
    return "tensor" if kind == "Tensor" else "number"


def _bound(overload: OpOverload, args: list[Any], kwargs: dict[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Return the arguments by name.

    DamagedFile if they do not fit the operator's schema.
    """
    arguments = {argument.name: argument for argument in overload._schema.arguments}
    places = [argument.name for argument in arguments.values() if not argument.kwarg_only]
    bound = dict(zip(places, args, strict=False)) | kwargs
    if len(args) > len(places) or len(bound) != len(args) + len(kwargs) or not bound.keys() <= arguments.keys():
        raise DamagedFile(f"{overload} takes {', '.join(arguments)}; the program gives it other arguments")
    for name, argument in arguments.items():
        if name not in bound:
            if not argument.has_default_value():
                raise DamagedFile(f"{overload} lacks {name}")
        elif not _accepts(argument, bound[name], kinds):
            raise DamagedFile(f"{overload}: {name} must be {argument.real_type}, got {str(bound[name])[:50]}")
        elif (
            name in RANGES
            and overload is not torch.ops.aten.as_strided.default
            and not _near(bound[name], *RANGES[name])
        ):
            raise DamagedFile(f"{overload}: {name} is out of range, {str(bound[name])[:50]}")
    return bound


def _accepts(argument: Any, value: Any, kinds: Mapping[str, Kind]) -> bool:
    name = argument.name
    if name in CHOICES and value not in CHOICES[name]:
        return False
    return _fits(value, str(argument.real_type), argument.N, kinds)


def _near(value: Any, low: float, high: float) -> bool:
    """Return whether all numbers in an argument are constants with a magnitude from `low` to `high`."""
    if isinstance(value, list):
        return all(_near(item, low, high) for item in value)
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and low <= abs(value) <= high)


def _fits(value: Any, kind: str, size: int | None, kinds: Mapping[str, Kind]) -> bool:
    """Return whether an argument has a schema's type.

    `size`: length of a list that one value may stand for.
    """
    if kind.startswith("Optional["):
        return value is None or _fits(value, kind[9:-1], size, kinds)
    if kind.startswith("List["):
        if isinstance(value, list):
            return len(value) <= LONGEST and all(_fits(item, kind[5:-1], None, kinds) for item in value)
        return size is not None and _fits(value, kind[5:-1], None, kinds)
    match value:
        case {"value": str(name)} if len(value) == 1:
            value_kind = kinds.get(name)
            return kind == "Tensor" if value_kind == "tensor" else value_kind == "number" and kind in PLAIN[:5]
        case {"dtype": str(name)} if len(value) == 1:
            return kind == "ScalarType" and name in DTYPES.values()
        case {"memory_format": str(name)} if len(value) == 1:
            return kind == "MemoryFormat" and name in MEMORY_FORMATS.values()
        case {"device": _} if len(value) == 1:
            return kind == "Device"
        case bool():
            return kind in ("bool", "number", "Tensor")
        case int():
            if kind == "int" and value != END:
                return -SIDE <= value < SIDE
            return kind in ("int", "float", "number", "Tensor") and abs(value) <= END
        case float():
            return kind in ("float", "number", "Tensor")
        case str():
            return kind == "str" and len(value) <= WORD
    return False


def _size(function: Callable[..., Any], *numbers: Any) -> Any:
    """Return the result of arithmetic on sizes; ValueError if it cannot be a size."""
    if function is operator.pow and abs(numbers[1]) > STEEPEST:
        raise ValueError(f"the power {numbers[1]} of a size")
    result = function(*numbers)
    if isinstance(result, complex) or (isinstance(result, int) and not -SIDE <= result < SIDE):
        raise ValueError(f"a size beyond {SIDE:,}")
    return result
