#!/usr/bin/env bash
# letters_data.sh DIRECTORY: letters.csv, UCI's Letter Recognition (Frey and Slate 1991; 20,000 rows in UCI's order), from
# Debian's package r-cran-mlbench, which is fetched but not installed: R is not needed.
set -euo pipefail
directory=${1:?usage: letters_data.sh DIRECTORY}
scripts=$(dirname "${BASH_SOURCE[0]}")
. "$scripts/data.sh"
begin r-cran-mlbench xz
data=$(find "$package" -name LetterRecognition.rda)
xz --decompress --stdout --format=auto "$data" | python3 "$scripts/r_data.py" >"$made/letters.csv"
place "$directory"
