#!/usr/bin/env bash
# tabular_data.sh DIRECTORY: iris.csv, wine.csv, breast_cancer.csv, digits.csv and diabetes.csv with a line of names, from
# the files of Debian's package python3-sklearn, which is fetched but not installed.
set -euo pipefail
directory=${1:?usage: tabular_data.sh DIRECTORY}
scripts=$(dirname "${BASH_SOURCE[0]}")
. "$scripts/data.sh"
begin python3-sklearn
python3 "$scripts/tabular_data.py" "$package/usr/lib/python3/dist-packages/sklearn/datasets/data" "$made"
place "$directory"
