#!/usr/bin/env python3
"""Writes ops.safetensors: outputs and gradients of PyTorch (made with 2.13.0, CPU, float64) for operations and settings that
test_golden.c compares and that no other reference set has. Tensor names: CASE/in.NAME inputs, CASE/out.NAME outputs,
CASE/gout.NAME the cotangent of each output, CASE/grad.in.NAME the gradients of sum(out * gout). Needs torch alone.

    python3 make_golden.py ops.safetensors
"""
import sys

import torch
import torch.nn.functional as F

from golden import D, case, generator, randn, write

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

# Gamma functions and others, negative arguments and kinks among them.
gamma_x = torch.cat([torch.tensor([1.0, 2.0, 0.25, 7.5, 8.5, 30.0, -0.5, -2.3, -7.7, 1e-3], dtype=D), torch.rand(20, generator=generator, dtype=D) * 6 + 0.01])
case("lgamma", torch.lgamma, x=gamma_x)
case("digamma", torch.digamma, x=gamma_x)
positive = gamma_x.abs()
for n in (1, 2, 4):
    case(f"polygamma_{n}", lambda x, n=n: torch.polygamma(n, x), x=positive)
unit = torch.cat([torch.tensor([0.5, 0.1, 0.9, 0.0, 1.0], dtype=D), torch.rand(10, generator=generator, dtype=D)])
case("logit_-1", torch.logit, x=unit[5:])
case("logit_0.1", lambda x: torch.logit(x, 0.1), x=unit)
case("prelu", lambda x, w: F.prelu(x, w), x=x, weight=torch.tensor([0.3], dtype=D))
three = {"a": randn(3, 5), "b": randn(5), "c": randn(3, 1).abs() + 0.5}
case("addcmul_-0.7", lambda a, b, c: torch.addcmul(a, b, c, value=-0.7), **three)
case("addcdiv_2.5", lambda a, b, c: torch.addcdiv(a, b, c, value=2.5), **three)
case("glu_1", lambda x: F.glu(x, 1), x=randn(3, 4, 2))
case("swiglu_2", lambda x: F.silu(x[..., :3]) * x[..., 3:], x=randn(2, 2, 6))
case("geglu_0", lambda x: F.gelu(x[:2]) * x[2:], x=randn(4, 3))
case("masked_fill_-1.5", lambda x, m: x.masked_fill(m != 0, -1.5), x=randn(3, 4), t_mask=torch.tensor([1, 0, 0, 1]))

# Losses. What PyTorch lacks is its formula, written out: Keras 3 (log_cosh, mape, msle, hinge, dice), torchvision (focal), papers.
p01 = torch.rand(4, 6, generator=generator, dtype=D) * 0.9 + 0.05
q01 = torch.rand(4, 6, generator=generator, dtype=D) * 0.9 + 0.05
signs = torch.randint(0, 2, (4, 6), generator=generator) * 2 - 1
reduced = {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}
vectors = {"a": randn(5, 3), "b": randn(5, 3)}
side = torch.tensor([1, -1, 1, -1, -1])
several = torch.tensor([[3, 0, -1, 1], [-1, 0, 1, 2], [2, 1, 3, 0], [0, -1, -1, -1]])
cw = torch.tensor([0.5, 1.5, 2.0, 0.7], dtype=D)
ranks = torch.tensor([0, 2, 4, 1, 3])


def corn(x, t, r):
    terms = torch.where(t[:, None] > torch.arange(4), -F.logsigmoid(x), x - F.logsigmoid(x)) * (t[:, None] >= torch.arange(4))
    return {"mean": terms.sum() / (t[:, None] >= torch.arange(4)).sum(), "sum": terms.sum(), "none": terms.sum(1)}[r]


def nt_xent(a, b, tau, r):
    z = F.normalize(torch.cat([a, b]), dim=1)
    s = (z @ z.T / tau).masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(s, (torch.arange(len(z)) + len(a)) % len(z), reduction=r)


def focal_of_labels(x, t, alpha, gamma):
    log_p = F.log_softmax(x, 1).gather(1, t[:, None])[:, 0]
    return -alpha * (1 - log_p.exp()) ** gamma * log_p


def focal_of_targets(x, t, alpha, gamma):
    p = torch.sigmoid(x)
    p_t = p * t + (1 - p) * (1 - t)
    return (alpha * t + (1 - alpha) * (1 - t)) * (1 - p_t) ** gamma * F.binary_cross_entropy_with_logits(x, t, reduction="none")


def tversky(p, t, alpha, beta, eps):
    s = (p * t).sum(1)
    return 1 - s / (s + alpha * (p * (1 - t)).sum(1) + beta * ((1 - p) * t).sum(1) + eps)


