#!/usr/bin/env bash
# run.sh [PROGRAM] [FLAGS]: installs what is missing, builds the example program and runs it with the flags. Without a
# program: lists them, by the lecture that their second line names. `all` runs every one.
set -euo pipefail
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$examples")

# A source with a header of its name is shared by the programs; every other one is a program.
declare -A sources=()
for source in "$examples"/*.cpp "$examples"/lectures/*.cpp; do
  [[ -f ${source%.cpp}.hpp ]] || sources[$(basename "$source" .cpp)]=$source
done

# PROGRAM and what it shows, under the names of the lectures.
list() {
  echo "usage: bash examples/run.sh PROGRAM [FLAGS]     (PROGRAM --help lists its flags)"
  echo "       bash examples/run.sh all [FLAGS]         (every one; --quick for a form of seconds)"
  local program source lecture before=""
  for program in "${!sources[@]}"; do
    source=${sources[$program]}
    lecture=$(sed -n '2s|^/// Lecture: *||p' "$source")
    printf '%s|%s|%s\n' "$lecture" "$program" "$(sed -n '1s|^/// *||p' "$source")"
  done | sort | while IFS='|' read -r lecture program text; do
    lecture=${lecture:-the library}
    [[ $lecture == "$before" ]] || printf '\n%s\n' "$lecture"
    before=$lecture
    printf '  %-18s %s\n' "$program" "$text"
  done
}

program=${1:-}
case $program in
  "" | -h | --help) list; exit 0 ;;
esac

# One after the other, each with the same flags; says which failed.
run_all() {
  bash "$root/cmake/build.sh" release "${!sources[@]}"
  local program failed=() start from=$SECONDS log
  mkdir -p "$root/build/out"
  for program in $(printf '%s\n' "${!sources[@]}" | sort); do
    log=$root/build/out/$program.txt
    start=$SECONDS
    if "$root/build/release/examples/$program" "$@" </dev/null >"$log" 2>&1; then
      printf '%-18s %3d s\n' "$program" $((SECONDS - start))
    else
      failed+=("$program")
      printf '%-18s %3d s, failed:\n' "$program" $((SECONDS - start))
      tail -n 20 "$log"
    fi
  done
  echo "${#sources[@]} programs, $((SECONDS - from)) s, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
  [[ ${#failed[@]} -eq 0 ]]
}

if [[ $program != all && ! -v sources[$program] ]]; then
  echo "run.sh: no program $program" >&2
  list >&2
  exit 2
fi

bash "$root/cmake/install_dependencies.sh" build run
if [[ $program == all ]]; then
  run_all "${@:2}"
  exit
fi
bash "$root/cmake/build.sh" release "$program"
exec "$root/build/release/examples/$program" "${@:2}"
