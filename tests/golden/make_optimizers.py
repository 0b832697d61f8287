#!/usr/bin/env python3
"""Writes optimizers.safetensors: 20 updates of every optimiser, in double precision, for test_optimizers.c.

Made with PyTorch 2.13.0, optax 0.2.8 under jax with x64, and the papers' formulas in numpy for what neither has.

    python3 make_optimizers.py optimizers.safetensors

Parameters w [4, 3], v [2, 5], b [5], k [2, 2, 2]. The gradient of parameter p in step t is (c * (p - a) + e[t]) * mask, mask being
1 but for sparse optimisers. Tensors: p, a, c [35] and e, mask [20, 35], all parameters one after the other; and for each case
[20, 35], the parameters after each step, under the name "SOURCE|CHOICE" with the choice as in a configuration. Where SOURCE ends
in RISING, the rate of step t = 0, 1, … is lr * (t + 1) / 20.
"""
import json
import struct
import sys

import jax
import numpy as np
import torch

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
import optax.contrib  # noqa: E402

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # else nadam and asgd keep scalars in single precision
SHAPES = {"w": (4, 3), "v": (2, 5), "b": (5,), "k": (2, 2, 2)}
STEPS = 20
rng = np.random.default_rng(20240229)


def draw(scale):
    return {n: rng.standard_normal(s) * scale for n, s in SHAPES.items()}


P = draw(0.5)
A = draw(0.7)
C = {n: rng.uniform(0.2, 2.0, s) for n, s in SHAPES.items()}
E = [draw(0.6) for _ in range(STEPS)]
# Rows that a batch does not touch; of a vector every element is a row.
MASK = [{n: np.broadcast_to((rng.random(s[:1] + (1,) * (len(s) - 1)) < 0.6) * 1.0, s) for n, s in SHAPES.items()} for _ in range(STEPS)]
tensors = {}


def flat(d):
    return np.concatenate([np.asarray(d[n], dtype=np.float64).ravel() for n in SHAPES])


def gradients(p, t, sparse=False):
    g = {n: C[n] * (np.asarray(p[n]) - A[n]) + E[t][n] for n in SHAPES}
    return {n: g[n] * MASK[t][n] for n in SHAPES} if sparse else g


def case(source, name, options, run):
    rows = run(options)
    assert len(rows) == STEPS and np.isfinite(rows).all(), name
    tensors[f"{source}|{{{name}: {json.dumps(options)}}}" if options else f"{source}|{name}"] = np.array(rows)


# ---- PyTorch ----------------------------------------------------------------------------------------------------------------

TORCH = f"PyTorch {torch.__version__.split('+')[0]}"


RISING = ", rising rate"


def by_torch(make, sparse=False, rising=False):
    def run(options):
        params = {n: torch.tensor(P[n]).requires_grad_() for n in SHAPES}
        optimizers, rows = make(params, options), []
        for t in range(STEPS):
            g = gradients({n: q.detach().numpy() for n, q in params.items()}, t, sparse)
            for n, q in params.items():
                q.grad = torch.tensor(g[n])
                if sparse:
                    touched = torch.tensor(np.unique(np.nonzero(MASK[t][n])[0]))
                    q.grad = torch.sparse_coo_tensor(touched[None], q.grad[touched], q.shape)
            for o in optimizers:
                if rising:
                    o.param_groups[0]["lr"] = options["lr"] * (t + 1) / STEPS
                o.step()
            rows.append(flat({n: q.detach().numpy() for n, q in params.items()}))
        return rows

    return run


def torch_case(name, cls, options, rising=False):
    def make(params, o):
        o = {k: tuple(v) if isinstance(v, list) else v for k, v in o.items()}
        if name == "adafactor" and "eps" in o and o["eps"][0] == 0:
            o["eps"] = (None, o["eps"][1])
        return [cls(list(params.values()), **o)]

    case(TORCH + RISING * rising, name, options, by_torch(make, name == "sparse_adam", rising))


