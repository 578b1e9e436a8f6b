"""Compares a recording of `landscope watch` with PyTorch in double precision: loss, gradient norm and sharpness, on all training
examples. Usage: python watch_check.py FOLDER RECORDING, of watch_digits.py, recorded with --sharpness-examples 1437."""
import json, sqlite3, sys

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.sparse.linalg import LinearOperator, eigsh

folder, recording = sys.argv[1:3]
data = load_file(f"{folder}/data.safetensors")
x, y = data["x"].double(), data["y"]
database = sqlite3.connect(recording)
scalars = "SELECT step, value FROM scalars WHERE name = ? ORDER BY step"
loss_of = dict(database.execute(scalars, ["train_loss"]))
sharpness_of = dict(database.execute("SELECT step, value FROM estimates WHERE name = 'sharpness'"))
norms_of = dict(database.execute("SELECT step, data FROM vector JOIN series ON id = series WHERE name = 'gradient_norm'"))

worst = {"loss": 0.0, "gradient": 0.0, "sharpness": 0.0}
for step in sorted(loss_of):
    tensors = load_file(f"{folder}/step-{step:06}.safetensors")
    w = {name: tensor.double().requires_grad_() for name, tensor in tensors.items()}
    h = x
    for layer in ["layer 1", "layer 2"]:
        h = torch.tanh(h @ w[f"{layer}.weight"] + w[f"{layer}.bias"])
    loss = torch.nn.functional.cross_entropy(h @ w["output.weight"] + w["output.bias"], y)
    flat = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(w.values()), create_graph=True)])

    def product(v):
        hv = torch.autograd.grad(flat @ torch.as_tensor(v).flatten(), list(w.values()), retain_graph=True)
        return torch.cat([t.flatten() for t in hv]).numpy()

    hessian = LinearOperator((flat.numel(),) * 2, matvec=product, dtype=np.float64)
    sharpness = eigsh(hessian, k=1, which="LA", tol=1e-10, return_eigenvectors=False)[0]
    gradient = np.sqrt((np.frombuffer(norms_of[step], "<f4").astype(np.float64) ** 2).sum())
    found = {"loss": loss_of[step], "gradient": gradient, "sharpness": sharpness_of[step]}
    known = {"loss": loss.item(), "gradient": flat.norm().item(), "sharpness": sharpness}
    for name in worst:
        worst[name] = max(worst[name], abs(found[name] / known[name] - 1))
    if step % 200 == 0:
        print(step, {name: (round(found[name], 6), round(float(known[name]), 6)) for name in worst})
print(json.dumps({"checkpoints": len(loss_of), "largest relative differences": worst}))
