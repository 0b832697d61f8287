"""Trains a small nn.Sequential a little, saves it with safetensors (no metadata), and prints what PyTorch says of a table: loss and
accuracy. Usage: plain_model.py TABLE.csv MODEL.safetensors float32|float64. Made with PyTorch 2.13.0, safetensors 0.8.0."""
import csv, sys
import torch
from safetensors.torch import save_file

table, model, dtype = sys.argv[1:]
torch.manual_seed(0)
torch.set_default_dtype(getattr(torch, dtype))
rows = list(csv.DictReader(open(table)))
x = torch.tensor([[float(v) for k, v in r.items() if k != "species"] for r in rows])
classes = sorted({r["species"] for r in rows})
y = torch.tensor([classes.index(r["species"]) for r in rows])
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Linear(16, 8), torch.nn.PReLU(),
                          torch.nn.LayerNorm(8), torch.nn.GELU(), torch.nn.Linear(8, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(30):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
net.eval()
with torch.no_grad():
    z = net(x)
    print(f"{torch.nn.functional.cross_entropy(z, y).item():.9g} {(z.argmax(1) == y).double().mean().item():.9g}")
save_file(net.state_dict(), model)