# The rest of PyTorch's optimisers are compared over 1001 steps elsewhere; one case each keeps them in this table.
O = torch.optim
torch_case("sgd", O.SGD, {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.02, "maximize": True})
torch_case("sgd", O.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True})
torch_case("adam", O.Adam, {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "amsgrad": True, "maximize": True})
torch_case("adamw", O.AdamW, {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.2, "amsgrad": True})
torch_case("rmsprop", O.RMSprop, {"lr": 0.03, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.05, "momentum": 0.5, "centered": True})
torch_case("adagrad", O.Adagrad, {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 1e-3})
torch_case("adadelta", O.Adadelta, {"lr": 0.8, "rho": 0.85, "eps": 1e-4, "weight_decay": 0.05})
torch_case("adamax", O.Adamax, {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05})
torch_case("nadam", O.NAdam, {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "momentum_decay": 0.01, "decoupled_weight_decay": True})
torch_case("radam", O.RAdam, {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.05, "decoupled_weight_decay": True})
torch_case("rprop", O.Rprop, {"lr": 0.03, "etas": [0.4, 1.3], "step_sizes": [1e-4, 0.2]})
torch_case("asgd", O.ASGD, {"lr": 0.1, "lambd": 0.2, "alpha": 0.6, "weight_decay": 0.05})
torch_case("adafactor", O.Adafactor, {})
torch_case("adafactor", O.Adafactor, {"lr": 0.4, "beta2_decay": -0.6, "eps": [0.3, 0.7], "d": 1.05, "weight_decay": 0.1, "maximize": True})
torch_case("adafactor", O.Adafactor, {"lr": 1.0}, rising=True)
torch_case("nadam", O.NAdam, {"lr": 0.1}, rising=True)
torch_case("sparse_adam", O.SparseAdam, {"lr": 0.05, "betas": [0.7, 0.9], "eps": 1e-2})
torch_case("sparse_adam", O.SparseAdam, {"maximize": True})


def muon_case(options):
    """PyTorch's Muon runs its iteration in bfloat16; here it is kept from it, so that the formula can be compared."""

    def make(params, o):
        o = dict(o)
        adam = {k: o.pop(f"adam_{k}") for k in ("betas", "eps", "weight_decay", "lr_ratio", "all") if f"adam_{k}" in o}
        groups = [[q for q in params.values() if (q.ndim == 2 and not adam.get("all")) == m] for m in (True, False)]
        lr = o.get("lr", 1e-3) * adam.pop("lr_ratio", 1)
        adam.pop("all", None)
        if "ns_coefficients" in o:
            o["ns_coefficients"] = tuple(o["ns_coefficients"])
        out = [O.AdamW(groups[1], lr=lr, maximize=o.pop("maximize", False), **{k: tuple(v) if isinstance(v, list) else v for k, v in adam.items()})]
        return out + ([O.Muon(groups[0], **o)] if groups[0] else [])

    kept, torch.Tensor.bfloat16 = torch.Tensor.bfloat16, lambda self: self.clone()
    case(TORCH, "muon", options, by_torch(make))
    torch.Tensor.bfloat16 = kept


muon_case({})
muon_case({"lr": 0.05, "weight_decay": 0.3, "momentum": 0.8, "nesterov": False, "ns_coefficients": [2.0, -1.5, 0.5], "eps": 0.9, "ns_steps": 3,
           "adjust_lr_fn": "match_rms_adamw", "adam_lr_ratio": 0.5, "adam_betas": [0.8, 0.95], "adam_eps": 1e-3, "adam_weight_decay": 0.2})
muon_case({"lr": 0.02, "adam_all": True})

# ---- optax ------------------------------------------------------------------------------------------------------------------

OPTAX = f"optax {optax.__version__}"


