#!/usr/bin/env bash
# programs.sh DIRECTORY: what the programs in it, and the scripts that build them, do with wrong flags, with outputs that
# are full, closed or dumb, and with signals.
source "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
short=("$programs/xor" --seeds 1 --epochs 1)

# Wrong flags.
expect 2 "a seed beyond 2^64 - 1" "${short[@]}" --seed 18446744073709551616
expect 2 "an empty path" "${short[@]}" --json ''
expect 2 "two files in one" "$programs/fashion_mnist" --json "$folder/a" --report "$folder/a"
says "--json and --report are both" "two files in one"
expect 2 "an unknown operation" "$programs/check_gradients" --operation matmull
says "near are matmul" "an unknown operation"
says "--list" "an unknown operation"
expect 0 "the list of operations" "$programs/check_gradients" --list
grep -qx cross_entropy "$folder.out" || fail "the list of operations: no cross_entropy"
expect 2 "an unknown program" bash "$root/examples/run.sh" fashion
says "did you mean fashion_mnist?" "an unknown program"

# Every number and choice of every program, beyond both ends of its range, and where pictures cannot be written.
beyond() {  # what `--help` says of a number: INT:1 to 100=7
  echo nan
  sed -nE 's/^[A-Z]+:([^ ]+) (to ([^= ]+)|or more).*/\1 \3/p' <<<"$1" |
    awk '{ printf "%.12g\n", $1 - 1; if ($2 != "") printf "%.12g\n", $2 + 1 }'
}
for program in "$programs"/*; do
  [[ -f $program && -x $program ]] || continue
  name=$(basename "$program")
  while read -r flag range; do
    [[ $range == TEXT* ]] && values=(none-of-these) || mapfile -t values < <(beyond "$range")
    for value in "${values[@]}"; do
      expect 2 "$name $flag $value" "$program" "$flag" "$value"
      says "$name: " "$name $flag $value"
    done
  done < <("$program" --help | grep -oE -- '--[a-z0-9-]+ ((INT|UINT|FLOAT).*|TEXT:\{.*)')
  if "$program" --help | grep -q -- '--out '; then
    expect 2 "$name: --out that cannot be made" "$program" --out /proc/nowhere
    says "$name: --out /proc/nowhere" "$name: --out that cannot be made"
  fi
done

# Outputs.
to() { "${@:2}" >"$1"; }
expect 1 "a full output" to /dev/full "${short[@]}"
says "standard output cannot be written" "a full output"
expect 1 "a full output of the help" to /dev/full "${short[@]}" --help
expect 0 "a full output that nothing is written to" to /dev/full "${short[@]}" --quiet
closed() { "$@" >&-; }
expect 1 "a closed output" closed "${short[@]}" --json "$folder/closed.json"
[[ $(head -c 1 "$folder/closed.json") == "{" ]] && ! grep -q "hand-set weights" "$folder/closed.json" ||
  fail "a closed output: its text is in the JSON file"
all_closed() { "$@" <&- >&- 2>&-; }
expect 0 "no standard streams" all_closed "${short[@]}" --quiet --json "$folder/closed.json"
if command -v script >/dev/null; then
  for term in dumb xterm; do
    TERM=$term script -qec "${short[*]} --epochs 20000" "$folder.log" >/dev/null </dev/null
    grep -q $'\033' "$folder.log" && escapes=yes || escapes=no
    [[ $term != dumb || $escapes == no ]] || fail "TERM=dumb: escapes"
  done
fi

# Signals: a program that goes on for long, ended as soon as it runs.
rm -f "$folder"/*
ended_by() {
  local signal process
  rm -f "$folder.out"  # of the one before
  "$programs/xor" --seeds 1000 --epochs 1000000 --json "$folder/a.json" >"$folder.out" 2>&1 &
  process=$!
  for _ in $(seq 200); do
    grep -qs "a single layer\|hand-set" "$folder.out" && break
    sleep 0.05
  done
  for signal in "$@"; do
    kill -s "$signal" "$process" 2>/dev/null  # the first Ctrl-C may have ended it
    sleep 0.1
  done
  wait "$process"
}
ended_by TERM
ended_by PIPE
ended_by INT INT
left=$(ls -A "$folder" | grep -vx a.json)  # the first Ctrl-C may have ended it in time
[[ -z $left ]] || fail "signals: they leave $left"

# Builds.
mkdir "$folder/bin"
cat >"$folder/bin/cmake" <<'END'
#!/usr/bin/env bash
echo "begin $*" >>"$LOG"
sleep 0.3
for ((i = 1; i <= $#; ++i)); do [[ ${!i} != -B ]] || { next=$((i + 1)); touch "${!next}/build.ninja"; }; done
echo end >>"$LOG"
END
chmod +x "$folder/bin/cmake"
export LOG=$folder/log
for _ in 1 2 3; do PATH=$folder/bin:$PATH XGRAD_BUILD=$folder/build bash "$root/cmake/build.sh" release xor >/dev/null & done
wait
[[ $(grep -c "begin --preset" "$LOG") -eq 1 ]] || fail "builds at once: configured $(grep -c "begin --preset" "$LOG") times"
[[ $(grep -c begin "$LOG") -eq 4 ]] || fail "builds at once: $(grep -c begin "$LOG") runs of cmake, expected 4"
[[ $(awk '/begin/ && ++open > 1 {bad = 1} /end/ {--open} END {print bad + 0}' "$LOG") -eq 0 ]] ||
  fail "builds at once: two at a time"
expect 3 "a directory that cannot be written" env XGRAD_BUILD=/proc/nowhere bash "$root/cmake/build.sh" release xor
says "XGRAD_BUILD" "a directory that cannot be written"

# A user who may not write the source tree runs what is built, or is told where to build.
tree=$folder/tree
mkdir -p "$tree/build/release/examples" "$tree/examples" "$tree/tests"
cp -r "$root/cmake" "$tree"
cp "$root"/examples/{run.sh,xor.cpp,gan.cpp} "$tree/examples"
cp "$root/tests/run.sh" "$tree/tests"
cp "$programs/xor" "$tree/build/release/examples"
chmod 755 "$folder"
chmod -R a-w,a+rX "$tree"
as_another() {
  if [[ $(id -u) -eq 0 ]]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}
expect 0 "a tree of others" as_another bash "$tree/examples/run.sh" xor --seeds 1 --epochs 1
says "running xor as it was built before" "a tree of others"
for command in "examples/run.sh gan" "tests/run.sh"; do
  expect 3 "a tree of others: $command" as_another bash "$tree"/$command
  says "build elsewhere: XGRAD_BUILD=/a/directory" "a tree of others: $command"
done
chmod -R u+w "$tree"

[[ $failures -eq 0 ]]
