#!/usr/bin/env python3
"""Writes ops.safetensors: outputs and gradients of PyTorch (made with 2.13.0, CPU, float64) for operations and settings that
test_golden.c compares and that no other reference set has. Tensor names: CASE/in.NAME inputs, CASE/out.NAME outputs,
CASE/gout.NAME the cotangent of each output, CASE/grad.in.NAME the gradients of sum(out * gout). Needs torch alone.

    python3 make_golden.py ops.safetensors
"""
import json
import struct
import sys

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
D = torch.float64
tensors = {}
generator = torch.Generator().manual_seed(20240229)


def randn(*shape):
    return torch.randn(shape, generator=generator, dtype=D)


def case(name, function, **inputs):
    """Inputs whose names begin with t_ are constants: no gradient is written for them."""
    inputs = {k: v.clone().requires_grad_(v.dtype == D and not k.startswith("t_")) for k, v in inputs.items()}
    outputs = function(*inputs.values())
    if torch.is_tensor(outputs):
        outputs = (outputs,)
    total = 0
    for i, y in enumerate(outputs):
        tensors[f"{name}/out.y{i}"] = y.detach()
        if y.dtype == D:
            g = randn(*y.shape)
            tensors[f"{name}/gout.y{i}"] = g
            total = total + (y * g).sum()
    total.backward()
    for k, v in inputs.items():
        tensors[f"{name}/in.{k}"] = v.detach()
        if v.grad is not None:
            tensors[f"{name}/grad.in.{k}"] = v.grad


# Kinks (0, +-1, +-3 ...) are in x on purpose.
x = torch.cat([torch.tensor([0.0, -1.0, 1.0, 3.0, -3.0, 0.5, -0.5, 6.0, 20.0, -40.0], dtype=D), randn(30) * 2])
for s in (0.01, 0.3, -0.2):
    case(f"leaky_relu_{s}", lambda x, s=s: F.leaky_relu(x, s), x=x)
case("elu_0.7", lambda x: F.elu(x, 0.7), x=x)
case("celu_1.5", lambda x: F.celu(x, 1.5), x=x)
case("softplus_2_1.5", lambda x: F.softplus(x, 2, 1.5), x=x)
case("softshrink_0.2", lambda x: F.softshrink(x, 0.2), x=x)
case("hardshrink_1", lambda x: F.hardshrink(x, 1.0), x=x)
case("hardtanh_-0.5_2", lambda x: F.hardtanh(x, -0.5, 2.0), x=x)
case("threshold_0.5_-2", lambda x: F.threshold(x, 0.5, -2.0), x=x)
case("clamp_-1_1", lambda x: torch.clamp(x, -1, 1), x=x)

logits = randn(7, 5) * 3
labels = torch.tensor([0, 4, 2, 2, 1, 3, 2])
weight = torch.tensor([0.5, 1.0, 2.0, 1.5, 0.25], dtype=D)
q = torch.softmax(randn(7, 5), -1)
for reduction in ("mean", "sum", "none"):
    for e in (0.0, 0.2):
        for ignore in (-100, 2):
            def labelled(x, t, w, r=reduction, e=e, i=ignore):
                return F.cross_entropy(x, t, weight=w, reduction=r, label_smoothing=e, ignore_index=i)

            case(f"cross_entropy_{reduction}_{e}_{ignore}", labelled, x=logits, t_label=labels, t_weight=weight)

        def probable(x, t, w, r=reduction, e=e):
            return F.cross_entropy(x, t, weight=w, reduction=r, label_smoothing=e)

        case(f"cross_entropy_q_{reduction}_{e}", probable, x=logits, t_q=q, t_weight=weight)
images = randn(2, 4, 3, 2)
case("cross_entropy_pixels", lambda x, t: F.cross_entropy(x, t, ignore_index=1), x=images, t_label=torch.tensor([[[0, 1], [2, 3], [1, 1]], [[3, 3], [0, 2], [1, 0]]]))