def optax_case(name, make, options, source=OPTAX):
    def run(o):
        o = dict(o)
        maximize = o.pop("maximize", False)
        tx = make(o)
        p = {n: jnp.asarray(P[n]) for n in SHAPES}
        s, rows = tx.init(p), []
        for t in range(STEPS):
            g = {n: jnp.asarray(x) * (-1 if maximize else 1) for n, x in gradients(p, t).items()}
            u, s = tx.update(g, s, p)
            p = optax.apply_updates(p, u)
            rows.append(flat(p))
        return rows

    case(source, name, options, run)


def betas(o, *names):
    for n, b in zip(names, o.pop("betas", [])):
        o[n] = b
    return o


def with_lr(f, lr, *names):
    return lambda o: f(o.pop("lr", lr), **betas(o, *names))


def renamed(f, lr, **names):
    return lambda o: f(o.pop("lr", lr), **{names.get(k, k): v for k, v in o.items()})


def yogi(o):
    o = betas(dict(o), "b1", "b2")
    return optax.chain(optax.scale_by_yogi(**{"eps": 1e-3, **{k: v for k, v in o.items() if k != "lr"}}), optax.scale_by_learning_rate(o.get("lr", 1e-2)))


def sm3(o):
    return optax.chain(optax.scale_by_sm3(o.get("momentum", 0.9), o.get("beta2", 1.0), o.get("eps", 1e-8)), optax.scale(-o.get("lr", 1e-2)))


def prodigy(o):
    o = {k: tuple(v) if isinstance(v, list) else v for k, v in o.items()}
    return optax.contrib.prodigy(o.pop("lr", 1.0), **o)


def dog(o):
    o = dict(o)
    init = (o.pop("init_step", "heuristic"), o.pop("init_value", 1e-6))
    return optax.contrib.dog(o.pop("lr", 1.0), init_step=init, **o)


for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "weight_decay": 0.3, "maximize": True}):
    optax_case("lion", with_lr(optax.lion, 1e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "eps_root": 0.02, "weight_decay": 0.3, "maximize": True}):
    optax_case("lamb", with_lr(optax.lamb, 1e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.5, "weight_decay": 0.3, "trust_coefficient": 0.05, "eps": 0.4, "momentum": 0.8, "nesterov": True, "maximize": True}, {"momentum": 0, "lr": 2}):
    optax_case("lars", with_lr(optax.lars, 1.0), options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "eps_root": 0.02, "nesterov": True, "maximize": True}):
    optax_case("adabelief", with_lr(optax.adabelief, 1e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.02, "betas": [0.9, 0.8, 0.7], "eps": 1e-2, "eps_root": 0.02, "weight_decay": 0.3, "maximize": True}):
    optax_case("adan", with_lr(optax.adan, 1e-3, "b1", "b2", "b3"), options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "initial_accumulator_value": 0.3, "maximize": True}):
    optax_case("yogi", yogi, options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.6], "eps": 1e-2, "eps_root": 0.2, "weight_decay": 0.3, "maximize": True}):
    optax_case("novograd", with_lr(optax.novograd, 1e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.05, "momentum": 0.6, "beta2": 0.9, "eps": 0.1, "maximize": True}):
    optax_case("sm3", sm3, options)
for options in ({}, {"lr": 0.02, "maximize": True}):
    optax_case("sign_sgd", with_lr(optax.sign_sgd, 1e-3), options)
for options in ({}, {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.1, "maximize": True}):
    optax_case("schedule_free_sgd", renamed(optax.contrib.schedule_free_sgd, 1.0, momentum="b1"), options)
for options in ({}, {"lr": 0.1, "betas": [0.7, 0.95], "eps": 0.1, "weight_decay": 0.1, "maximize": True}):
    optax_case("schedule_free_adamw", with_lr(optax.contrib.schedule_free_adamw, 2.5e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.7, "betas": [0.8, 0.95], "beta3": 0.9, "eps": 0.1, "estim_lr0": 1e-2, "estim_lr_coef": 2.0, "weight_decay": 0.1, "maximize": True},
                {"estim_lr0": 1e-3, "safeguard_warmup": True}):
    optax_case("prodigy", prodigy, options)
