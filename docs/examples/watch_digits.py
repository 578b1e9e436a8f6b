"""Trains an MLP on the digits with PyTorch and leaves a checkpoint every 20 steps for `landscope watch FOLDER`."""
import os, sys, torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits

folder, lr = sys.argv[1], 0.2
os.makedirs(folder, exist_ok=True)
x, y = map(torch.tensor, load_digits(return_X_y=True))
x = (x.float() - 8) / 8
save_file({"x": x[:1437], "y": y[:1437], "x_test": x[1437:], "y_test": y[1437:]}, f"{folder}/data.safetensors")
open(f"{folder}/model.toml", "w").write(f"""
model = {{ kind = "mlp", width = 32, depth = 2, activation = "tanh" }}
input = {{ shape = [64] }}
output = {{ classes = 10 }}
optimizer = {{ kind = "sgd", lr = {lr}, momentum = 0.0 }}  # draws the line 2/lr; leave it out if there is none
""")
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=lr)
for step in range(801):
    if step % 20 == 0:
        tensors = {}
        for name, linear in zip(["layer 1", "layer 2", "output"], net[::2]):
            tensors |= {f"{name}.weight": linear.weight.T.contiguous(), f"{name}.bias": linear.bias}
        save_file(tensors, f"{folder}/partial")
        os.rename(f"{folder}/partial", f"{folder}/step-{step:06}.safetensors")
    loss = torch.nn.functional.cross_entropy(net(x[:1437]), y[:1437])
    optimizer.zero_grad(), loss.backward(), optimizer.step()
open(f"{folder}/finished", "w")