z = randn(4, 6) * 5
t = torch.rand(4, 6, generator=generator, dtype=D)
for reduction in ("mean", "sum", "none"):
    case(f"bce_with_logits_{reduction}", lambda x, t, w, p, r=reduction: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=p, reduction=r),
         x=z, t_target=t, t_weight=torch.rand(4, 1, generator=generator, dtype=D), t_pos=torch.rand(6, generator=generator, dtype=D) * 4)
a, b = randn(4, 6) * 2, randn(4, 6)
for reduction in ("mean", "sum", "none"):
    for delta in (0.3, 2.5):
        case(f"huber_{reduction}_{delta}", lambda x, t, r=reduction, d=delta: F.huber_loss(x, t, reduction=r, delta=d), x=a, target=b)
    case(f"mse_{reduction}", lambda x, t, r=reduction: F.mse_loss(x, t, reduction=r), x=a, target=b)
    case(f"l1_{reduction}", lambda x, t, r=reduction: F.l1_loss(x, t, reduction=r), x=a, target=b)

table = randn(3, 4, 7)
case("topk_3", lambda x: torch.topk(x, 3), x=table)
case("topk_4_smallest", lambda x: torch.topk(x, 4, largest=False), x=table)
case("gather_1", lambda x, i: torch.gather(x, 1, i), x=table, t_index=torch.randint(0, 4, (3, 6, 7), generator=generator))
case("gather_2", lambda x, i: torch.gather(x, 2, i), x=table, t_index=torch.randint(0, 7, (3, 4, 2), generator=generator))
case("logsumexp_1", lambda x: torch.logsumexp(x, 1), x=table * 100)
case("logsumexp_2_keep", lambda x: torch.logsumexp(x, 2, keepdim=True), x=table)
ties = torch.tensor([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 1.0], [0.0, -1.0, -2.0, 0.0]], dtype=D)
case("amax_1_ties", lambda x: torch.amax(x, 1), x=ties)
case("amax_all_ties", lambda x: torch.amax(x), x=ties)
case("mean_0_2", lambda x: x.mean((0, 2)), x=table)
case("sum_1_keep", lambda x: x.sum(1, keepdim=True), x=table)

case("matmul_2d", torch.matmul, a=randn(5, 9), b=randn(9, 4))
case("matmul_batched", torch.matmul, a=randn(3, 5, 9), b=randn(3, 9, 4))
case("matmul_broadcast", torch.matmul, a=randn(2, 1, 5, 9), b=randn(3, 9, 4))
case("matmul_shared_right", torch.matmul, a=randn(3, 5, 9), b=randn(9, 40))
case("linear_wide", F.linear, x=randn(4, 3, 9), weight=randn(70, 9), bias=randn(70))
case("embedding", lambda w, i: F.embedding(i, w), weight=randn(6, 5), t_index=torch.tensor([[0, 5, 5], [2, 0, 5]]))
case("conv2d_groups_uneven", lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
     x=randn(2, 4, 7, 6), weight=randn(6, 2, 3, 2), bias=randn(6))
for name, f in {"pow": torch.pow, "atan2": torch.atan2, "hypot": torch.hypot, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum}.items():
    case(name, f, a=torch.rand(3, 5, generator=generator, dtype=D) + 0.5, b=torch.cat([torch.tensor([1.0], dtype=D), randn(4).abs() + 0.3]))
case("where", lambda a, b, c: torch.where(c > 0, a, b), a=randn(3, 5), b=randn(5), t_c=randn(3, 1))


def write(path):
    names = sorted(tensors, key=lambda k: k.encode())
    header, blobs, at = {}, [], 0
    for k in names:
        array = tensors[k].contiguous().numpy()
        data = array.tobytes()
        header[k] = {"dtype": {"float64": "F64", "int64": "I64"}[str(array.dtype)], "shape": list(array.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(len({k.split("/")[0] for k in names}), "cases,", len(text) + at + 8, "bytes")


if __name__ == "__main__":
    write(sys.argv[1])
