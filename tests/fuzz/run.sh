#!/usr/bin/env bash
# run.sh SECONDS [READER...]: each reader of files under libFuzzer for so many seconds, from the corpus in the tree. What was
# found lies in build/fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=$1
readers=("${@:2}")
[[ ${#readers[@]} -gt 0 ]] || readers=($(ls tests/fuzz/corpus))
bash cmake/build.sh asan-ubsan xgrad_fuzz
for reader in "${readers[@]}"; do
  mkdir -p "build/fuzz/$reader"
  echo "$reader"
  XGRAD_FUZZ=$reader build/asan-ubsan/xgrad_fuzz "build/fuzz/$reader" "tests/fuzz/corpus/$reader" \
    -max_total_time="$seconds" -runs="${XGRAD_FUZZ_RUNS:--1}" -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$reader-" 2>&1 | grep -E "^stat::number|^stat::peak|ERROR|SUMMARY" || true
  if compgen -G "build/fuzz/$reader-*" >/dev/null; then
    echo "run.sh: faults of the reader of $reader: build/fuzz/$reader-*" >&2
    exit 1
  fi
done
