#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: builds the targets (all if none is given) in build/PRESET. Prints one line when there is
# something to build, nothing when there is not, and the log when it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=$1
targets=("${@:2}")
directory=build/$preset
log=$directory/build.log
mkdir -p "$directory"

fail() {
  # What the first error dragged along says little.
  sed -n '/^\(FAILED\|CMake Error\)/,$p' "$log" | head -n 200 >&2
  echo "build.sh: $1 failed for the preset $preset; the whole log is in $log" >&2
  exit 1
}

first=""
if [[ ! -f $directory/build.ninja ]]; then
  first=" (first time: a minute or more)"
  cmake --preset "$preset" >"$log" 2>&1 </dev/null || fail "configuring"
fi

# Ninja's lines are "[done/all] what": a terminal sees them count.
announced=""
show() {
  local line
  while IFS= read -r line; do
    echo "$line" >>"$log"
    [[ $line =~ ^\[([0-9]+/[0-9]+)\]\ (Building|Linking) ]] || continue
    [[ -n $announced ]] || echo "building ${targets[*]:-everything}, preset $preset$first"
    announced=yes
    [[ ! -t 1 ]] || printf '\r[%s] ' "${BASH_REMATCH[1]}"
  done
  [[ ! -t 1 || -z $announced ]] || printf '\r\033[K'
}

arguments=(--build "$directory" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}")
[[ ${#targets[@]} -eq 0 ]] || arguments+=(--target "${targets[@]}")
: >"$log"
cmake "${arguments[@]}" 2>&1 </dev/null | show || fail "building"
