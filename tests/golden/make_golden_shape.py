#!/usr/bin/env python3
"""Writes shape.safetensors: outputs and gradients of PyTorch (made with 2.13.0, CPU, float64) for operations that move, reduce, sort
and index, as golden_shape.h compares them. Numbers in the name of a case are the attributes. Tensor names: see make_golden.py.
sparsemax and entmax15 are not in PyTorch: here tau is found by bisection and the gradient is the papers' closed form.

    python3 make_golden_shape.py shape.safetensors
"""
import sys

import torch
import torch.nn.functional as F

from golden import D, case, randn, write

x = randn(2, 3, 4)
NAN, INF = float("nan"), float("inf")

# ---- Moving ----
case("transpose_0_-1", lambda x: x.transpose(0, -1), x=x)
case("squeeze_all", lambda x: x.squeeze(), x=randn(1, 3, 1, 2))
case("squeeze_0_1", lambda x: x.squeeze((0, 1)), x=randn(1, 3, 1, 2))
case("unsqueeze_-2", lambda x: x.unsqueeze(-2), x=x)
case("flatten_1_2", lambda x: x.flatten(1, 2), x=randn(2, 3, 2, 2))
case("flatten_0_-1", lambda x: x.flatten(), x=x)
case("stack_1", lambda a, b: torch.stack((a, b), 1), a=x, b=randn(2, 3, 4))
case("chunk_3_1", lambda x: torch.chunk(x, 3, 1), x=randn(2, 7))
case("split_1_4_2", lambda x: torch.split(x, (1, 4, 2), 0), x=randn(7, 2))
image = randn(2, 2, 3, 4)
case("pad_constant_1.5", lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), x=image)
case("pad_constant_0", lambda x: F.pad(x, (1, 2, 3, 0, 2, 1)), x=image)
case("pad_reflect", lambda x: F.pad(x, (3, 2, 1, 0), mode="reflect"), x=image)
case("pad_replicate", lambda x: F.pad(x, (3, 0, 1, 5), mode="replicate"), x=image)
case("pad_circular", lambda x: F.pad(x, (4, 2, 0, 3), mode="circular"), x=image)
case("flip_0_2", lambda x: x.flip((0, 2)), x=x)
case("flip_1", lambda x: x.flip((1,)), x=x)
case("roll_5_1", lambda x: x.roll(5, 1), x=x)
case("roll_-3_-1", lambda x: x.roll(-3, -1), x=x)
case("rolls_1_-2_5_2_0_1", lambda x: x.roll((1, -2, 5), (2, 0, 1)), x=x)
case("repeat_2_1_3", lambda x: x.repeat(2, 1, 3), x=randn(3, 2))
case("tile_3", lambda x: x.tile((3,)), x=randn(3, 2))
for k in (0, 2, -1):
    case(f"tril_{k}", lambda x, k=k: x.tril(k), x=randn(2, 4, 3))
    case(f"triu_{k}", lambda x, k=k: x.triu(k), x=randn(2, 3, 5))
    case(f"diag_{k}_vector", lambda x, k=k: x.diag(k), x=randn(3))
    case(f"diag_{k}_matrix", lambda x, k=k: x.diag(k), x=randn(4, 5))
case("arange_6", lambda a, s: torch.arange(a.item(), a.item() + 5.5 * s.item(), s.item(), dtype=D), t_start=torch.tensor(0.3, dtype=D), t_step=torch.tensor(-0.7, dtype=D))
for n in (1, 2, 7, 8):
    case(f"linspace_{n}", lambda a, b, n=n: torch.linspace(a.item(), b.item(), n, dtype=D), t_start=torch.tensor(-0.3, dtype=D), t_end=torch.tensor(2.1, dtype=D))
case("unfold_plain", lambda x: F.unfold(x, 2), x=image)
case("unfold_uneven", lambda x: F.unfold(x, (3, 2), dilation=(1, 2), padding=(2, 1), stride=(2, 3)), x=randn(2, 2, 4, 5))
case("fold_uneven", lambda x: F.fold(x, (4, 5), (3, 2), dilation=(1, 2), padding=(2, 1), stride=(2, 3)), x=randn(2, 12, 6))

