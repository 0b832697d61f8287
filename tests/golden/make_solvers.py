"""tests/golden/solvers.safetensors and solvers_start.safetensors: full-batch trainings of a small network (3-4-1, tanh, float64) and
fits of a curve, by PyTorch 2.13 and SciPy.

The network: 12 rows `data` [12, 4] (the last column is the target), the weights that it starts from (solvers_start), loss mean
squared error plus 0.01 times the sum of the squared weights. path/NAME [6, 21]: all numbers after each step, by
torch.optim.LBFGS; cg is Polak-Ribiere's method with PyTorch's line search (torch.optim.lbfgs._strong_wolfe, c2 0.4). minimum/cg: the
lowest loss, by scipy.optimize.minimize(method="CG") from the same start; solvers_near are numbers around that minimum (the network has several).

The curve: y = a·exp(-b·x) + c through 10 points `curve` [10, 2] from (1, 1, 0); `curve_fit`: what
scipy.optimize.least_squares(method="lm") finds."""
import os
import numpy as np
import scipy.optimize
import torch
from safetensors.torch import save_file
from torch.optim.lbfgs import _strong_wolfe

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
here = os.path.dirname(os.path.abspath(__file__))
x = torch.randn(12, 3)
y = (torch.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:]).round(decimals=6)
x = x.round(decimals=6)
shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (1, 4), "2.bias": (1,)}
start = {k: 0.5 * torch.randn(s) for k, s in shapes.items()}
flat_start = torch.cat([v.flatten() for v in start.values()])


def loss_of(w):
    parts, at = {}, 0
    for k, s in shapes.items():
        n = int(np.prod(s))
        parts[k] = w[at:at + n].reshape(s)
        at += n
    p = torch.tanh(x @ parts["0.weight"].T + parts["0.bias"]) @ parts["2.weight"].T + parts["2.bias"]
    return ((p - y) ** 2).mean() + 0.01 * sum((parts[k] ** 2).sum() for k in ("0.weight", "2.weight"))


def value_and_gradient(w):
    w = w.detach().clone().requires_grad_()
    loss = loss_of(w)
    loss.backward()
    return float(loss.detach()), w.grad


def lbfgs(**options):
    w = flat_start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([w], **options)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(w)
        loss.backward()
        return loss

    path = []
    for _ in range(6):
        optimizer.step(closure)
        path.append(w.detach().clone())
    return torch.stack(path)


def cg(max_iter):
    w, before, path = flat_start.clone(), None, []
    for _ in range(6):
        f, g = value_and_gradient(w)
        for _ in range(max_iter):
            if before is None:
                d, was = -g, f + float(g.norm()) / 2
            else:
                f0, g0, d0 = before
                d, was = -g + max(0.0, float(g @ (g - g0) / (g0 @ g0))) * d0, f0
                if float(d @ g) > -0.01 * float(g @ g):
                    d = -g
            slope = d @ g
            t = min(1.0, 2.02 * (f - was) / float(slope))
            before = (f, g.clone(), d.clone())
            f, g, t, _ = _strong_wolfe(lambda w0, t_, d_: value_and_gradient(w0 + t_ * d_), w, t, d, f, g, slope, c2=0.4, max_ls=50)
            w = w + t * d
        path.append(w.clone())
    return torch.stack(path)


def numpy_loss(w):
    loss, gradient = value_and_gradient(torch.from_numpy(np.asarray(w, dtype=np.float64)))
    return loss, gradient.numpy()


found = scipy.optimize.minimize(numpy_loss, flat_start.numpy(), jac=True, method="CG", options=dict(gtol=1e-10, maxiter=100000))
near, at = {}, 0
for k, v in start.items():
    near[k] = torch.from_numpy(found.x[at:at + v.numel()]).reshape(v.shape) + 0.1 * torch.randn(v.shape)
    at += v.numel()
points = torch.linspace(0, 4, 10)
curve = torch.stack([points, 2.5 * torch.exp(-1.3 * points) + 0.5 + 0.05 * torch.randn(10)], 1)
t, v = curve.numpy().T
fit = scipy.optimize.least_squares(lambda q: q[0] * np.exp(-q[1] * t) + q[2] - v, [1, 1, 0], method="lm", ftol=1e-15, xtol=1e-15,
                                   gtol=1e-15)
save_file({k: v.contiguous() for k, v in start.items()}, os.path.join(here, "solvers_start.safetensors"))
save_file({k: v.contiguous() for k, v in near.items()}, os.path.join(here, "solvers_near.safetensors"))
save_file({
    "data": torch.cat([x, y], 1).contiguous(),
    "path/lbfgs": lbfgs(lr=0.1, max_iter=3, history_size=4),
    "path/lbfgs_wolfe": lbfgs(max_iter=4, history_size=5, line_search_fn="strong_wolfe"),
    "path/cg": cg(3),
    "minimum/cg": torch.tensor([found.fun]),
    "curve": curve.contiguous(),
    "curve_fit": torch.from_numpy(fit.x),
}, os.path.join(here, "solvers.safetensors"))
print(found.fun, found.message, fit.x, fit.cost)
