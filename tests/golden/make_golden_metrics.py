#!/usr/bin/env python3
"""Writes metrics.safetensors: scores by scikit-learn (made with 1.9.1) and SciPy of random rows, for test_metrics.c. Tensor names:
CASE/label or CASE/y the truth, CASE/p probabilities or predictions, CASE/weight weights of rows, CASE/out/METRIC the scores, METRIC as
in a configuration. What scikit-learn has not (ece, g_mean, squared_hinge, smape, rmspe, mase, huber, log_cosh, poisson_nll, concordance,
kl_divergence) is written out here. NaN where it warns that
the score is not defined, or refuses.

    python3 make_golden_metrics.py metrics.safetensors
"""
import json
import struct
import sys
import warnings

import numpy as np
import scipy.special
import scipy.stats
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics.pairwise import cosine_similarity

warnings.filterwarnings("ignore", message="A single label was found")
rng = np.random.default_rng(20240229)
tensors = {}
NAN = float("nan")


def attempt(f, *args, **options):
    """NaN where the score is not defined: an exception, or a warning that says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", category=UndefinedMetricWarning)
        warnings.filterwarnings("error", message="No positive class found")
        try:
            return float(f(*args, **options))
        except (ValueError, ZeroDivisionError, UndefinedMetricWarning, UserWarning):
            return NAN


def quiet(f, *args, **options):
    """A mean over classes: one that is 0/0 counts as 0, as scikit-learn does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(f(*args, **options))


# ---- Classes ----


def ece(y, p, bins, w):
    conf, guess = p.max(1), p.argmax(1)
    b = np.clip(np.ceil(conf * bins).astype(int) - 1, 0, bins - 1)
    gap = np.zeros(bins)
    np.add.at(gap, b, w * ((guess == y) - conf))
    return np.abs(gap).sum() / w.sum()


def g_mean(y, guess, w):
    recall = np.array([w[(y == c) & (guess == c)].sum() / w[y == c].sum() for c in np.unique(y)])
    return np.prod(recall) ** (1 / len(recall))


def areas(f, y, p, w, k):
    if k == 2:
        return attempt(f, y == 1, p[:, 1], sample_weight=w)
    return float(np.mean([attempt(f, y == c, p[:, c], sample_weight=w) for c in range(k)]))


def of_two_rates(best, needs, least):
    """The highest `best` where `needs` is at least `least`, of the curves that scikit-learn's functions give."""
    return max((b for b, n in zip(best, needs) if n >= least), default=0.0)


def precision_at_recall(y, p, least, sample_weight):
    precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=sample_weight)
    return of_two_rates(precision, recall, least) if y.any() else NAN


def recall_at_precision(y, p, least, sample_weight):
    precision, recall, _ = sk.precision_recall_curve(y, p, sample_weight=sample_weight)
    return of_two_rates(recall, precision, least) if y.any() else NAN


def rates(y, p, sample_weight):
    """Specificity and sensitivity; roc_curve's are 1 - the first, which rounds, and the second, and begin at the threshold that calls no row."""
    tn, fp, fn, tp, _ = sk.confusion_matrix_at_thresholds(y, p, sample_weight=sample_weight)
    if y.all() or not y.any():
        return [NAN], [NAN]
    specificity, sensitivity = np.r_[1, tn / (tn + fp)], np.r_[0, tp / (tp + fn)]
    roc = sk.roc_curve(y, p, sample_weight=sample_weight, drop_intermediate=False)
    np.testing.assert_allclose(roc[0], 1 - specificity, atol=1e-14)
    np.testing.assert_allclose(roc[1], sensitivity, atol=1e-14)
    return specificity, sensitivity


def sensitivity_at_specificity(y, p, least, sample_weight):
    specificity, sensitivity = rates(y, p, sample_weight)
    return NAN if np.isnan(specificity[0]) else of_two_rates(sensitivity, specificity, least)


def specificity_at_sensitivity(y, p, least, sample_weight):
    specificity, sensitivity = rates(y, p, sample_weight)
    return NAN if np.isnan(specificity[0]) else of_two_rates(specificity, sensitivity, least)


def f1_max(y, p, sample_weight):
    _, fp, fn, tp, _ = sk.confusion_matrix_at_thresholds(y, p, sample_weight=sample_weight)
    return (2 * tp / (2 * tp + fp + fn)).max() if y.any() else NAN


def margins(y, p):
    """Of log p: of the right class over the likeliest other."""
    s = np.log(np.maximum(p, 2.0**-52))
    rows = np.arange(len(y))
    other = s.copy()
    other[rows, y] = -np.inf
    return s[rows, y] - other.max(1)


