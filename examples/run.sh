#!/usr/bin/env bash
# run.sh [PROGRAM] [FLAGS]: installs what is missing, builds the example program and runs it with the flags. Without a
# program: lists them. Where the sources cannot be written, what is built is run; XGRAD_BUILD names another directory.
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

program=${1:-}
case $program in
  "" | -h | --help) list; exit 0 ;;
esac
if [[ " ${programs[*]} " != *" $program "* ]]; then
  near=()
  for known in "${programs[@]}"; do
    [[ $known == *"$program"* || $program == *"$known"* || ${known:0:3} == "${program:0:3}" ]] && near+=("$known")
  done
  echo "run.sh: no program $program${near:+; did you mean ${near[*]}?}" >&2
  list >&2
  exit 2
fi

groups=(build run)
[[ $program != playground ]] || groups+=(playground)
bash "$root/cmake/install_dependencies.sh" "${groups[@]}"
binary=$(realpath -m "${XGRAD_BUILD:-$root/build}")/release/examples/$program
code=0
bash "$root/cmake/build.sh" release "$program" || code=$?
[[ $code -ne 3 || ! -x $binary ]] || { echo "run.sh: running $program as it was built before" >&2; code=0; }
[[ $code -eq 0 ]] || exit "$code"
exec "$binary" "${@:2}"
