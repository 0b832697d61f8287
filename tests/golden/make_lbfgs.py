"""tests/golden/lbfgs.safetensors: 12 steps of torch.optim.LBFGS (PyTorch 2.13, float64) on the chained Rosenbrock function
of 6 numbers, by setting: [12, 6], the point after each step."""
import os
import torch
from safetensors.torch import save_file

SETTINGS = {
    "wolfe": dict(max_iter=4, history_size=3, line_search_fn="strong_wolfe"),
    "wolfe_few": dict(max_iter=2, max_eval=3, history_size=100, line_search_fn="strong_wolfe"),
    "fixed": dict(lr=0.05, max_iter=3, history_size=5),
}


def rosenbrock(w):
    return (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()


tensors = {}
for name, options in SETTINGS.items():
    w = torch.tensor([-1.2, 1.0, 0.7, -0.4, 0.9, 1.3], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], **options)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(w)
        loss.backward()
        return loss

    path = []
    for _ in range(12):
        optimizer.step(closure)
        path.append(w.detach().clone())
    tensors[name] = torch.stack(path)
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lbfgs.safetensors"))