# ---- Indexing ----
case("take_along_1", lambda x, i: torch.take_along_dim(x, i, 1), x=x, t_index=torch.tensor([[[2], [0], [2], [1], [1]]]))
case("index_select_1", lambda x, i: x.index_select(1, i), x=x, t_index=torch.tensor([2, 2, 0, 1, 2]))
case("index_add_1_-0.5", lambda x, i, s: x.index_add(1, i, s, alpha=-0.5), x=x, t_index=torch.tensor([2, 2, 0, 1]), source=randn(2, 4, 4))
case("scatter_add_0", lambda x, i: torch.zeros(5, 3, dtype=D).scatter_add(0, i, x), x=randn(4, 3), t_index=torch.tensor([[0, 4, 1], [0, 4, 1], [3, 4, 2], [0, 0, 2]]))
for p in (2, -1):
    case(f"embedding_padding_{p}", lambda w, i, p=p: F.embedding(i, w, padding_idx=p), weight=randn(6, 2), t_index=torch.tensor([[0, 5, 2], [2, 0, 5]]))

# ---- Reductions ----
ties = torch.tensor([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 1.0], [0.0, -1.0, -2.0, -2.0]], dtype=D)
holes = torch.tensor([[1.0, NAN, 3.0, 2.0], [5.0, 0.5, NAN, NAN], [0.0, -1.0, -2.0, 7.0]], dtype=D)
for name, ours in (("max", torch.max), ("min", torch.min)):
    case(f"{name}_1", lambda x, f=ours: f(x, 1).values, x=ties)
    case(f"{name}_all", lambda x, f=ours: f(x), x=ties)
    case(f"{name}_1_nan", lambda x, f=ours: f(x, 1).values, t_x=holes)
case("amax_1_shared", lambda x: x.amax(1), x=ties)
case("amin_1", lambda x: x.amin(1), x=ties)
case("amin_0_1_keep", lambda x: x.amin((0, 1), keepdim=True), x=torch.stack((ties, ties - 1)))
case("argmax_1", lambda x: x.argmax(1), t_x=ties)
case("argmin_1", lambda x: x.argmin(1), t_x=ties)
case("argmin_0_keep", lambda x: x.argmin(0, keepdim=True), t_x=holes)
zeros = torch.tensor([[1.5, 2.0, -0.5, 3.0], [0.0, 2.0, 1.5, -1.0], [0.0, 2.0, 0.0, -1.0]], dtype=D)
case("prod_1", lambda x: x.prod(1), x=zeros)
case("prod_1_keep", lambda x: x.prod(1, keepdim=True), x=zeros)
case("prod_all", lambda x: x.prod(), x=zeros[:2])
flat = torch.cat((randn(3, 4), torch.full((1, 4), 2.0, dtype=D)))
for c in (0, 1, 2.5):
    case(f"var_1_{c}", lambda x, c=c: x.var(1, correction=c), x=flat)
    case(f"std_1_{c}", lambda x, c=c: x.std(1, correction=c), x=flat)
case("var_0_2_keep", lambda x: x.var((0, 2), keepdim=True), x=x)
case("std_all", lambda x: x.std(), x=x)
sparse = torch.tensor([[0.0, 1.0, -2.0, 0.5], [0.0, 0.0, 0.0, 0.0], [3.0, -3.0, 0.25, 3.0]], dtype=D)
for p in (2, 1, 3, 1.5, 0.5, 0, INF, -INF):
    case(f"norm_{p}", lambda x, p=p: torch.linalg.vector_norm(x, p, dim=1), x=sparse)
case("norm_-1.5", lambda x, p=p: torch.linalg.vector_norm(x, -1.5, dim=1), x=sparse[2:])
case("norm_2_all", lambda x: torch.linalg.vector_norm(x), x=x)
case("all_1", lambda x: x.all(1), t_x=torch.cat((sparse, holes)))
case("any_1", lambda x: x.any(1), t_x=torch.cat((sparse, holes)))
case("median_1", lambda x: x.median(1).values, x=randn(3, 7))
case("median_0_keep", lambda x: x.median(0, keepdim=True).values, x=randn(6, 3))
case("median_all", lambda x: x.median(), x=randn(3, 4))
case("median_1_nan", lambda x: x.median(1).values, t_x=holes)
for kind in ("linear", "lower", "higher", "midpoint", "nearest"):
    for q in (0.0, 0.3, 0.75, 1.0):
        case(f"quantile_{q}_{kind}", lambda x, q=q, k=kind: x.quantile(q, 1, interpolation=k), x=randn(2, 5))
case("quantile_0.3_linear_nan", lambda x: x.quantile(0.3, 1), t_x=holes)
case("quantile_0.6_linear_all", lambda x: x.quantile(0.6), x=x)
case("cumsum_1", lambda x: x.cumsum(1), x=x)
case("cumsum_-1", lambda x: x.cumsum(-1), x=x)
case("cumprod_1", lambda x: x.cumprod(1), x=zeros)
case("cumprod_0", lambda x: x.cumprod(0), x=zeros)
for name in ("cummax", "cummin"):
    case(f"{name}_1", lambda x, n=name: getattr(x, n)(1), x=ties)
    case(f"{name}_0", lambda x, n=name: getattr(x, n)(0), x=ties)
    case(f"{name}_1_nan", lambda x, n=name: getattr(x, n)(1), t_x=holes)