def hinge(y, p, w):
    s, k = np.log(np.maximum(p, 2.0**-52)), p.shape[1]
    if k == 2 and len(np.unique(y)) == 2:
        return sk.hinge_loss(y, s[:, 1] - s[:, 0], sample_weight=w)
    if k > 2:
        return sk.hinge_loss(y, s, labels=range(k), sample_weight=w)
    return np.average(np.maximum(0, 1 - margins(y, p)), weights=w)  # one class of two only, which it refuses


def classes(name, y, p, weight):
    k, out = p.shape[1], {}
    guess = p.argmax(1)
    tensors[f"{name}/label"], tensors[f"{name}/p"], tensors[f"{name}/weight"] = y, p, weight
    for w, suffix in ((None, ""), (weight, "row_weights: true")):
        ones = np.ones(len(y)) if w is None else w

        def put(metric, value, keys=""):
            keys = ", ".join(x for x in (keys, suffix) if x)
            out[f"{{{metric}: {{{keys}}}}}" if keys else metric] = value

        options = {"sample_weight": w}
        put("accuracy", sk.accuracy_score(y, guess, **options))
        put("zero_one", sk.zero_one_loss(y, guess, **options))
        put("hamming", sk.hamming_loss(y, guess, **options))
        put("balanced_accuracy", quiet(sk.balanced_accuracy_score, y, guess, **options))
        adjusted = quiet(sk.balanced_accuracy_score, y, guess, adjusted=True, **options) if len(np.unique(y)) > 1 else NAN
        put("balanced_accuracy", adjusted, "adjusted: true")
        scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score, "jaccard": sk.jaccard_score}
        for metric, f in scores.items():
            put(metric, attempt(f, y, guess, **options) if k == 2 else NAN)
            for average in ("macro", "micro", "weighted"):
                put(f"{metric}_{average}", quiet(f, y, guess, average=average, **options))
        for beta in (0.5, 2):
            put("f_beta", attempt(sk.fbeta_score, y, guess, beta=beta, **options) if k == 2 else NAN, f"beta: {beta}")
            for average in ("macro", "micro", "weighted"):
                put(f"f_beta_{average}", quiet(sk.fbeta_score, y, guess, beta=beta, average=average, **options), f"beta: {beta}")
        if k == 2:
            put("specificity", attempt(sk.recall_score, y == 0, guess == 0, **options))
        else:
            seen = np.union1d(y, guess)
            put("specificity", float(np.mean([attempt(sk.recall_score, y != c, guess != c, **options) for c in seen])))
        put("g_mean", g_mean(y, guess, ones))
        put("mcc", sk.matthews_corrcoef(y, guess, **options))
        for weights, tail in ((None, ""), ("linear", "_linear"), ("quadratic", "_quadratic")):
            # distances are those of the class numbers, also where one does not occur
            seen = None if weights is None else range(k)
            put(f"cohen_kappa{tail}", attempt(sk.cohen_kappa_score, y, guess, labels=seen, weights=weights, **options))
        put("auc", areas(sk.roc_auc_score, y, p, w, k))
        put("average_precision", areas(sk.average_precision_score, y, p, w, k))
        put("f1_max", areas(f1_max, y, p, w, k))
        at = {"precision_at_recall": precision_at_recall, "recall_at_precision": recall_at_precision}
        at |= {"sensitivity_at_specificity": sensitivity_at_specificity, "specificity_at_sensitivity": specificity_at_sensitivity}
        for metric, f in at.items():
            for least in (0, 0.3, 0.8, 0.95, 1):
                key = metric.split("_at_")[1]
                put(metric, areas(lambda *a, f=f, least=least, **o: f(*a, least, **o), y, p, w, k), f"{key}: {least}")
        counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        table = sk.confusion_matrix(y, guess, labels=range(k), **options).ravel() if k == 2 else [NAN] * 4
        for metric, value in zip(counts, table):
            put(metric, float(value))
        put("hinge", hinge(y, p, w))
        put("squared_hinge", np.average(np.maximum(0, 1 - margins(y, p)) ** 2, weights=w))
        one_hot = p[:, 1] if k == 2 else p
        labels = range(k)
        put("log_loss", quiet(sk.log_loss, y, p, labels=labels, **options))
        if len(np.unique(y)) == 1 and k == 2:
            put("brier", float(np.average((p[:, 1] - y) ** 2, weights=w)))
        else:
            put("brier", quiet(sk.brier_score_loss, y, one_hot, labels=labels, **options))
        put("ece", ece(y, p, 15, ones))
        put("ece", ece(y, p, 7, ones), "bins: 7")
        for n, metric in ((2, "top_k"), (3, "top_3"), (5, "top_5")):
            put(metric, attempt(sk.top_k_accuracy_score, y, p, k=n, labels=labels, **options) if k > 2 else NAN)
        if k > 4:
            put("top_k", attempt(sk.top_k_accuracy_score, y, p, k=4, labels=labels, **options), "k: 4")
    for metric, value in out.items():
        tensors[f"{name}/out/{metric}"] = np.array([value])


