"""The workloads of steps.c in JAX: the whole step is one jit with donated buffers. Prints: name, median milliseconds. steps_jax.py
[WORKLOAD …]. XLA takes its threads from the cores it may run on: bench.py pins it."""
import sys

import jax
import jax.numpy as jnp
import optax

from steps_workloads import RATE, serve, workload


def make(name):
    w = workload(name)
    keys = jax.random.split(jax.random.key(0), len(w.sizes) - 1)
    params = []
    for key, n, m in zip(keys, w.sizes, w.sizes[1:]):
        params.append((jax.random.uniform(key, (n, m), minval=-(n**-0.5), maxval=n**-0.5), jnp.zeros(m)))
    tx = {"sgd": optax.sgd(RATE), "adam": optax.adam(RATE), "adamw": optax.adamw(RATE, weight_decay=w.decay)}[w.optimizer]
    if w.clip:
        tx = optax.chain(optax.clip_by_global_norm(w.clip), tx)
    x = (jnp.arange(w.batch * w.sizes[0]) * 7919 % 1000).astype(jnp.float32).reshape(w.batch, w.sizes[0]) / 1000
    y = jnp.arange(w.batch) % w.sizes[-1]

    def loss_of(p, a, b, key):
        for i, (weight, bias) in enumerate(p):
            a = a @ weight + bias
            if i + 1 < len(p):
                a = jax.nn.relu(a)
                if w.dropout:
                    key, mine = jax.random.split(key)
                    a = jnp.where(jax.random.bernoulli(mine, 1 - w.dropout, a.shape), a / (1 - w.dropout), 0)
        return optax.softmax_cross_entropy_with_integer_labels(a, b).mean()

    def one(p, s, a, b, key):
        key, mine = jax.random.split(key) if w.dropout else (key, key)
        loss, grads = jax.value_and_grad(loss_of)(p, a, b, mine)
        updates, s = tx.update(grads, s, p)
        return optax.apply_updates(p, updates), s, key, loss

    jitted = jax.jit(one, donate_argnums=(0, 1, 4))
    state = [params, tx.init(params), jax.random.key(1)]

    def step(times):
        for _ in range(times):
            state[0], state[1], state[2], loss = jitted(state[0], state[1], x, y, state[2])
        jax.block_until_ready(state[0])

    return step


serve(make, sys.argv[1:])
