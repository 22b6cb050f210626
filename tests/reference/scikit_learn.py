#!/usr/bin/python3
"""Reference values of metrics and scalers: prints scikit_learn.json.

    apt-get install python3-sklearn && /usr/bin/python3 tests/reference/scikit_learn.py > tests/reference/scikit_learn.json
"""
import json
import sys

import numpy as np
import sklearn
from sklearn import metrics, preprocessing

random = np.random.default_rng(1)


def classification(labels, predicted, classes):
    names = list(range(classes))
    result = {
        "classes": classes,
        "labels": [int(y) for y in labels],
        "predicted": [int(y) for y in predicted],
        "confusion": metrics.confusion_matrix(labels, predicted, labels=names).tolist(),
        "accuracy": metrics.accuracy_score(labels, predicted),
    }
    for name, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score), ("f1", metrics.f1_score)):
        result[name] = score(labels, predicted, labels=names, average=None, zero_division=0).tolist()
        for average in ("macro", "micro"):
            result[average + "_" + name] = score(labels, predicted, labels=names, average=average, zero_division=0)
    return result


def regression(targets, predictions):
    targets, predictions = np.array(targets), np.array(predictions)
    return {
        "columns": 1 if targets.ndim == 1 else targets.shape[1],
        "targets": targets.ravel().tolist(),
        "predictions": predictions.ravel().tolist(),
        "mean_absolute_error": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
    }


def scaling(x, low, high):
    standard = preprocessing.StandardScaler().fit(x)
    min_max = preprocessing.MinMaxScaler((low, high)).fit(x)
    return {
        "columns": x.shape[1],
        "low": low,
        "high": high,
        "x": x.ravel().tolist(),
        "mean": standard.mean_.tolist(),
        "deviation": standard.scale_.tolist(),
        "standard": standard.transform(x).ravel().tolist(),
        "min_max": min_max.transform(x).ravel().tolist(),
    }


labels = random.integers(0, 4, 60)
confused = np.where(random.random(60) < 0.6, labels, random.integers(0, 4, 60))
targets = random.normal(3, 2, 20)
two = random.normal(0, [1, 50], (15, 2))
json.dump(
    {
        "source": f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}; tests/reference/scikit_learn.py",
        "classification": [
            classification(labels, confused, 4),
            classification([0, 1, 1, 0, 1, 1, 0], [0, 1, 0, 0, 1, 1, 1], 2),
            classification([0, 0, 2, 2, 2], [0, 1, 2, 2, 0], 4),  # class 1 is never true, class 3 never occurs
            classification([1, 1, 1], [0, 0, 2], 3),  # nothing right
        ],
        "regression": [
            regression(targets, targets + random.normal(0, 1, 20)),
            regression(two, two + random.normal(0, [0.5, 60], (15, 2))),
            regression([2.0, 2.0, 2.0], [1.0, 2.0, 4.0]),  # a constant target
            regression([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),
        ],
        "scaling": [
            scaling(random.normal([0, 1000, -3], [1, 0.01, 200], (25, 3)), 0, 1),
            scaling(random.random((10, 2)), -1, 1),
        ],
    },
    sys.stdout,
    indent=1,
)
print()
