"""What the scripts that make golden values share: cases are collected by case() and written as one safetensors file by write()."""
import json
import struct

import torch

torch.set_num_threads(1)
D = torch.float64
tensors = {}
generator = torch.Generator().manual_seed(20240229)


def randn(*shape):
    return torch.randn(shape, generator=generator, dtype=D)


def case(name, function, **inputs):
    """Inputs whose names begin with t_ are constants: no gradient is written for them."""
    inputs = {k: v.clone().requires_grad_(v.dtype == D and not k.startswith("t_")) for k, v in inputs.items()}
    outputs = function(*inputs.values())
    if torch.is_tensor(outputs):
        outputs = (outputs,)
    total = torch.zeros((), dtype=D)
    for i, y in enumerate(outputs):
        y = y.long() if y.dtype == torch.bool else y
        tensors[f"{name}/out.y{i}"] = y.detach()
        if y.requires_grad:
            g = randn(*y.shape)
            tensors[f"{name}/gout.y{i}"] = g
            total = total + (y * g).sum()
    if total.requires_grad:
        total.backward()
    for k, v in inputs.items():
        tensors[f"{name}/in.{k}"] = v.detach()
        if v.grad is not None:
            tensors[f"{name}/grad.in.{k}"] = v.grad


def write(path):
    names = sorted(tensors, key=lambda k: k.encode())
    header, blobs, at = {}, [], 0
    for k in names:
        array = tensors[k].contiguous().numpy()
        data = array.tobytes()
        header[k] = {"dtype": {"float64": "F64", "int64": "I64"}[str(array.dtype)], "shape": list(array.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(len({k.split("/")[0] for k in names}), "cases,", len(text) + at + 8, "bytes")
