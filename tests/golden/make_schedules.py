#!/usr/bin/env python3
"""Writes schedules.safetensors: the learning rates (and momenta) of 300 ticks of PyTorch's schedules (made with 2.13.0) and optax's
(0.2.8) in float64, for test_schedules.c. A tensor is named by the configuration that gives it: "{exponential: ...}" for the rate,
the same with " momentum" behind it for the momentum; the base rate is 0.1, the run 300 ticks long. "plateau/metric" is what reduce_on_plateau was told.
What Keras 3 and papers have is written out here by their formulas.

    python3 make_schedules.py schedules.safetensors
"""
import json
import math
import struct
import sys
import warnings

import jax
import numpy as np
import optax
import torch
from torch.optim import lr_scheduler as L

warnings.simplefilter("ignore")
jax.config.update("jax_enable_x64", True)
N, BASE = 300, 0.1
out = {}


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))], lr=BASE, momentum=0.9)


def torch_case(config, make, n=N, momentum=False):
    o = optimizer()
    s = make(o)
    lr, m = [], []
    for t in range(n):
        lr.append(o.param_groups[0]["lr"])
        m.append(o.param_groups[0]["momentum"])
        o.step()
        if t + 1 < n:
            s.step()
    out[config] = np.array(lr)
    if momentum:
        out[config + " momentum"] = np.array(m)


def values(config, f, n=N):
    out[config] = np.array([float(f(t)) for t in range(n)])


def both(config, name, **kw):
    torch_case(config, lambda o: getattr(L, name)(o, **kw))


both("{step: {step_size: 7, per: step}}", "StepLR", step_size=7)
both("{step: {step_size: 30, gamma: 0.77, per: epoch}}", "StepLR", step_size=30, gamma=0.77)
both("{multi_step: {milestones: [5, 12, 30, 200], gamma: 0.3, per: step}}", "MultiStepLR", milestones=[5, 12, 30, 200], gamma=0.3)
both("{multi_step: {milestones: [4, 4, 9], per: step}}", "MultiStepLR", milestones=[4, 4, 9])
both("{exponential: {gamma: 0.97, per: step}}", "ExponentialLR", gamma=0.97)
both("{exponential: {gamma: 1.01, per: step}}", "ExponentialLR", gamma=1.01)
both("{constant: {factor: 0.3, total_iters: 60, per: step}}", "ConstantLR", factor=0.3, total_iters=60)
both("{constant: {total_iters: 5, per: step}}", "ConstantLR")
both("{linear: {total_iters: 5, per: step}}", "LinearLR")
both("{linear: {start_factor: 0.01, end_factor: 0.9, total_iters: 123, per: step}}", "LinearLR", start_factor=0.01, end_factor=0.9,
     total_iters=123)
both("{linear: {start_factor: 1, end_factor: 0, total_iters: 250, per: step}}", "LinearLR", start_factor=1, end_factor=0, total_iters=250)
both("{polynomial: {total_iters: 5, per: step}}", "PolynomialLR")
both("{polynomial: {total_iters: 201, power: 2, per: step}}", "PolynomialLR", total_iters=201, power=2)
both("{polynomial: {total_iters: 290, power: 0.7, per: step}}", "PolynomialLR", total_iters=290, power=0.7)
both("{cosine_annealing: {t_max: 20, per: step}}", "CosineAnnealingLR", T_max=20)
both("{cosine_annealing: {t_max: 300, eta_min: 0.003, per: step}}", "CosineAnnealingLR", T_max=300, eta_min=0.003)
both("{cosine_annealing: {t_max: 77, eta_min: 0.02, per: step}}", "CosineAnnealingLR", T_max=77, eta_min=0.02)
both("{cosine_annealing_warm_restarts: {t_0: 7, t_mult: 2, eta_min: 0.001, per: step}}", "CosineAnnealingWarmRestarts", T_0=7, T_mult=2,
     eta_min=0.001)
both("{cosine_annealing_warm_restarts: {t_0: 50, per: step}}", "CosineAnnealingWarmRestarts", T_0=50)
both('{lambda: "0.97 ^ epoch"}', "LambdaLR", lr_lambda=lambda t: 0.97 ** t)
both('{lambda: "step < 20 ? (step + 1) / 20 : max(0.1, 1 - (step - 20) / 250)"}', "LambdaLR",
     lr_lambda=lambda t: (t + 1) / 20 if t < 20 else max(0.1, 1 - (t - 20) / 250))
