"""tabular_scikit_learn.py PROGRAM DATA: 5 x 5-fold cross-validation of `tabular` beside that of scikit-learn's MLPClassifier
and MLPRegressor with the same network: one hidden layer of 64 relu, Adam with rate 0.001, batches of 32, 100 epochs, no
penalty, inputs (and targets of a regression) standardised by the training rows.

PROGRAM is build/release/examples/tabular, DATA the directory that examples/lectures/tabular_data.sh makes. Ends with 1
unless the means (accuracy, or R²) differ by at most 0.01 or two standard errors of their difference. Needs Debian's
python3-sklearn.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGETS = {"iris": "species", "wine": "cultivar", "breast_cancer": "diagnosis", "digits": "digit", "diabetes": "progression"}
EPOCHS, REPEATS = 100, 5
NETWORK = {"hidden_layer_sizes": (64,), "alpha": 0.0, "batch_size": 32, "max_iter": EPOCHS, "tol": 0.0,
           "n_iter_no_change": EPOCHS + 1}


def reference(path, target):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    x = numpy.array([[float(row[name]) for name in row if name != target] for row in rows])
    if target == "progression":
        y = numpy.array([float(row[target]) for row in rows])
        network = TransformedTargetRegressor(MLPRegressor(random_state=1, **NETWORK), transformer=StandardScaler())
        folds = RepeatedKFold(n_splits=5, n_repeats=REPEATS, random_state=1)
    else:
        y = numpy.array([row[target] for row in rows])
        network = MLPClassifier(random_state=1, **NETWORK)
        folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=REPEATS, random_state=1)
    return cross_val_score(make_pipeline(StandardScaler(), network), x, y, cv=folds)  # accuracy, or R²


def ours(program, path, target):
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        subprocess.run([program, "--csv", path, "--target", target, "--epochs", str(EPOCHS), "--cross-validate",
                        str(REPEATS), "--quiet", "--json", result], check=True)
        return numpy.array(json.loads(result.read_text())["cross_validation_scores"])


def main(program, data):
    warnings.simplefilter("ignore", ConvergenceWarning)  # every epoch is wanted
    print("| table | score | xgrad | scikit-learn | difference | allowed |\n|---|---|---|---|---|---|")
    failed = []
    for name, target in TARGETS.items():
        path = pathlib.Path(data) / f"{name}.csv"
        a, b = ours(program, path, target), reference(path, target)
        assert len(a) == len(b) == 5 * REPEATS
        errors = [scores.std(ddof=1) / len(scores) ** 0.5 for scores in (a, b)]
        difference, allowed = a.mean() - b.mean(), max(0.01, 2 * numpy.hypot(*errors))
        score = "R²" if target == "progression" else "accuracy"
        print(f"| {name} | {score} | {a.mean():.4f} ± {errors[0]:.4f} | {b.mean():.4f} ± {errors[1]:.4f} | {difference:+.4f} "
              f"| {allowed:.4f} |", flush=True)
        if abs(difference) > allowed:
            failed.append(name)
    if failed:
        sys.exit("too far apart: " + ", ".join(failed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
