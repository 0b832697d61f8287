"""Opens a model file of ours with `safetensors`, loads it with strict=True into the equal nn.Sequential, and compares the
probabilities it gives for a table with those `backprop predict` wrote. Usage: load_model.py MODEL TABLE.csv PREDICTIONS.csv"""
import csv, json, sys
import torch
from safetensors import safe_open
from safetensors.torch import load_file

model, data, predictions = sys.argv[1:]
with safe_open(model, framework="pt") as f:
    meta = f.metadata()
assert meta["format"] == "pt" and meta["backprop_format"] == "1"
json.loads(meta["backprop"])
tensors = load_file(model)
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
net.load_state_dict(tensors, strict=True)
rows = list(csv.DictReader(open(data)))
x = torch.tensor([[float(v) for k, v in r.items() if k != "species"] for r in rows])
p = torch.softmax(net(x), dim=1)
ours = torch.tensor([[float(v) for k, v in r.items() if k.startswith("p_")] for r in csv.DictReader(open(predictions))])
worst = (p - ours).abs().max().item()
print(f"largest difference of a probability: {worst:.2e}")
assert worst < 1e-6
