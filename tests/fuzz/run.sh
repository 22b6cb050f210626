#!/usr/bin/env bash
# run.sh SECONDS [READER...]: readers of files, all if none is named, under libFuzzer for so many seconds each, or
# $XGRAD_FUZZ_RUNS executions if these come first, from the corpus in the tree; $XGRAD_FUZZ_JOBS at a time, by default as
# many as there are cores. What was found lies in build/fuzz. No reader may take 64 MiB at once for a file of 16 KiB; what
# the process has in all grows with the pieces that AddressSanitizer keeps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export seconds=$1
readers=("${@:2}")
[[ ${#readers[@]} -gt 0 ]] || readers=($(ls tests/fuzz/corpus))
bash cmake/build.sh asan-ubsan xgrad_fuzz

fuzz() {
  local reader=$1 log=build/fuzz/$1.log
  mkdir -p "build/fuzz/$reader"
  figure() { sed -n "s/^stat::$1: *//p" "$log"; }
  if XGRAD_FUZZ=$reader build/asan-ubsan/xgrad_fuzz "build/fuzz/$reader" "tests/fuzz/corpus/$reader" \
    -max_total_time="$seconds" -runs="${XGRAD_FUZZ_RUNS:--1}" -max_len=16384 -timeout=60 -malloc_limit_mb=64 \
    -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="build/fuzz/$reader-" >"$log" 2>&1; then
    echo "$reader: $(figure number_of_executed_units) executions, nothing found, at most $(figure peak_rss_mb) MiB"
  else
    tail -n 40 "$log" >&2
    echo "run.sh: a fault of the reader of $reader: $log" >&2
    return 1
  fi
}
export -f fuzz
printf '%s\n' "${readers[@]}" | xargs -P "${XGRAD_FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'fuzz {}'
