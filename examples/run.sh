#!/usr/bin/env bash
# run.sh [PROGRAM] [FLAGS]: installs what is missing, builds the example program and runs it with the flags. Without a
# program: lists them, by the lecture that their second line names. `all` runs every one that needs no arguments. Where
# the sources cannot be written, what is built is run; XGRAD_BUILD names another directory.
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

# A program with a script PROGRAM_data.sh reads the directory build/data/PROGRAM, which that makes.
make_data() {
  local script=${sources[$1]%.cpp}_data.sh data=build/data/$1
  [[ ! -f $script || -d $data ]] || bash "$script" "$data"
}

# One after the other, each with the same flags; says which failed.
run_all() {
  local program failed=() start from=$SECONDS log every
  unset "sources[convert]" "sources[predict]" "sources[playground]"  # they want a file, or stay
  mapfile -t every < <(printf '%s\n' "${!sources[@]}" | sort)
  bash "$root/cmake/build.sh" release "${every[@]}"
  mkdir -p "$build/out"
  for program in "${every[@]}"; do
    log=$build/out/$program.txt
    start=$SECONDS
    if (make_data "$program" && exec "$build/release/examples/$program" "$@") </dev/null >"$log" 2>&1; then
      printf '%-18s %3d s\n' "$program" $((SECONDS - start))
    else
      failed+=("$program")
      printf '%-18s %3d s, failed:\n' "$program" $((SECONDS - start))
      tail -n 20 "$log"
    fi
  done
  echo "${#every[@]} programs, $((SECONDS - from)) s, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
  [[ ${#failed[@]} -eq 0 ]]
}

if [[ $program != all && ! -v sources[$program] ]]; then
  near=()
  for known in "${!sources[@]}"; do
    [[ $known == *"$program"* || $program == *"$known"* || ${known:0:3} == "${program:0:3}" ]] && near+=("$known")
  done
  echo "run.sh: no program $program${near:+; did you mean ${near[*]}?}" >&2
  list >&2
  exit 2
fi

groups=(build run)
[[ $program != playground ]] || groups+=(playground)
[[ " ${*:2}" != *" --ranks"* ]] || groups+=(distributed)
bash "$root/cmake/install_dependencies.sh" "${groups[@]}"
build=$(realpath -m "${XGRAD_BUILD:-$root/build}")
# What was configured before MPI was there is to look again.
if [[ " ${groups[*]}" == *" distributed" ]] && grep -qs "^MPI_CXX_COMPILER:.*NOTFOUND" "$build/release/CMakeCache.txt"; then
  rm -f "$build/release/build.ninja"
fi
if [[ $program == all ]]; then
  run_all "${@:2}"
  exit
fi
binary=$build/release/examples/$program
code=0
bash "$root/cmake/build.sh" release "$program" || code=$?
[[ $code -ne 3 || ! -x $binary ]] || { echo "run.sh: running $program as it was built before" >&2; code=0; }
[[ $code -eq 0 ]] || exit "$code"
make_data "$program"
exec "$binary" "${@:2}"