for options in ({}, {"lr": 0.7, "init_step": "distance", "init_value": 0.1, "eps": 0.5, "weight_decay": 0.1, "maximize": True}, {"init_step": "learning_rate", "init_value": 0.05}):
    optax_case("dog", dog, options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 0.6, "nesterov": True, "use_clipping": False, "maximize": True}, {"lr": 0.1, "nesterov": True}):
    optax_case("adopt", with_lr(optax.contrib.adopt, 1e-3, "b1", "b2"), options)
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95, 0.97], "alpha": 2.0, "eps": 1e-2, "eps_root": 0.02, "weight_decay": 0.3, "maximize": True}):
    optax_case("ademamix", with_lr(optax.contrib.ademamix, 1e-3, "b1", "b2", "b3"), options)


def sophia(o):
    """The Hessian of this problem is diagonal, so Hutchinson's estimate, s * (H s) with s = +-1, is c whatever the signs are."""
    o = betas(dict(o), "b1", "b2")
    exact = optax.GradientTransformation(lambda p: optax.EmptyState(), lambda g, s, p=None: ({n: jnp.asarray(C[n]) for n in SHAPES}, s))
    return optax.contrib.sophia(o.pop("lr", 1e-3), hessian_diagonal_fn=exact, **o)


optax_case("sophia", sophia, {})
optax_case("sophia", sophia, {"lr": 0.05, "betas": [0.8, 0.7], "eps": 0.3, "weight_decay": 0.2, "gamma": 0.9, "clip_threshold": 0.7, "update_interval": 3})


def schedule_free(base):
    """optax counts the steps of the inner optimiser from 0 and its own from 1."""

    def make(o):
        def rate(t):
            return o["lr"] * (t + 1) / STEPS

        b1 = o["momentum"] if "momentum" in o else o["betas"][0]
        return optax.contrib.schedule_free(base(rate, o), lambda t: rate(t - 1), b1, o["weight_lr_power"])

    return make


def rms(rate, o):
    return optax.chain(optax.scale_by_rms(o["betas"][1], 1e-8, eps_in_sqrt=False, bias_correction=True), optax.scale_by_learning_rate(rate))


for power in (1, 3):
    optax_case("schedule_free_sgd", schedule_free(lambda rate, o: optax.sgd(rate)), {"lr": 0.1, "momentum": 0.7, "weight_lr_power": power}, OPTAX + RISING)
    optax_case("schedule_free_adamw", schedule_free(rms), {"lr": 0.1, "betas": [0.7, 0.95], "weight_lr_power": power}, OPTAX + RISING)


# Around any optimiser.
def lookahead(o):
    o = dict(o)
    inner, k, alpha = optax.adam(o["lr"]), o["lookahead_k"], o["lookahead_alpha"]
    tx = optax.lookahead(inner, k, alpha)

    def init(p):
        return tx.init(optax.LookaheadParams(p, p)), p

    def update(g, s, p):
        u, state = tx.update(g, s[0], optax.LookaheadParams(p, s[1]))
        return u.fast, (state, optax.apply_updates(s[1], u.slow))

    return optax.GradientTransformation(init, update)


optax_case("adam", lookahead, {"lr": 0.05, "lookahead_k": 3, "lookahead_alpha": 0.6})
optax_case("adam", lambda o: optax.chain(optax.centralize(), optax.adam(o["lr"])), {"lr": 0.05, "centralize": True})