def softmax(n, k, y=None, strength=1.5):
    z = rng.normal(size=(n, k))
    if y is not None:
        z[np.arange(n), y] += strength
    p = np.exp(z)
    return p / p.sum(1, keepdims=True)


def weights(n):
    return np.round(rng.uniform(0.1, 3, n), 2)


for k, n in ((2, 60), (3, 70), (6, 90)):
    y = rng.integers(0, k, n)
    classes(f"classes_{k}", y, softmax(n, k, y), weights(n))
y = rng.integers(0, 3, 40)
p = np.round(softmax(40, 3, y), 1)  # ties within columns and rows; rows that do not sum to 1 exactly
p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 1)
classes("ties_3", y, np.clip(p, 0, 1), weights(40))
q = np.round(rng.uniform(0, 1, 50), 1)
classes("ties_2", (rng.uniform(size=50) < q).astype(np.int64), np.stack([1 - q, q], 1), weights(50))
y = rng.choice([0, 1, 3], 40)
classes("missing_class", y, softmax(40, 4, y), weights(40))
p = softmax(40, 4, y)
p[:, 1] *= 0.01
classes("never_predicted", y, p / p.sum(1, keepdims=True), weights(40))
classes("one_class", np.ones(12, dtype=np.int64), softmax(12, 2), weights(12))
classes("one_class_right", np.ones(5, dtype=np.int64), np.tile([0.2, 0.8], (5, 1)), weights(5))
classes("one_class_of_3", np.full(9, 2), softmax(9, 3), weights(9))
y = np.array([0, 1, 1, 0])
classes("perfect", y, np.eye(2)[y], weights(4))
classes("all_wrong", y, np.eye(2)[1 - y], weights(4))
classes("none_predicted", y, np.tile([0.9, 0.1], (4, 1)), weights(4))
classes("one_row", np.array([1]), np.array([[0.2, 0.5, 0.3]]), np.array([2.0]))

# ---- Numbers ----


def numbers(name, y, p, weight):
    out, y, p = {}, y.reshape(len(y), -1), p.reshape(len(p), -1)
    tensors[f"{name}/y"], tensors[f"{name}/p"], tensors[f"{name}/weight"] = y, p, weight
    k = y.shape[1]

    def each(f, *args, **options):
        return float(np.mean([attempt(f, y[:, i], p[:, i], *args, **options) for i in range(k)]))

    def correlation(f):
        constant = any(np.ptp(a[:, i]) == 0 for a in (y, p) for i in range(k))
        return NAN if constant else float(np.mean([f(y[:, i], p[:, i])[0] for i in range(k)]))

    def d2_tweedie(a, b, **options):
        if np.ptp(a) == 0:  # 0 but for rounding is what it would divide by
            return NAN
        return sk.d2_tweedie_score(a, b, **options)

    def against_constant(f, **options):
        if np.ptp(y) == 0 and len(y) > 1:  # force_finite, without the rounding error of a weighted mean
            return float(np.all(y == p))
        return attempt(f, y, p, **options)

    def poisson_nll(a, b, sample_weight):
        if (a < 0).any() or (b <= 0).any():
            return NAN
        return np.average(b - scipy.special.xlogy(a, b), weights=sample_weight)

    def concordance(a, b, sample_weight):
        if len(a) < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0 and a[0] == b[0]):
            return NAN
        cov = np.cov(a, b, ddof=0, aweights=sample_weight)
        shift = np.average(a, weights=sample_weight) - np.average(b, weights=sample_weight)
        return 2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + shift**2)

    def mase(a, b, season):
        naive = np.abs(a[season:] - a[:-season]).mean() if len(a) > season else 0
        return np.abs(b - a).mean() / naive if naive > 0 else NAN

    for w, suffix in ((None, ""), (weight, "row_weights: true")):

        def put(metric, value, keys=""):
            keys = ", ".join(x for x in (keys, suffix) if x)
            out[f"{{{metric}: {{{keys}}}}}" if keys else metric] = value

        def average(values):
            return float(np.mean(np.average(values, weights=w, axis=0)))

        options = {"sample_weight": w}
        put("mse", sk.mean_squared_error(y, p, **options))
        put("rmse", sk.root_mean_squared_error(y, p, **options))
        put("mae", sk.mean_absolute_error(y, p, **options))
        put("r2", against_constant(sk.r2_score, **options))
        put("explained_variance", against_constant(sk.explained_variance_score, **options))
        put("median_absolute_error", sk.median_absolute_error(y, p, **options))
        put("mape", sk.mean_absolute_percentage_error(y, p, **options))
        squares = ((p - y) / np.maximum(np.abs(y), np.finfo(float).eps)) ** 2
        put("rmspe", float(np.mean(np.sqrt(np.average(squares, weights=w, axis=0)))))
        size = np.abs(y) + np.abs(p)
        put("smape", average(np.where(size > 0, 2 * np.abs(p - y) / np.where(size > 0, size, 1), 0)))
        put("msle", attempt(sk.mean_squared_log_error, y, p, **options))
        put("rmsle", attempt(sk.root_mean_squared_log_error, y, p, **options))
        for alpha in (0.5, 0.9, 0.1):
            keys = "" if alpha == 0.5 else f"alpha: {alpha}"
            put("pinball", sk.mean_pinball_loss(y, p, alpha=alpha, **options), keys)
            put("d2_pinball", attempt(sk.d2_pinball_score, y, p, alpha=alpha, **options), keys)
        put("d2_absolute_error", attempt(sk.d2_absolute_error_score, y, p, **options))
        put("poisson_deviance", each(sk.mean_poisson_deviance, **options))
        put("gamma_deviance", each(sk.mean_gamma_deviance, **options))
        for power in (0, 1.5, 2, 3, -0.5):
            keys = "" if power == 0 else f"power: {power}"
            put("tweedie_deviance", each(sk.mean_tweedie_deviance, power=power, **options), keys)
            put("d2_tweedie", each(d2_tweedie, power=power, **options), keys)
        put("huber", average(scipy.special.huber(1, p - y)))
        put("huber", average(scipy.special.huber(0.3, p - y)), "delta: 0.3")
        put("log_cosh", average(np.logaddexp(p - y, y - p) - np.log(2)))
        put("poisson_nll", each(poisson_nll, **options))
        put("concordance", each(concordance, **options))
        put("cosine_similarity", np.average(np.diag(cosine_similarity(y, p)), weights=w))
        clipped = np.clip(y, 1e-7, 1), np.clip(p, 1e-7, 1)
        put("kl_divergence", np.average(scipy.special.rel_entr(*clipped).sum(1), weights=w))
    out["mase"], out["{mase: {season: 4}}"] = each(mase, season=1), each(mase, season=4)
    out["max_error"] = float(np.mean([sk.max_error(y[:, i], p[:, i]) for i in range(k)]))
    out["pearson"] = correlation(scipy.stats.pearsonr)
    out["spearman"] = correlation(scipy.stats.spearmanr)
    out["kendall"] = correlation(scipy.stats.kendalltau)
    for metric, value in out.items():
        tensors[f"{name}/out/{metric}"] = np.array([value])