both('{lambda: "min(1, exp(-0.01 * step)) * (2 + cos(step / 7)) / 3"}', "LambdaLR",
     lr_lambda=lambda t: min(1, math.exp(-0.01 * t)) * (2 + math.cos(t / 7)) / 3)
both('{multiplicative: "step % 10 == 0 ? 0.9 : 1.001"}', "MultiplicativeLR", lr_lambda=lambda t: 0.9 if t % 10 == 0 else 1.001)
both('{multiplicative: "1 - 1 / (epoch + 2) ^ 2"}', "MultiplicativeLR", lr_lambda=lambda t: 1 - 1 / (t + 2) ** 2)

for config, kw in [
    ("{cyclic: {base_lr: 0.01, max_lr: 0.5, step_size_up: 23}}", {"base_lr": 0.01, "max_lr": 0.5, "step_size_up": 23}),
    ("{cyclic: {base_lr: 0.01, max_lr: 0.1, step_size_up: 5, step_size_down: 12, mode: triangular2, base_momentum: 0.7, max_momentum: 0.99}}",
     {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5, "step_size_down": 12, "mode": "triangular2", "base_momentum": 0.7,
      "max_momentum": 0.99}),
    ("{cyclic: {base_lr: 0.01, max_lr: 0.1, step_size_up: 20, mode: exp_range, gamma: 0.99}}",
     {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 20, "mode": "exp_range", "gamma": 0.99}),
]:
    torch_case(config, lambda o, kw=kw: L.CyclicLR(o, **kw), momentum=True)
for config, kw in [
    ("{one_cycle: {max_lr: 1, total_steps: 300}}", {"max_lr": 1, "total_steps": 300}),
    ("{one_cycle: {max_lr: 2, total_steps: 300, pct_start: 0.4, three_phase: true, anneal_strategy: linear, div_factor: 10}}",
     {"max_lr": 2, "total_steps": 300, "pct_start": 0.4, "three_phase": True, "anneal_strategy": "linear", "div_factor": 10}),
    ("{one_cycle: {max_lr: 2, total_steps: 300, three_phase: true, base_momentum: 0.5, max_momentum: 0.99, final_div_factor: 100}}",
     {"max_lr": 2, "total_steps": 300, "three_phase": True, "base_momentum": 0.5, "max_momentum": 0.99, "final_div_factor": 100}),
]:
    torch_case(config, lambda o, kw=kw: L.OneCycleLR(o, **kw), momentum=True)

torch_case("{sequential: {schedules: [{linear: {start_factor: 0.1, total_iters: 20}}, {cosine_annealing: {t_max: 100, eta_min: 0.01}}, "
           "{exponential: {gamma: 0.99}}], milestones: [20, 170], per: step}}",
           lambda o: L.SequentialLR(o, [L.LinearLR(o, 0.1, 1, 20), L.CosineAnnealingLR(o, 100, 0.01), L.ExponentialLR(o, 0.99)],
                                    [20, 170]))
torch_case("{sequential: {schedules: [{constant: {factor: 0.1, total_iters: 10}}, {step: {step_size: 30, gamma: 0.5}}, "
           "{polynomial: {total_iters: 100, power: 2}}], milestones: [15, 120], per: step}}",
           lambda o: L.SequentialLR(o, [L.ConstantLR(o, 0.1, 10), L.StepLR(o, 30, 0.5), L.PolynomialLR(o, 100, 2)], [15, 120]))
torch_case("{chained: {schedules: [{constant: {factor: 0.5, total_iters: 40}}, {exponential: {gamma: 0.99}}], per: step}}",
           lambda o: L.ChainedScheduler([L.ConstantLR(o, 0.5, 40), L.ExponentialLR(o, 0.99)]))
torch_case("{chained: {schedules: [{linear: {start_factor: 0.05, total_iters: 30}}, {cosine_annealing: {t_max: 90, eta_min: 0.02}}, "
           "{step: {step_size: 50, gamma: 0.8}}], per: step}}",
           lambda o: L.ChainedScheduler([L.LinearLR(o, 0.05, 1, 30), L.CosineAnnealingLR(o, 90, 0.02), L.StepLR(o, 50, 0.8)]))
