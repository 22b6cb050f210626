"""tabular_data.py FROM TO: brings the data files of scikit-learn into CSV with a line of names.

Three of them begin with a line of counts and the names of classes; others are gzipped. The names of columns are those of
scikit-learn's own documentation (sklearn.datasets, "Toy datasets").
"""

import csv
import gzip
import pathlib
import sys

CANCER = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points", "symmetry",
          "fractal dimension"]
NAMES = {
    "iris": ["sepal length", "sepal width", "petal length", "petal width"],
    "wine_data": ["alcohol", "malic acid", "ash", "alcalinity of ash", "magnesium", "total phenols", "flavanoids",
                  "nonflavanoid phenols", "proanthocyanins", "color intensity", "hue", "od280/od315", "proline"],
    "breast_cancer": [f"{kind} {name}" for kind in ("mean", "error of", "worst") for name in CANCER],
}
TARGETS = {"iris": "species", "wine_data": "cultivar", "breast_cancer": "diagnosis"}


def write(path, names, rows):
    assert rows and all(len(row) == len(names) for row in rows), path
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def gzipped(path, separator):
    with gzip.open(path, "rt") as file:
        return [line.split(separator) for line in file.read().splitlines()]


def main(source, target):
    for name, columns in NAMES.items():
        with open(source / f"{name}.csv", newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        count, features, *classes = head
        assert len(rows) == int(count) and len(columns) == int(features)
        write(target / f"{name.removesuffix('_data')}.csv", columns + [TARGETS[name]],
              [row[:-1] + [classes[int(row[-1])]] for row in rows])
    pixels = [f"pixel {row} {column}" for row in range(8) for column in range(8)]
    digits = [[str(int(float(value))) for value in row] for row in gzipped(source / "digits.csv.gz", ",")]
    write(target / "digits.csv", pixels + ["digit"], digits)
    inputs = gzipped(source / "diabetes_data_raw.csv.gz", None)
    progression = gzipped(source / "diabetes_target.csv.gz", None)
    write(target / "diabetes.csv", ["age", "sex", "bmi", "blood pressure", "s1", "s2", "s3", "s4", "s5", "s6", "progression"],
          [row + [str(float(value[0]))] for row, value in zip(inputs, progression, strict=True)])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