for down in (False, True):
    word = "down" if down else "up"
    case(f"sort_1_{word}", lambda x, d=down: x.sort(dim=1, descending=d, stable=True), x=ties)
    case(f"sort_0_{word}", lambda x, d=down: x.sort(dim=0, descending=d, stable=True), x=randn(5, 3))
    case(f"sort_1_{word}_nan", lambda x, d=down: x.sort(dim=1, descending=d, stable=True), t_x=holes)
    case(f"argsort_1_{word}", lambda x, d=down: x.argsort(dim=1, descending=d, stable=True), t_x=ties)
case("topk_axis_2_1", lambda x: x.topk(2, 1), x=x)
spread = x * 40
case("logsumexp_over_0_2", lambda x: x.logsumexp((0, 2)), x=spread)
case("logsumexp_over_1_-1_keep", lambda x: x.logsumexp((1, -1), keepdim=True), x=spread)
case("logsumexp_over_all", lambda x: x.logsumexp((0, 1, 2)), x=spread)
edges = torch.tensor([1.5, NAN, INF, -INF, -0.25, NAN], dtype=D)
case("nan_to_num", lambda x: x.nan_to_num(), x=edges)
case("nan_to_num_to_0.5_1000_-7", lambda x: x.nan_to_num(0.5, 1000.0, -7.0), x=edges)
case("softmin_1", lambda x: F.softmin(x, 1), x=x)


class Sparse(torch.autograd.Function):
    """max((alpha - 1) x - tau, 0)^(1 / (alpha - 1)) for alpha 2 and 1.5."""

    @staticmethod
    def forward(ctx, x, alpha):
        z = x * (alpha - 1)
        low, high = z.amax(-1, keepdim=True) - 1, z.amax(-1, keepdim=True)
        for _ in range(200):
            middle = (low + high) / 2
            enough = ((z - middle).clamp(min=0) ** (1 / (alpha - 1))).sum(-1, keepdim=True) >= 1
            low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
        y = (z - low).clamp(min=0) ** (1 / (alpha - 1))
        ctx.save_for_backward((y > 0).to(D) if alpha == 2 else y.sqrt())
        return y

    @staticmethod
    def backward(ctx, d):
        (s,) = ctx.saved_tensors
        return s * (d - (s * d).sum(-1, keepdim=True) / s.sum(-1, keepdim=True)), None


for name, alpha in (("sparsemax", 2.0), ("entmax15", 1.5)):
    case(f"{name}_-1", lambda x, a=alpha: Sparse.apply(x, a), x=randn(6, 9) * torch.tensor([[0.1], [0.5], [1], [2], [5], [30]], dtype=D))
    case(f"{name}_0", lambda x, a=alpha: Sparse.apply(x.mT, a).mT, x=randn(4, 3))
    case(f"{name}_-1_ties", lambda x, a=alpha: Sparse.apply(x, a), x=ties / 4)

# Added last: what is above keeps its random numbers.
for shift in (5, -7):
    case(f"flat_roll_{shift}", lambda x, s=shift: x.roll(s), x=x)
for name in ("argmax", "argmin"):
    case(f"{name}_flat", lambda x, n=name: getattr(x, n)(), t_x=torch.stack((ties - 9, ties)))
    case(f"{name}_flat_keep", lambda x, n=name: getattr(x, n)(keepdim=True), t_x=torch.stack((ties, ties.flip(1))))
    case(f"{name}_flat_nan", lambda x, n=name: getattr(x, n)(), t_x=holes)
    case(f"{name}_flat_scalar", lambda x, n=name: getattr(x, n)(), t_x=torch.tensor(3.0, dtype=D))

# ---- Steps and truth values: whole numbers, halves, +-0, infinities, NaN; equal pairs ----
steps = torch.tensor([0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999999999999994, 1e16, 3.7, -3.2, INF, -INF, NAN], dtype=D)
for name in ("floor", "ceil", "round", "trunc", "isnan", "isfinite"):
    case(f"step_{name}", getattr(torch, name), t_x=steps)
others = steps.roll(3)
others[2:5] = steps[2:5]
for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"):
    case(f"truth_{name}", getattr(torch, name), t_a=steps, t_b=others)
case("step_logical_not", torch.logical_not, t_x=steps)

write(sys.argv[1])