for r, f in reduced.items():
    for beta in (0.0, 0.4):
        case(f"smooth_l1_{r}_{beta}", lambda x, t: F.smooth_l1_loss(x, t, reduction=r, beta=beta), x=a, target=b)
    case(f"log_cosh_{r}", lambda x, t: f(torch.log(torch.cosh(x - t))), x=a, target=b)
    case(f"pinball_{r}_0.9", lambda x, t: f(torch.maximum(0.9 * (t - x), -0.1 * (t - x))), x=a, target=b)
    case(f"expectile_{r}_0.8", lambda x, t: f((0.8 - (t < x).to(D)).abs() * (t - x) ** 2), x=a, target=b)
    case(f"mape_{r}_0.4", lambda x, t: f(100 * ((t - x) / t.abs().clamp_min(0.4)).abs()), x=a, target=b)
    case(f"msle_{r}_0.3", lambda x, t: f((x.clamp_min(0.3).log1p() - t.clamp_min(0.3).log1p()) ** 2), x=a, target=b)
    case(f"poisson_nll_{r}_1_0_1e-8", lambda x, t: F.poisson_nll_loss(x, t, reduction=r), x=a, target=p01 * 5)
    case(f"poisson_nll_{r}_1_1_1e-8", lambda x, t: F.poisson_nll_loss(x, t, full=True, reduction=r), x=a, t_target=p01 * 5)
    case(f"poisson_nll_{r}_0_0_0.2", lambda x, t: F.poisson_nll_loss(x, t, log_input=False, eps=0.2, reduction=r), x=p01, target=q01)
    case(f"gaussian_nll_{r}_0_0.3", lambda x, t, v: F.gaussian_nll_loss(x, t, v, eps=0.3, reduction=r), x=a, target=b, var=p01)
    case(f"gaussian_nll_{r}_1_1e-6", lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, reduction=r), x=a, target=b, var=p01[:, :1].clone())
    for ignore in (-100, 2):
        case(f"nll_{r}_{ignore}", lambda x, t, w: F.nll_loss(x, t, w, ignore_index=ignore, reduction=r), x=torch.log_softmax(logits, 1), t_label=labels, t_weight=weight)
    case(f"bce_{r}", lambda x, t, w: F.binary_cross_entropy(x, t, w, reduction=r), x=p01, target=q01, t_weight=torch.rand(6, generator=generator, dtype=D))
    case(f"kl_div_{r}_0", lambda x, t: F.kl_div(x, t, reduction=r), x=p01.log(), target=q01)
    case(f"kl_div_{r}_1", lambda x, t: F.kl_div(x, t, reduction=r, log_target=True), x=p01.log(), target=q01.log())
    case(f"focal_{r}_0.3_1.5", lambda x, t: f(focal_of_targets(x, t, 0.3, 1.5)), x=a, target=q01)
    case(f"focal_labels_{r}_0.6_3", lambda x, t: f(focal_of_labels(x, t, 0.6, 3)), x=logits, t_target=labels)
    case(f"dice_{r}_0.2", lambda x, t: f(1 - 2 * (x * t).sum(1) / (x.sum(1) + t.sum(1) + 0.2)), x=p01, target=q01)
    case(f"tversky_{r}_0.3_0.6_0.2", lambda x, t: f(tversky(x, t, 0.3, 0.6, 0.2)), x=p01, target=q01)
    case(f"corn_{r}", lambda x, t: corn(x, t, r), x=randn(5, 4) * 2, t_target=ranks)
    case(f"hinge_{r}", lambda x, t: f((1 - t * x).clamp_min(0)), x=a, t_target=signs)
    case(f"squared_hinge_{r}", lambda x, t: f((1 - t * x).clamp_min(0) ** 2), x=a, t_target=signs)
    case(f"soft_margin_{r}", lambda x, t: F.soft_margin_loss(x, t, reduction=r), x=a, t_target=signs)
    case(f"hinge_embedding_{r}_0.6", lambda x, t: F.hinge_embedding_loss(x, t, 0.6, reduction=r), x=a, t_target=signs)
    case(f"margin_ranking_{r}_0.3", lambda x, y, t: F.margin_ranking_loss(x, y, t, 0.3, reduction=r), x1=a, x2=b, t_target=signs)
    for p in (1, 2):
        case(f"multi_margin_{r}_{p}_0.6", lambda x, t, w: F.multi_margin_loss(x, t, p, 0.6, w, reduction=r), x=logits, t_target=labels, t_weight=weight)
    case(f"multilabel_margin_{r}", lambda x, t: F.multilabel_margin_loss(x, t, reduction=r), x=randn(4, 4), t_target=several)
    case(f"multilabel_soft_margin_{r}", lambda x, t, w: F.multilabel_soft_margin_loss(x, t, w, reduction=r), x=randn(5, 4) * 3, target=torch.rand(5, 4, generator=generator, dtype=D), t_weight=cw)
    case(f"cosine_embedding_{r}_-0.2", lambda x, y, t: F.cosine_embedding_loss(x, y, t, -0.2, reduction=r), x1=vectors["a"], x2=vectors["b"], t_target=side)
    for p, swap in ((2, 0), (1, 1), (3, 0)):
        case(f"triplet_margin_{r}_1.5_{p}_{swap}", lambda x, y, z: F.triplet_margin_loss(x, y, z, 1.5, p, 1e-3, bool(swap), reduction=r), x1=vectors["a"], x2=vectors["b"], x3=randn(5, 3))
    case(f"nt_xent_{r}_0.3", lambda x, y: nt_xent(x, y, 0.3, r), x1=vectors["a"], x2=vectors["b"])
case("kl_div_batchmean_0", lambda x, t: F.kl_div(x, t, reduction="batchmean"), x=p01.log(), target=q01)


if __name__ == "__main__":
    write(sys.argv[1])
