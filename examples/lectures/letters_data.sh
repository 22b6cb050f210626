#!/usr/bin/env bash
# letters_data.sh FILE.csv: UCI's Letter Recognition (Frey and Slate 1991; 20,000 rows in UCI's order) as CSV, from
# Debian's package r-cran-mlbench, which is fetched but not installed: R is not needed.
set -euo pipefail
target=${1:?usage: letters_data.sh FILE.csv}

for tool in apt-get dpkg xz python3; do
  command -v "$tool" >/dev/null || { echo "letters_data.sh: no $tool; apt-get install xz-utils python3" >&2; exit 1; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
(cd "$folder" && apt-get -qq download r-cran-mlbench) >&2 ||
  { echo "letters_data.sh: apt-get download r-cran-mlbench failed; apt-get update, and try again" >&2; exit 1; }
dpkg -x "$folder"/r-cran-mlbench_*.deb "$folder"
data=$(find "$folder" -name LetterRecognition.rda)
mkdir -p "$(dirname "$target")"
xz --decompress --stdout --format=auto "$data" | python3 "$(dirname "${BASH_SOURCE[0]}")/r_data.py" >"$target.part"
mv "$target.part" "$target"