# optax's sam in its opaque mode: the inner step is the whole way to the worst point.
def sam_case(name, make, options):
    def run(o):
        tx = optax.contrib.sam(make(o), optax.chain(optax.contrib.normalize(), optax.sgd(o["sam_rho"])), sync_period=2, opaque_mode=True)
        p = {n: jnp.asarray(P[n]) for n in SHAPES}
        state, rows = tx.init(p), []
        for t in range(STEPS):
            def at(q, _):
                return {n: jnp.asarray(C[n]) * (q[n] - A[n]) + E[t][n] for n in SHAPES}

            updates, state = tx.update(at(p, 0), state, p, grad_fn=at)
            p = optax.apply_updates(p, updates)
            rows.append(flat(p))
        return rows

    case(OPTAX, name, options, run)


sam_case("sgd", lambda o: optax.sgd(o["lr"], o["momentum"]), {"lr": 0.05, "momentum": 0.8, "sam_rho": 0.3})
sam_case("adam", lambda o: optax.adam(o["lr"]), {"lr": 0.05, "sam_rho": 0.1})

# ---- The papers' formulas ---------------------------------------------------------------------------------------------------


def by_hand(source, name, options, defaults, step):
    """step(o, state of one parameter, p, g, t) gives the new p."""

    def run(given):
        o = {**defaults, **given}
        p, state, rows = {n: P[n].copy() for n in SHAPES}, {n: {} for n in SHAPES}, []
        for t in range(1, STEPS + 1):
            g = gradients(p, t - 1)
            p = {n: step(o, state[n], p[n], -g[n] if o.get("maximize") else g[n], t) for n in SHAPES}
            rows.append(flat(p))
        return rows

    case(source, name, options, run)


def mars(o, s, p, g, t):
    if p.ndim != 2 and not o["optimize_1d"]:
        (b1, b2), c, lr, decay, lion = o["betas_1d"], g, o["lr_1d"], o["weight_decay_1d"], False
    else:
        b1, b2 = o["betas"]
        lr, decay, lion = o["lr"], o["weight_decay"], o["mars_type"] == "lion"
        c = g + o["gamma"] * b1 / (1 - b1) * (g - s.get("g", 0))
        c = c / max(1, np.sqrt((c * c).sum()))
        s["g"] = g
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * c
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * c * c
    u = np.sign(s["m"]) if lion else s["m"] / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + o["eps"])
    return p - lr * (u + decay * p)


MARS = {"lr": 3e-3, "betas": [0.95, 0.99], "eps": 1e-8, "weight_decay": 0, "gamma": 0.025, "mars_type": "adamw", "optimize_1d": False, "lr_1d": 3e-3,
        "betas_1d": [0.9, 0.95], "weight_decay_1d": 0.1}
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "weight_decay": 0.3, "gamma": 0.1, "optimize_1d": True, "maximize": True},
                {"mars_type": "lion", "lr": 0.01, "lr_1d": 0.05, "betas_1d": [0.7, 0.8], "weight_decay_1d": 0.4}):
    by_hand("Yuan et al. 2024", "mars", options, MARS, mars)


def ftrl(o, s, p, g, t):
    k, lr = -o["learning_rate_power"], o["lr"]
    n_old = s.get("n", np.full_like(p, o["initial_accumulator_value"]))
    s["n"] = n_old + g * g
    pull = g + 2 * o["l2_shrinkage_regularization_strength"] * p
    s["z"] = s.get("z", 0) + pull - (s["n"]**k - n_old**k) / lr * p
    l1 = o["l1_regularization_strength"]
    quadratic = s["n"]**k / lr + 2 * (o["l2_regularization_strength"] + o["beta"] / (2 * lr))
    return (np.clip(s["z"], -l1, l1) - s["z"]) / quadratic


FTRL = {"lr": 1e-3, "learning_rate_power": -0.5, "initial_accumulator_value": 0.1, "l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0,
        "l2_shrinkage_regularization_strength": 0.0, "beta": 0.0}
for options in ({}, {"lr": 0.3, "learning_rate_power": -0.7, "initial_accumulator_value": 0.5, "l1_regularization_strength": 0.4, "l2_regularization_strength": 0.2,
                     "l2_shrinkage_regularization_strength": 0.1, "beta": 0.5, "maximize": True}):
    by_hand("McMahan et al. 2013, Keras 3", "ftrl", options, FTRL, ftrl)


