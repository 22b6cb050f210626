#!/usr/bin/env bash
# run.sh [PROGRAM] [FLAGS]: installs what is missing, builds the example program and runs it with the flags. Without a
# program: lists them.
set -euo pipefail
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$examples")

# A source with a header of its name is shared by the programs; every other one is a program.
programs=()
for source in "$examples"/*.cpp; do
  [[ -f ${source%.cpp}.hpp ]] || programs+=("$(basename "$source" .cpp)")
done

list() {
  echo "usage: bash examples/run.sh PROGRAM [FLAGS]     (PROGRAM --help lists its flags)"
  echo
  for program in "${programs[@]}"; do
    printf '  %-16s %s\n' "$program" "$(sed -n 's|^/// *||p' "$examples/$program.cpp" | head -n 1)"
  done
}

# The program with the smallest edit distance to the word, or nothing if none is near.
nearest() {
  printf '%s\n' "${programs[@]}" | awk -v word="$1" '
    function least(a, b) { return a < b ? a : b }
    {
      for (j = 0; j <= length($0); ++j) row[j] = j
      for (i = 1; i <= length(word); ++i) {
        diagonal = row[0]; row[0] = i
        for (j = 1; j <= length($0); ++j) {
          replaced = diagonal + (substr(word, i, 1) != substr($0, j, 1))
          diagonal = row[j]
          row[j] = least(replaced, least(row[j], row[j - 1]) + 1)
        }
      }
      distance = row[length($0)]
      if (distance <= 1 + length(word) / 3 && (best == "" || distance < smallest)) { best = $0; smallest = distance }
    }
    END { print best }'
}

program=${1:-}
case $program in
  "" | -h | --help) list; exit 0 ;;
esac
if [[ " ${programs[*]} " != *" $program "* ]]; then
  near=$(nearest "$program")
  echo "run.sh: no program $program${near:+; did you mean $near?}" >&2
  list >&2
  exit 2
fi

bash "$root/cmake/install_dependencies.sh" build run
bash "$root/cmake/build.sh" release "$program"
exec "$root/build/release/examples/$program" "${@:2}"
