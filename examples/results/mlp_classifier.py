"""Accuracy of scikit-learn's MLPClassifier with its defaults on the rows that split_rows has written.

    mlp_classifier.py FOLDER SEED

trains on FOLDER/train.csv (and validation.csv, which it has no other use for) and prints the accuracy on FOLDER/test.csv: of the
rows as they are, and of rows standardised on those trained on, with scikit-learn's version behind them.
"""
import os
import sys
import warnings

import numpy
import sklearn
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def rows(folder, names):
    files = [os.path.join(folder, name + ".csv") for name in names]
    data = numpy.concatenate([numpy.loadtxt(file, delimiter=",", ndmin=2) for file in files if os.path.exists(file)])
    return data[:, :-1], data[:, -1].astype(int)


folder, seed = sys.argv[1], int(sys.argv[2])
x, y = rows(folder, ["train", "validation"])
x_test, y_test = rows(folder, ["test"])
warnings.filterwarnings("ignore")  # that 200 passes, the default, are too few is what the defaults are
plain = MLPClassifier(random_state=seed).fit(x, y).score(x_test, y_test)
scaled = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)).fit(x, y).score(x_test, y_test)
print(f"{plain:.4f} {scaled:.4f} {sklearn.__version__}")
