"""One update of 16.8 million weights (4096 by 4096, float32) by PyTorch's optimisers (fused, where there is such a path, else foreach)
and by optax' under jit with donated buffers, with the names and the defaults of bench_optimizers. Arguments: torch | optax, then names.
Prints: name, median milliseconds of the processor for an update, and which path it took. One thread."""
import os, statistics, sys, time

SIDE, TURNS = 4096, 5


def report(name, times, path):
    print(f"{name} {statistics.median(times) * 1e3:.3f} {path}", flush=True)


def with_torch(wanted):
    import torch

    torch.set_num_threads(1)
    t = torch.optim
    makers = {
        "sgd": (t.SGD, dict(lr=1e-3)), "adam": (t.Adam, {}), "adamw": (t.AdamW, {}), "rmsprop": (t.RMSprop, {}),
        "adagrad": (t.Adagrad, {}), "adadelta": (t.Adadelta, {}), "adamax": (t.Adamax, {}), "nadam": (t.NAdam, {}),
        "radam": (t.RAdam, {}), "rprop": (t.Rprop, {}), "asgd": (t.ASGD, {}), "adafactor": (t.Adafactor, {}),
    }
    if "muon" in wanted:
        makers["muon"] = (t.Muon, {})
    gradient = (torch.arange(SIDE * SIDE) * 7919 % 1000 + 1).float().reshape(SIDE, SIDE) / 1000 - 0.5
    for name, (make, options) in makers.items():
        if wanted and name not in wanted:
            continue
        weight = torch.full((SIDE, SIDE), 0.5, requires_grad=True)
        weight.grad = gradient
        step = path = None
        for path in ("fused", "foreach", "plain"):
            try:
                step = make([weight], **options, **({} if path == "plain" else {path: True}))
                step.step()
                break
            except (TypeError, RuntimeError, ValueError):
                continue
        times = []
        for _ in range(TURNS):
            start = time.process_time()
            step.step()
            times.append(time.process_time() - start)
        report(name, times, path)
        del step, weight


def with_optax(wanted):
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax, optax
    import jax.numpy as jnp

    c = optax.contrib
    makers = {
        "sgd": lambda: optax.sgd(1e-3), "adam": lambda: optax.adam(1e-3), "adamw": lambda: optax.adamw(1e-3, weight_decay=1e-2),
        "rmsprop": lambda: optax.rmsprop(1e-2, decay=0.99), "adagrad": lambda: optax.adagrad(1e-2),
        "adadelta": lambda: optax.adadelta(1.0), "adamax": lambda: optax.adamax(2e-3), "nadam": lambda: optax.nadam(2e-3),
        "radam": lambda: optax.radam(1e-3), "rprop": lambda: optax.rprop(1e-2), "adafactor": lambda: optax.adafactor(1e-2),
        "lion": lambda: optax.lion(1e-3), "lamb": lambda: optax.lamb(1e-3), "lars": lambda: optax.lars(1.0),
        "adabelief": lambda: optax.adabelief(1e-3), "adan": lambda: optax.adan(1e-3), "yogi": lambda: optax.yogi(1e-2),
        "novograd": lambda: optax.novograd(1e-3), "sm3": lambda: optax.sm3(1e-2), "sign_sgd": lambda: optax.sign_sgd(1e-3),
        "schedule_free_sgd": lambda: c.schedule_free_sgd(1.0), "schedule_free_adamw": lambda: c.schedule_free_adamw(2.5e-3),
        "prodigy": lambda: c.prodigy(1.0), "dog": lambda: c.dog(1.0), "adopt": lambda: c.adopt(1e-3),
        "ademamix": lambda: c.ademamix(1e-3),
    }
    if "muon" in wanted:
        makers["muon"] = lambda: c.muon(1e-3)
    gradient = (jnp.arange(SIDE * SIDE) * 7919 % 1000 + 1).astype(jnp.float32).reshape(SIDE, SIDE) / 1000 - 0.5
    for name, make in makers.items():
        if wanted and name not in wanted:
            continue
        try:
            optimizer = make()
            weight = {"w": jnp.full((SIDE, SIDE), 0.5, jnp.float32)}
            # Donated buffers must not be shared between weights and state: each array of the state gets one of its own.
            state = jax.tree.map(lambda x: jnp.array(x, copy=True), optimizer.init(weight))

            def update(weight, state, gradient):
                change, state = optimizer.update({"w": gradient}, state, weight)
                return optax.apply_updates(weight, change), state

            step = jax.jit(update, donate_argnums=(0, 1))
            times = []
            for r in range(TURNS + 2):
                start = time.process_time()
                weight, state = jax.block_until_ready(step(weight, state, gradient))
                if r > 1:
                    times.append(time.process_time() - start)
            report(name, times, "jit")
        except Exception as problem:  # said, and the others go on
            print(f"optimizers.py: optax {name}: {str(problem).splitlines()[0]}", file=sys.stderr)


if __name__ == "__main__":
    try:
        {"torch": with_torch, "optax": with_optax}[sys.argv[1]](sys.argv[2:])
    except ImportError as missing:
        sys.exit(f"optimizers.py: {missing}")
