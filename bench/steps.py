"""The workloads of steps.c in PyTorch, tuned: fused optimiser, gradients set to None, no-op hooks off, one call a step.
Prints: name, median milliseconds. Threads through OMP_NUM_THREADS."""
import os, statistics, sys, time
import torch

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(0)


def net(sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(torch.nn.Linear(sizes[i], sizes[i + 1]))
        if i + 2 < len(sizes):
            layers.append(torch.nn.ReLU())
    return torch.nn.Sequential(*layers)


def run(name, sizes, batch, optimizer, rounds, inner):
    model = net(sizes)
    step = optimizer(model.parameters())
    x, y = torch.rand(batch, sizes[0]), torch.arange(batch) % sizes[-1]
    times = []
    for r in range(rounds):
        start = time.perf_counter()
        for _ in range(inner):
            step.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            step.step()
        times.append((time.perf_counter() - start) / inner * 1e3)
    print(f"{name} {statistics.median(times):.6f}", flush=True)


wanted = sys.argv[1:] or ["w1", "w2"]
if "w1" in wanted:
    run("w1", [4, 16, 3], 16, lambda p: torch.optim.SGD(p, lr=0.01, fused=True), 50, 100)
if "w2" in wanted:
    run("w2", [784, 512, 256, 10], 128, lambda p: torch.optim.Adam(p, lr=1e-3, fused=True), 60, 1)
