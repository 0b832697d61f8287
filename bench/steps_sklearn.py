"""The workloads of steps.c in scikit-learn: MLPClassifier.partial_fit on one batch, in float32. Prints: name, median milliseconds.
steps_sklearn.py [WORKLOAD …]. Without dropout and clipping, which it lacks."""
import sys
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from steps_workloads import RATE, serve, workload

warnings.simplefilter("ignore")


def make(name):
    w = workload(name)
    model = MLPClassifier(
        w.sizes[1:-1], activation="relu", solver=w.optimizer, alpha=0, batch_size=w.batch, learning_rate_init=RATE, shuffle=False,
        momentum=0, nesterovs_momentum=False, random_state=0,
    )
    x = (np.arange(w.batch * w.sizes[0]) * 7919 % 1000).astype(np.float32).reshape(w.batch, w.sizes[0]) / 1000
    y = np.arange(w.batch) % w.sizes[-1]
    model.partial_fit(x, y, classes=np.arange(w.sizes[-1]))

    def step(times):
        for _ in range(times):
            model.partial_fit(x, y)

    return step


serve(make, sys.argv[1:])