torch_case('{chained: {schedules: [{lambda: "0.99 ^ step"}, {multiplicative: "0.999"}, {polynomial: {total_iters: 250}}], per: step}}',
           lambda o: L.ChainedScheduler([L.LambdaLR(o, lambda t: 0.99 ** t), L.MultiplicativeLR(o, lambda t: 0.999),
                                         L.PolynomialLR(o, 250)]))

metric = 1 / (1 + 0.05 * np.arange(N)) + 0.02 * np.sin(np.arange(N) * 1.3) + 0.1
out["plateau/metric"] = metric
for config, kw in [
    ("{reduce_on_plateau: {factor: 0.5, patience: 3, threshold: 0.01}}", {"factor": 0.5, "patience": 3, "threshold": 0.01}),
    ("{reduce_on_plateau: {mode: max, factor: 0.8, patience: 10, cooldown: 5, min_lr: 0.004, threshold: 0.001, threshold_mode: abs}}",
     {"mode": "max", "factor": 0.8, "patience": 10, "cooldown": 5, "min_lr": 0.004, "threshold": 0.001, "threshold_mode": "abs"}),
]:
    o = optimizer()
    s = L.ReduceLROnPlateau(o, **kw)
    lr = []
    for m in metric:
        lr.append(o.param_groups[0]["lr"])
        s.step(float(m))
    out[config] = np.array(lr)

# optax: linear warm-up as ours, that is (t + 1) / n, is its linear schedule one step on.
warm = optax.linear_schedule(0, BASE, 40)
values("{warmup: 40}", lambda t: warm(t + 1))
cosine = optax.cosine_decay_schedule(BASE, 260, 0.05)
values("{cosine_annealing: {t_max: 260, eta_min: 0.005, warmup_steps: 40, per: step}}", lambda t: warm(t + 1) if t < 40 else cosine(t - 40))
scales = {20: 0.5, 100: 0.1, 180: 3.0, 280: 0.2}
text = "boundaries: [20, 100, 180, 280], scales: [0.5, 0.1, 3.0, 0.2]"
values("{piecewise: {%s, per: step}}" % text, optax.piecewise_constant_schedule(BASE, scales))
for kind in ("linear", "cosine"):
    values("{piecewise: {%s, interpolation: %s, per: step}}" % (text, kind), optax.piecewise_interpolate_schedule(kind, BASE, scales))

# Formulas of Keras 3, of papers and of fastai, written out.
values("{inverse_time: {decay_steps: 30, decay_rate: 0.5, per: step}}", lambda t: BASE / (1 + 0.5 * t / 30))
values("{inverse_time: {decay_steps: 30, decay_rate: 0.5, staircase: true, per: step}}", lambda t: BASE / (1 + 0.5 * (t // 30)))
values("{inverse_sqrt: {warmup_steps: 50}}", lambda t: BASE * (t + 1) / 50 if t < 50 else BASE * (50 / t) ** 0.5)
values("{noam: {d_model: 512, warmup_steps: 80}}", lambda t: BASE * 512 ** -0.5 * min((t + 1) ** -0.5, (t + 1) * 80 ** -1.5))
values("{wsd: {warmup_steps: 30, decay_steps: 50, eta_min: 0.01, per: step}}",
       lambda t: BASE * (t + 1) / 30 if t < 30 else 0.01 + (BASE - 0.01) * (1 - min(max((t - 250) / 50, 0), 1)))
values("{wsd: {decay_steps: 50, decay_type: sqrt, per: step}}", lambda t: BASE * (1 - min(max((t - 250) / 50, 0), 1) ** 0.5))
values("{wsd: {decay_type: cosine}}", lambda t: BASE * (1 + math.cos(math.pi * min(max((t - 270) / 30, 0), 1))) / 2)
values("{flat_cos: {pct_start: 0.6}}",
       lambda t: BASE if t <= 180 else BASE / 1e5 + (BASE - BASE / 1e5) * (1 + math.cos(math.pi * (t / 300 - 0.6) / 0.4)) / 2)
values("{coslog4: }", lambda t: BASE * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t / 300))) / 2)

header, blob = {}, b""
for name, a in out.items():
    data = np.ascontiguousarray(a, dtype="<f8").tobytes()
    header[name] = {"dtype": "F64", "shape": list(a.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
    blob += data
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + blob)
print(f"{len(out)} tensors, {len(text) + len(blob) + 8} bytes, torch {torch.__version__}, optax {optax.__version__}")
