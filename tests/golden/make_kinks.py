#!/usr/bin/env python3
"""Writes kinks.safetensors: values and gradients of PyTorch (made with 2.13.0, CPU, float64) for element-wise operations at
their kinks (every quarter from -8 to 8), a thousandth beside the whole numbers, and far away. Tensor names: NAME/a, NAME/b,
NAME/c inputs, NAME/y the value, NAME/d_y the cotangent, NAME/d_a … the gradients of sum(y * d_y). NAME is that of the
operation in the library; attributes have their defaults, or are NAME:1/attrs in the order of the table for the case NAME:1.
digamma's derivatives are mpmath's (see polygamma below). Needs torch, and mpmath, which comes with it.

    python3 make_kinks.py kinks.safetensors
"""
import json
import struct
import sys

import mpmath
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
D = torch.float64
tensors = {}
generator = torch.Generator().manual_seed(20240301)

ONE = {name: getattr(torch, name) for name in (
    "neg abs exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan asin acos atan sinh cosh tanh asinh "
    "acosh atanh sigmoid erf erfc lgamma digamma logit sinc").split()}
ONE |= {name: getattr(F, name) for name in (
    "relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign softshrink hardshrink tanhshrink hardtanh "
    "hardswish").split()}
ONE |= {
    "log_sigmoid": F.logsigmoid,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "clamp": lambda x: torch.clamp(x, -1.0, 1.0),
    # PyTorch's own multiplies its gradient by a single-precision 1/6.
    "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
    # What PyTorch has under another name or not at all, by its formula.
    "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
    "elliot": lambda x: x / (2 * (1 + x.abs())) + 0.5,
    "gaussian": lambda x: torch.exp(-x * x),
}
TWO = {name: getattr(torch, name) for name in
       "add sub mul div pow atan2 hypot fmod remainder minimum maximum xlogy copysign logaddexp".split()}
TWO["prelu"] = lambda a, b: F.prelu(a[None], b)[0]
THREE = {
    "fma": lambda a, b, c: a * b + c,
    "lerp": torch.lerp,
    "addcmul": torch.addcmul,
    "addcdiv": torch.addcdiv,
}


def case(name, function, *inputs, attrs=None):
    inputs = [x.clone().requires_grad_() for x in inputs]
    y = function(*inputs)
    d_y = (torch.rand(y.shape, generator=generator, dtype=D) + 0.5) * (1 - 2 * (torch.arange(y.numel()) % 2).to(D))
    grads = torch.autograd.grad((y * d_y).sum(), inputs, allow_unused=True)
    for letter, x, g in zip("abc", inputs, grads):
        tensors[f"{name}/{letter}"] = x.detach()
        tensors[f"{name}/d_{letter}"] = torch.zeros_like(x) if g is None else g
    tensors[f"{name}/y"] = y.detach()
    tensors[f"{name}/d_y"] = d_y
    if attrs:
        tensors[f"{name}/attrs"] = torch.tensor(attrs, dtype=D)


def polygamma(n, x):
    """The n-th derivative of digamma to the last digit: PyTorch's own is off by 1e-10 (n = 1) or NaN below 0 (n > 1)."""
    return torch.tensor([float(mpmath.psi(n, a)) for a in x.tolist()], dtype=D)


def gamma_case(name, n, x, value, attrs=None):
    """Values and gradients by mpmath where PyTorch's are not good to 1e-12."""
    case(name, torch.digamma, x, attrs=attrs)  # the cotangent
    tensors[f"{name}/y"] = value
    tensors[f"{name}/d_a"] = tensors[f"{name}/d_y"] * polygamma(n + 1, x)


quarters = torch.arange(-32, 33).to(D) / 4
whole = torch.arange(-8, 9).to(D)
beside = torch.tensor([0.1, -0.1, 0.9, -0.9, 19.75, 20.0, 20.25, -20.0, -20.25], dtype=D)
line = torch.cat([quarters, whole - 1 / 1024, whole + 1 / 1024, beside])
for name, function in ONE.items():
    off_poles = line[(line > 0) | (line != line.round())]  # PyTorch's sin(pi x) is not 0 at the poles
    if name == "digamma":
        gamma_case(name, 0, off_poles, torch.digamma(off_poles))
    else:
        case(name, function, off_poles if name == "lgamma" else line)
gamma_case("polygamma", 1, off_poles, polygamma(1, off_poles))
gamma_case("polygamma:1", 3, off_poles, polygamma(3, off_poles), attrs=(3.0,))
for name, attrs, function in (
    ("leaky_relu", (0.3,), lambda x: F.leaky_relu(x, 0.3)),
    ("elu", (0.7,), lambda x: F.elu(x, 0.7)),
    ("celu", (1.5,), lambda x: F.celu(x, 1.5)),
    ("softplus", (2.0, 1.5), lambda x: F.softplus(x, 2.0, 1.5)),
    ("softshrink", (0.25,), lambda x: F.softshrink(x, 0.25)),
    ("hardshrink", (1.0,), lambda x: F.hardshrink(x, 1.0)),
    ("hardtanh", (-0.5, 2.0), lambda x: F.hardtanh(x, -0.5, 2.0)),
    ("threshold", (0.5, -2.0), lambda x: F.threshold(x, 0.5, -2.0)),
    ("clamp", (-0.5, 2.0), lambda x: torch.clamp(x, -0.5, 2.0)),
):
    case(name + ":1", function, line, attrs=attrs)
few = torch.tensor([-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0], dtype=D)
for name, function in TWO.items():
    case(name, function, few.repeat(9), few.repeat_interleave(9))
some = torch.tensor([-2.0, -0.5, 0.0, 0.25, 0.5, 1.0], dtype=D)
for name, function in THREE.items():
    case(name, function, some.repeat(36), some.repeat_interleave(6).repeat(6), some.repeat_interleave(36))

header, blobs, offset = {"__metadata__": {"torch": torch.__version__.split("+")[0]}}, [], 0
for name, t in sorted(tensors.items()):
    blob = t.contiguous().numpy().tobytes()
    header[name] = {"dtype": "F64", "shape": list(t.shape), "data_offsets": [offset, offset + len(blob)]}
    blobs.append(blob)
    offset += len(blob)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
