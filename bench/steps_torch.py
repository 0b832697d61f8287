"""The workloads of steps.c in PyTorch. Prints: name, median milliseconds. Threads through OMP_NUM_THREADS.

steps_torch.py plain|tuned|compiled WORKLOAD … — plain: the optimiser as it comes; tuned: fused, gradients set to None; compiled:
tuned, and the network with its loss through torch.compile. steps.sh also tells glibc to keep its memory for all three."""
import os
import sys

import torch

from steps_workloads import median_ms, workload

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(0)
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def run(how, name):
    sizes, batch, optimizer, lr, decay, dropout, clip = workload(name)
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(torch.nn.Linear(sizes[i], sizes[i + 1]))
        if i + 2 < len(sizes):
            layers.append(torch.nn.ReLU())
            if dropout:
                layers.append(torch.nn.Dropout(dropout))
    model = torch.nn.Sequential(*layers)
    options = {} if how == "plain" else {"fused": True}
    if decay:
        options["weight_decay"] = decay
    update = OPTIMIZERS[optimizer](model.parameters(), lr=lr, **options)
    x, y = torch.rand(batch, sizes[0]), torch.arange(batch) % sizes[-1]

    def loss_of(a, b):
        return torch.nn.functional.cross_entropy(model(a), b)

    forward = torch.compile(loss_of) if how == "compiled" else loss_of

    def step(times):
        for _ in range(times):
            update.zero_grad(set_to_none=True)
            forward(x, y).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            update.step()

    step(2)
    print(f"{name} {median_ms(step):.6f}", flush=True)


for w in sys.argv[2:]:
    run(sys.argv[1], w)
