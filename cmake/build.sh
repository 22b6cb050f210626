#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: builds the targets (all if none is given) in build/PRESET, or in $XGRAD_BUILD/PRESET. Prints
# one line when there is something to build, nothing when there is not, and the log when it fails. Several at once build
# one after the other. Exit code 3: the directory cannot be written, so that nothing was built.
set -euo pipefail
[[ -z ${XGRAD_BUILD:-} ]] || XGRAD_BUILD=$(realpath -m "$XGRAD_BUILD")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=$1
targets=("${@:2}")
directory=${XGRAD_BUILD:-build}/$preset
log=$directory/build.log
if ! { mkdir -p "$directory" && exec 9>"$directory/.lock"; } 2>/dev/null; then
  echo "build.sh: $directory cannot be written; build elsewhere: XGRAD_BUILD=/a/directory/of/yours before the command" >&2
  exit 3
fi
if ! flock --nonblock 9; then
  echo "waiting for another build in $directory"
  flock 9
fi

fail() {
  # What the first error dragged along says little.
  sed -n '/^\(FAILED\|CMake Error\)/,$p' "$log" | head -n 200 >&2
  echo "build.sh: $1 failed for the preset $preset; the whole log is in $log" >&2
  exit 1
}

first=""
if [[ ! -f $directory/build.ninja ]]; then
  first=" (first time: a minute or more)"
  cmake --preset "$preset" -B "$directory" >"$log" 2>&1 </dev/null 9>&- || fail "configuring"
fi

# Ninja's lines are "[done/all] what": a terminal sees them count.
announced=""
terminal=""
[[ ! -t 1 || ${TERM:-dumb} == dumb ]] || terminal=yes
show() {
  local line
  while IFS= read -r line; do
    echo "$line" >>"$log"
    [[ $line =~ ^\[([0-9]+/[0-9]+)\]\ (Building|Linking) ]] || continue
    [[ -n $announced ]] || echo "building ${targets[*]:-everything}, preset $preset$first"
    announced=yes
    [[ -z $terminal ]] || printf '\r[%s] ' "${BASH_REMATCH[1]}"
  done
  [[ -z $terminal || -z $announced ]] || printf '\r\033[K'
}

arguments=(--build "$directory" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}")
[[ ${#targets[@]} -eq 0 ]] || arguments+=(--target "${targets[@]}")
: >"$log"
cmake "${arguments[@]}" 2>&1 </dev/null 9>&- | show || fail "building"
