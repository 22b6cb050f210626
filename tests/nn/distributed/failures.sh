#!/usr/bin/env bash
# failures.sh VICTIM [TIMES]: trainings on ranks that are killed at a random moment, TIMES times (5), go on, on another
# number of ranks, and end with the bytes of one that was not; ranks that fail end all with their error and exit code.
set -euo pipefail
victim=$1
times=${2:-5}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { echo "failures.sh: $*" >&2; exit 1; }
ranks() { mpirun --quiet -n "$1" "$victim" "${@:2}"; }

"$victim" "$folder/alone"  # not started by mpirun: one rank
expected=$(cat "$folder/alone.done")

# A training until it is done, killed as often as it is hit.
kills=0
train_and_kill() {
  local path=$1 count started file
  while [[ ! -f $path.done ]]; do
    count=$((1 + RANDOM % 4))
    rm -f "$path".pid.*
    ranks "$count" "$path" 2>"$folder/log" &
    started=$!
    file=$path.pid.$((RANDOM % count))
    # A moment of the training: how long its programs take to start differs by seconds.
    while [[ ! -f $file ]] && kill -0 "$started" 2>/dev/null; do sleep 0.02; done
    sleep "0.$((RANDOM % 8))$((RANDOM % 10))"
    if [[ $kills -lt $times && -f $file ]] && kill -9 "$(cat "$file")" 2>/dev/null; then
      kills=$((kills + 1))
      wait "$started" && [[ ! -f $path.done ]] && fail "a killed rank ended nobody"
    else
      wait "$started" || fail "it was not killed: $(cat "$folder/log")"
    fi
  done
  [[ $(cat "$path.done") == "$expected" ]] || fail "other bytes after $kills kills"
}
for ((training = 0; kills < times; ++training)); do train_and_kill "$folder/killed$training"; done
echo "killed $kills times in $training trainings, which went on to the bytes of an uninterrupted one"

code=0
ranks 3 "$folder/throws" throw 2>"$folder/log" || code=$?
[[ $code -eq 1 ]] || fail "a rank throws: exit code $code"
grep -q "the last rank fails" "$folder/log" || fail "a rank throws: $(cat "$folder/log")"
code=0
ranks 3 "$folder/exits" exit 2>"$folder/log" || code=$?
[[ $code -ne 0 ]] || fail "a rank that goes away ends nobody"
code=0
ranks 2 "$folder/single" single 2>"$folder/log" || code=$?
[[ $code -eq 1 ]] || fail "a low thread level: exit code $code"
grep -q "need MPI_THREAD_MULTIPLE" "$folder/log" || fail "a low thread level: $(cat "$folder/log")"
code=0
ranks 5 "$folder/many" 2>"$folder/log" || code=$?
[[ $code -eq 1 ]] || fail "more ranks than parts: exit code $code"
grep -q "5 ranks, and batches of 16 rows that are cut into 4" "$folder/log" || fail "$(cat "$folder/log")"
echo "ranks that fail end all, with their error"
