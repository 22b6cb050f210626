#!/usr/bin/env bash
# checkpoints.sh DIRECTORY: programs of it that train with nn::fit, ended in the middle by Ctrl-C and SIGTERM, go on with
# --resume, and end with the numbers of a run that was left alone.
source "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
cd "$folder" || exit 1

# Programs that train, and how they take a few seconds.
declare -A short=(
  [xor]="--seeds 4 --epochs 1500"
  [linear_regression]="--quick"
  [recommender]="--quick --epochs 2"
  [spiral]="--quick --epochs 30 --noise 0.1"
  [fashion_mnist]="--quick"
  [letters]="--quick"
  [tabular]="--csv table.csv --target y --epochs 60 --cross-validate 1"
)
# Programs that begin anew: in a loop of their own, which is what they show or lasts a second or two, fit has no part.
# optimizers calls fit for small trainings; playground steps when its page asks; gan has two optimizers, pinn a loss of
# derivatives.
anew=" activations animals approximation custom_model gan initialisation loss_landscape losses network_graph"
anew+=" optimizers pinn playground "
for source in "$root"/examples/*.cpp "$root"/examples/lectures/*.cpp; do
  name=$(basename "$source" .cpp)
  grep -q "nn::fit(\|training\.fit(\|\.step(" "$source" && [[ $anew != *" $name "* && -z ${short[$name]-} ]] &&
    fail "$name trains: it needs --checkpoint and --resume, and a line here"
done

# What a run found, without the times that it took and the files of its flags.
numbers() { sed '/seconds[^[]*\[/,/\]/d; /seconds\|"json"\|"checkpoint\|"resume"\|"out"/d' "$1"; }
# ended SIGNAL COMMAND...: its exit code; the signal comes once it has written a checkpoint.
ended() {
  local process
  "${@:2}" >"$folder.out" 2>"$folder.err" &
  process=$!
  for _ in $(seq 2000); do
    compgen -G "run*" >/dev/null && break
    kill -0 "$process" 2>/dev/null || break
    sleep 0.01
  done
  kill -s "$1" "$process" 2>/dev/null
  wait "$process"
}

awk 'BEGIN { print "a,b,y"; for (i = 0; i < 200; ++i) print sin(i) "," cos(3 * i) "," 2 * sin(i) - cos(3 * i) }' >table.csv
for name in "${!short[@]}"; do
  [[ -z ${XGRAD_SKIP_SLOW_TESTS-} || $name == xor ]] || continue
  [[ -x $programs/$name ]] || { echo "$name is not built: left out"; continue; }
  command=("$programs/$name" ${short[$name]} --quiet)
  "$programs/$name" --help | grep -q -- "--out" && command+=(--out out)
  if [[ $name == letters ]]; then
    data=$(ls "$root"/build/data/letters.csv "$root"/build/data/letters/letters.csv 2>/dev/null | head -n 1)
    [[ -n $data ]] || { echo "letters has no data: left out"; continue; }
    command+=(--data "$data")
  fi
  expect 0 "$name left alone" "${command[@]}" --json alone.json
  for signal in INT TERM; do
    rm -rf run* out
    code=0
    ended $signal "${command[@]}" --checkpoint run --checkpoint-every 20 || code=$?
    [[ $code -eq $([[ $signal == INT ]] && echo 130 || echo 143) ]] || fail "$name, $signal: exit code $code"
    expect 0 "$name resumed after $signal" "${command[@]}" --resume run --json resumed.json
    cmp -s <(numbers alone.json) <(numbers resumed.json) ||
      fail "$name, $signal: $(diff <(numbers alone.json) <(numbers resumed.json) | head -n 3)"
  done
  expect 1 "$name resumed from nothing" "${command[@]}" --resume none
  says "cannot be opened" "$name resumed from nothing"
done

[[ $failures -eq 0 ]]