y = rng.normal(size=50) * 3
numbers("numbers", y, y + rng.normal(size=50), weights(50))
y = rng.normal(size=(41, 3)) * [1, 10, 0.1] + [0, 100, 5]
numbers("three_targets", y, y + rng.normal(size=(41, 3)) * [0.5, 2, 0.2], weights(41))
y = rng.gamma(2, 2, size=(40, 2))
numbers("positive", y, y * np.exp(rng.normal(size=(40, 2)) * 0.3), weights(40))
distributions = np.random.default_rng(7)
y = distributions.dirichlet([1, 2, 0.2], 30)
numbers("distributions", np.where(y < 0.02, 0, y), distributions.dirichlet([2, 2, 2], 30), np.round(distributions.uniform(0.1, 3, 30), 2))
y = rng.poisson(2, 60).astype(float)
numbers("counts", y, np.round(y + rng.uniform(0.2, 2, 60), 1), weights(60))
y, p = rng.integers(0, 5, 80).astype(float), rng.integers(0, 5, 80).astype(float)
w = weights(80)
w[rng.integers(0, 80, 20)] = 0
numbers("ties", y, p, w)
numbers("constant_target", np.full(20, 2.5), 2.5 + rng.normal(size=20), weights(20))
numbers("constant_right", np.full(8, 2.5), np.full(8, 2.5), weights(8))
numbers("constant_prediction", rng.normal(size=20), np.full(20, 0.5), weights(20))
numbers("zeros", np.array([0.0, 0, 1, -2, 0]), np.array([0.0, 1, 0, -2, -0.0]), np.ones(5))
numbers("one_number", np.array([1.5]), np.array([2.0]), np.array([2.0]))
numbers("small_errors", np.arange(1, 21) / 7, np.arange(1, 21) / 7 + 1e-3 * rng.normal(size=20), weights(20))

blobs, header, at = [], {}, 0
for key in sorted(tensors, key=lambda s: s.encode()):
    a = tensors[key]
    a = np.ascontiguousarray(a, dtype=np.int64 if a.dtype.kind == "i" else np.float64)
    header[key] = {"dtype": "I64" if a.dtype == np.int64 else "F64", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
    blobs.append(a.tobytes())
    at += a.nbytes
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
print(sum("/out/" in k for k in tensors), "scores,", len(text) + at + 8, "bytes")