def irprop(o, s, p, g, t):
    down, up = o["etas"]
    same = g * s.get("g", np.zeros_like(p))
    d = s.get("d", np.full_like(p, o["lr"])) * np.where(same > 0, up, np.where(same < 0, down, 1))
    s["d"] = np.clip(d, *o["step_sizes"])
    s["g"] = np.where(same < 0, 0, g)
    return p - np.sign(s["g"]) * s["d"]


for options in ({}, {"lr": 0.05, "etas": [0.4, 1.5], "step_sizes": [0.01, 0.1], "maximize": True}):
    by_hand("Igel, Huesken 2000", "irprop_minus", options, {"lr": 0.0125, "etas": [0.5, 1.2], "step_sizes": [0, 50]}, irprop)


def quickprop(o, s, p, g, t):
    mu, out = o["mu"], np.empty_like(p)
    before, step = s.get("s", np.zeros_like(p)), s.get("d", np.zeros_like(p))
    slope = -(g + o["weight_decay"] * p)
    for j in np.ndindex(p.shape):
        d, now, old, move = step[j], slope[j], before[j], 0.0
        if d == 0 or now * d > 0:
            move += o["lr"] * now
        if d > 0 and now > mu / (1 + mu) * old or d < 0 and now < mu / (1 + mu) * old:
            move += mu * d
        elif d != 0 and old != now:
            move += np.clip(d * now / (old - now), -mu * abs(d), mu * abs(d))
        out[j] = move
    s["s"], s["d"] = slope, out
    return p + out


for options in ({}, {"lr": 0.05, "mu": 1.2, "weight_decay": 0.2, "maximize": True}):
    by_hand("Fahlman 1988", "quickprop", options, {"lr": 1e-2, "mu": 1.75, "weight_decay": 1e-4}, quickprop)


def tridiagonal_eigh(a):
    """Eigenvectors of a symmetric matrix that may have lost rank. Its null space has many bases, in which adam goes different ways;
    here, as in the library, it is the one that Householder's reflections leave when all that is below 8 eps |a| counts as zero."""
    n, small = len(a), 8 * np.finfo(float).eps * np.linalg.norm(a)
    q, t = np.eye(n), a.copy()
    for j in range(n - 1):
        x = t[j + 1:, j].copy()
        h = np.eye(n)
        if np.linalg.norm(x[1:]) > small:
            x[0] += np.copysign(np.linalg.norm(x), x[0])
            h[j + 1:, j + 1:] -= 2 * np.outer(x, x) / (x @ x)
        t, q = h @ t @ h, q @ h
    cuts = [0, *(j + 1 for j in range(n - 1) if abs(t[j + 1, j]) <= small), n]
    values = np.empty(n)
    for first, end in zip(cuts, cuts[1:]):
        values[first:end], v = np.linalg.eigh(t[first:end, first:end])
        q[:, first:end] = q[:, first:end] @ v
    return values, q[:, np.argsort(values)]


