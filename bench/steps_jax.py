"""The workloads of steps.c in JAX: the whole step is one jit with donated buffers. Prints: name, median milliseconds.
XLA takes its threads from the cores it may run on: steps.sh pins it."""
import sys

import jax
import jax.numpy as jnp
import optax

from steps_workloads import median_ms, workload


def run(name):
    sizes, batch, optimizer, lr, decay, dropout, clip = workload(name)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    params = []
    for i in range(len(sizes) - 1):
        bound = sizes[i] ** -0.5
        params.append((jax.random.uniform(keys[i], (sizes[i], sizes[i + 1]), minval=-bound, maxval=bound), jnp.zeros(sizes[i + 1])))
    tx = {"sgd": optax.sgd(lr), "adam": optax.adam(lr), "adamw": optax.adamw(lr, weight_decay=decay)}[optimizer]
    if clip:
        tx = optax.chain(optax.clip_by_global_norm(clip), tx)
    x, y = jax.random.uniform(keys[-1], (batch, sizes[0])), jnp.arange(batch) % sizes[-1]

    def loss_of(p, a, b, key):
        for i, (w, c) in enumerate(p):
            a = a @ w + c
            if i + 1 < len(p):
                a = jax.nn.relu(a)
                if dropout:
                    key, mine = jax.random.split(key)
                    a = jnp.where(jax.random.bernoulli(mine, 1 - dropout, a.shape), a / (1 - dropout), 0)
        return optax.softmax_cross_entropy_with_integer_labels(a, b).mean()

    def one(p, s, a, b, key):
        key, mine = jax.random.split(key) if dropout else (key, key)
        loss, grads = jax.value_and_grad(loss_of)(p, a, b, mine)
        updates, s = tx.update(grads, s, p)
        return optax.apply_updates(p, updates), s, key, loss

    jitted = jax.jit(one, donate_argnums=(0, 1, 4))
    state = [params, tx.init(params), jax.random.key(1)]

    def step(times):
        for _ in range(times):
            state[0], state[1], state[2], loss = jitted(state[0], state[1], x, y, state[2])
        jax.block_until_ready(state[0])

    step(2)
    print(f"{name} {median_ms(step):.6f}", flush=True)


for w in sys.argv[1:]:
    run(w)
