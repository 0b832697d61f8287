"""The workloads of steps.c in PyTorch. Prints: name, median milliseconds. Threads through OMP_NUM_THREADS.

steps_torch.py plain|tuned|compiled [WORKLOAD …] — plain: the optimiser as it comes; tuned: fused, gradients set to None; compiled:
tuned, and the network with its loss through torch.compile. bench.py also tells glibc to keep its memory for the last two."""
import os
import sys

import torch

from steps_workloads import RATE, serve, workload

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
torch.manual_seed(0)
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make(name):
    w = workload(name)
    layers = []
    for i in range(len(w.sizes) - 1):
        layers.append(torch.nn.Linear(w.sizes[i], w.sizes[i + 1]))
        if i + 2 < len(w.sizes):
            layers.append(torch.nn.ReLU())
            if w.dropout:
                layers.append(torch.nn.Dropout(w.dropout))
    model = torch.nn.Sequential(*layers)
    options = {} if how == "plain" else {"fused": True}
    if w.decay:
        options["weight_decay"] = w.decay
    update = OPTIMIZERS[w.optimizer](model.parameters(), lr=RATE, **options)
    x = (torch.arange(w.batch * w.sizes[0]) * 7919 % 1000).float().reshape(w.batch, w.sizes[0]) / 1000
    y = torch.arange(w.batch) % w.sizes[-1]

    def loss_of(a, b):
        return torch.nn.functional.cross_entropy(model(a), b)

    forward = torch.compile(loss_of) if how == "compiled" else loss_of

    def step(times):
        for _ in range(times):
            update.zero_grad(set_to_none=True)
            forward(x, y).backward()
            if w.clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), w.clip)
            update.step()

    return step


how = sys.argv[1]
serve(make, sys.argv[2:])