def soap(o, s, p, g, t):
    """In the order of the authors' program, whose mean lives in the bases and is carried from one to the next."""
    axes = range(p.ndim) if p.ndim > 1 or o["precondition_1d"] else []
    used = [k for k in axes if p.shape[k] <= o["max_precond_dim"]]
    beta = o["shampoo_beta"] if o["shampoo_beta"] >= 0 else o["betas"][1]

    def project(x, back=False):
        for k in used:
            q = s["q"][k] if back else s["q"][k].T
            x = np.moveaxis(np.tensordot(q, x, (1, k)), 0, k)
        return x

    def update_gg():
        for k in used:
            rest = [j for j in range(p.ndim) if j != k]
            s["gg"][k] = s["gg"][k] + (1 - beta) * (np.tensordot(g, g, (rest, rest)) - s["gg"][k])

    if t == 1:
        s.update(step=0, m=np.zeros_like(p), v=np.zeros_like(p), gg={k: np.zeros((p.shape[k],) * 2) for k in used})
        update_gg()
        s["q"] = {k: tridiagonal_eigh(s["gg"][k])[1][:, ::-1] for k in used}
        return p
    s["step"] += 1
    (b1, b2), there = o["betas"], project(g)
    s["m"] = b1 * s["m"] + (1 - b1) * there
    s["v"] = b2 * s["v"] + (1 - b2) * there**2
    rate = o["lr"]
    if o["correct_bias"]:
        rate = rate * np.sqrt(1 - b2 ** s["step"]) / (1 - b1 ** s["step"])
    step = project(s["m"] / (np.sqrt(s["v"]) + o["eps"]), back=True)
    if o["normalize_grads"]:
        step = step / (1e-30 + np.sqrt(np.mean(step**2)))
    p = p - rate * step
    p = p - o["lr"] * o["weight_decay"] * p
    s["m"] = project(s["m"], back=True)
    update_gg()
    if s["step"] % o["precondition_frequency"] == 0:
        for k in used:
            q, gg = s["q"][k], s["gg"][k]
            order = np.argsort(-np.diag(q.T @ gg @ q))
            s["v"] = np.take(s["v"], order, k)
            s["q"][k] = np.linalg.qr(gg @ q[:, order])[0]
    s["m"] = project(s["m"])
    return p


SOAP = {"lr": 3e-3, "betas": [0.95, 0.95], "shampoo_beta": -1, "eps": 1e-8, "weight_decay": 0.01, "precondition_frequency": 10, "max_precond_dim": 10000,
        "precondition_1d": False, "normalize_grads": False, "correct_bias": True}
for options in ({}, {"lr": 0.02, "betas": [0.8, 0.9], "shampoo_beta": 0.7, "eps": 0.02, "weight_decay": 0.3, "precondition_frequency": 3, "precondition_1d": True, "maximize": True},
                {"lr": 0.02, "precondition_frequency": 3, "max_precond_dim": 4, "normalize_grads": True},
                {"lr": 0.02, "precondition_frequency": 1, "correct_bias": False}):
    by_hand("Vyas et al. 2024", "soap", options, SOAP, soap)


def asam(o):
    p, rows, sign = {n: P[n].copy() for n in SHAPES}, [], -1 if o.get("maximize") else 1
    for t in range(STEPS):
        g = gradients(p, t)
        w2 = {n: p[n] ** 2 if o["sam_adaptive"] else np.ones_like(p[n]) for n in SHAPES}
        norm = np.sqrt(sum(float((w2[n] * g[n] ** 2).sum()) for n in SHAPES)) + 1e-12
        g = gradients({n: p[n] + sign * o["sam_rho"] * w2[n] * g[n] / norm for n in SHAPES}, t)
        p = {n: p[n] - sign * o["lr"] * g[n] for n in SHAPES}
        rows.append(flat(p))
    return rows


for options in ({"lr": 0.05, "sam_rho": 0.7, "sam_adaptive": True}, {"lr": 0.02, "sam_rho": 0.3, "sam_adaptive": True, "maximize": True}):
    case("Kwon et al. 2021", "sgd", options, asam)

# ---- The file ---------------------------------------------------------------------------------------------------------------

for name, value in (("p", P), ("a", A), ("c", C)):
    tensors[name] = flat(value)
for name, value in (("e", E), ("mask", MASK)):
    tensors[name] = np.array([flat(x) for x in value])
header, offset, data = {}, 0, []
for name in sorted(tensors):
    raw = np.ascontiguousarray(tensors[name], dtype="<f8").tobytes()
    header[name] = {"dtype": "F64", "shape": list(tensors[name].shape), "data_offsets": [offset, offset + len(raw)]}
    offset += len(raw)
    data.append(raw)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(data))
