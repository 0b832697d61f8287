"""tests/golden/trainings.safetensors: whole small trainings in PyTorch 2.13.0 (float64, one thread), for test_trainings.c.

x [50, 4], label [50]; init.NAME: the first weights of Linear(4, 6) Tanh Linear(6, 3). Rows are taken in their order, 12 a step, the
last step of an epoch has 2; cross entropy, 8 epochs. For each case the configuration's sections are in the metadata, and
CASE/loss [8] is each epoch's mean over its rows, CASE/NAME the weights at the end, or their average where the case keeps one."""
import os

import torch
from safetensors.torch import save_file
from torch.optim import swa_utils
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

ROWS, BATCH, EPOCHS = 50, 12, 8
STEPS = EPOCHS * -(-ROWS // BATCH)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
g = torch.Generator().manual_seed(20240301)
label = torch.arange(ROWS) * 7 % 3
x = torch.randn(ROWS, 4, generator=g) + torch.nn.functional.one_hot(label, 4) * 1.5
init = {"0.weight": torch.randn(6, 4, generator=g) / 2, "0.bias": torch.randn(6, generator=g) / 2,
        "2.weight": torch.randn(3, 6, generator=g) / 2, "2.bias": torch.randn(3, generator=g) / 2}
tensors = {"x": x, "label": label} | {f"init.{k}": v.clone() for k, v in init.items()}
config = {}


def sgd(lr=0.1, **o):
    return lambda p: torch.optim.SGD(p, lr=lr, **o)


def case(name, text, optimizer, schedule=None, clip=None, project=None, average=None, per_epoch=False, accumulate=1, weight=None):
    """clip(parameters) before the update, project(net) after it, then average and schedule a tick."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3))
    net.load_state_dict(init)
    opt = optimizer(net.parameters())
    scheduler = schedule(opt) if schedule else None
    mean = average(net) if average else None
    size = BATCH * accumulate
    losses = []
    for epoch in range(EPOCHS):
        total = 0.0
        for at in range(0, ROWS, size):
            opt.zero_grad()
            rows = min(size, ROWS - at)
            norm = float(weight[label[at:at + rows]].sum()) if weight is not None else rows
            for part in range(at, at + rows, BATCH):
                i = slice(part, min(part + BATCH, at + rows))
                loss = torch.nn.functional.cross_entropy(net(x[i]), label[i], weight=weight, reduction="sum") / norm
                loss.backward()
                total += loss.item() * rows
            if clip:
                clip(net.parameters())
            opt.step()
            if project:
                project(net)
            if mean and not per_epoch:
                mean.update_parameters(net)
            if scheduler:
                scheduler.step()
        if mean and per_epoch and epoch >= EPOCHS // 2:
            mean.update_parameters(net)
        losses.append(total / ROWS)
    tensors[f"{name}/loss"] = torch.tensor(losses)
    kept = mean.module if mean else net
    for k, v in kept.state_dict().items():
        tensors[f"{name}/{k}"] = v.clone()
    config[name] = text


def renorm(net):
    with torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight.copy_(torch.renorm(layer.weight, 2, 0, 0.9))


def one_cycle(**o):
    return lambda opt: OneCycleLR(opt, total_steps=STEPS, **o)


ema = lambda net: swa_utils.AveragedModel(net, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
case("sgd", "optimizer: {sgd: {lr: 0.1, momentum: 0.9}}", sgd(momentum=0.9))
case("one_cycle_sgd", f"optimizer: {{sgd: {{lr: 0.1, momentum: 0.9}}}}, schedule: {{one_cycle: {{max_lr: 0.3}}}}",
     sgd(momentum=0.9), one_cycle(max_lr=0.3))
case("one_cycle_nesterov",
     "optimizer: {sgd: {lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.01}}, schedule: {one_cycle: {max_lr: 0.2, "
     f"per: step, total_steps: {STEPS}, pct_start: 0.4, anneal_strategy: linear, three_phase: true, base_momentum: 0.7}}}}",
     sgd(momentum=0.9, nesterov=True, weight_decay=0.01),
     one_cycle(max_lr=0.2, pct_start=0.4, anneal_strategy="linear", three_phase=True, base_momentum=0.7))
case("one_cycle_adam", f"optimizer: {{adam: {{lr: 0.01}}}}, schedule: {{one_cycle: {{max_lr: 0.05}}}}",
     lambda p: torch.optim.Adam(p, lr=0.01), one_cycle(max_lr=0.05))
cyclic = "{cyclic: {base_lr: 0.02, max_lr: 0.2, step_size_up: 7, step_size_down: 4, mode: %s, gamma: 0.99, per: step}}"
keys = dict(base_lr=0.02, max_lr=0.2, step_size_up=7, step_size_down=4, gamma=0.99)
case("cyclic_sgd", f"optimizer: {{sgd: {{lr: 0.02, momentum: 0.9}}}}, schedule: {cyclic % 'triangular2'}", sgd(0.02, momentum=0.9),
     lambda o: CyclicLR(o, mode="triangular2", **keys))
case("cyclic_adamw", f"optimizer: {{adamw: {{lr: 0.02}}}}, schedule: {cyclic % 'exp_range'}",
     lambda p: torch.optim.AdamW(p, lr=0.02), lambda o: CyclicLR(o, mode="exp_range", **keys))
case("ema", "optimizer: {sgd: {lr: 0.1, momentum: 0.9}}, train: {average: {ema: 0.9}}", sgd(momentum=0.9), average=ema)
case("swa", "optimizer: {sgd: {lr: 0.3}}, train: {average: {swa: 0.5}}", sgd(0.3), average=swa_utils.AveragedModel, per_epoch=True)
case("clip_norm", "optimizer: {adam: {lr: 0.03}}, train: {clip_norm: 0.1}", lambda p: torch.optim.Adam(p, lr=0.03),
     clip=lambda p: torch.nn.utils.clip_grad_norm_(p, 0.1))
case("clip_value", "optimizer: {sgd: {lr: 0.5}}, train: {clip_value: 0.05}", sgd(0.5),
     clip=lambda p: torch.nn.utils.clip_grad_value_(p, 0.05))
case("max_norm", "optimizer: {sgd: {lr: 0.3, momentum: 0.5}}, regularize: [{match: '*.weight', max_norm: 0.9}]",
     sgd(0.3, momentum=0.5), project=renorm)
case("accumulate", "optimizer: {sgd: {lr: 0.3, momentum: 0.9}}, train: {accumulate: 3}", sgd(0.3, momentum=0.9), accumulate=3)
weights = torch.tensor([0.5, 1.0, 2.0])
case("all_at_once",
     f"optimizer: {{adamw: {{lr: 0.02, amsgrad: true}}}}, schedule: {{one_cycle: {{max_lr: 0.05}}}}, "
     "train: {accumulate: 2, clip_norm: 0.2, average: {ema: 0.9}, class_weight: {'0': 0.5, '2': 2}}",
     lambda p: torch.optim.AdamW(p, lr=0.02, amsgrad=True),
     lambda o: OneCycleLR(o, 0.05, total_steps=EPOCHS * 3), clip=lambda p: torch.nn.utils.clip_grad_norm_(p, 0.2),
     average=ema, accumulate=2, weight=weights)
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainings.safetensors"), metadata=config)
print(len(config), "trainings")
