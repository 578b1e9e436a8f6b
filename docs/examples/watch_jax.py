"""Trains an MLP on the digits with JAX and leaves a checkpoint every 20 steps for `landscope watch FOLDER`."""
import os, sys
import jax, jax.numpy as jnp, numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

folder, lr = sys.argv[1], 0.2
os.makedirs(folder, exist_ok=True)
x, y = load_digits(return_X_y=True)
x = ((x - 8) / 8).astype(np.float32)
save_file({"x": x[:1437], "y": y[:1437], "x_test": x[1437:], "y_test": y[1437:]}, f"{folder}/data.safetensors")
open(f"{folder}/model.toml", "w").write(f"""
model = {{ kind = "mlp", width = 32, depth = 2, activation = "tanh" }}
input = {{ shape = [64] }}
output = {{ classes = 10 }}
optimizer = {{ kind = "sgd", lr = {lr}, momentum = 0.0 }}
""")
keys = jax.random.split(jax.random.key(0), 3)
sizes = {"layer 1": (64, 32), "layer 2": (32, 32), "output": (32, 10)}
weights = {}
for key, (name, (fan_in, fan_out)) in zip(keys, sizes.items()):
    weights |= {f"{name}.weight": jax.random.normal(key, (fan_in, fan_out)) / fan_in**0.5, f"{name}.bias": jnp.zeros(fan_out)}


def loss(weights):
    h = x[:1437]
    for name in ["layer 1", "layer 2"]:
        h = jnp.tanh(h @ weights[f"{name}.weight"] + weights[f"{name}.bias"])
    logits = h @ weights["output.weight"] + weights["output.bias"]
    return -jax.nn.log_softmax(logits)[jnp.arange(1437), y[:1437]].mean()


update = jax.jit(lambda weights: jax.tree.map(lambda w, g: w - lr * g, weights, jax.grad(loss)(weights)))
for step in range(801):
    if step % 20 == 0:
        save_file({name: np.asarray(w) for name, w in weights.items()}, f"{folder}/partial")
        os.rename(f"{folder}/partial", f"{folder}/step-{step:06}.safetensors")
    weights = update(weights)
open(f"{folder}/finished", "w")
