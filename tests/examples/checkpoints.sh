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
  [activations]=""
  [animals]="--steps 3000"
  [approximation]="--steps 1500"
  [custom_model]="--epochs 5000"
  [gan]="--steps 200 --batch 32"
  [initialisation]="--depth 5"
  [loss_landscape]="--depth 4 --steps 600 --cells 3"
  [losses]="--steps 1000"
  [network_graph]=""
  [newton]="--descent-steps 1000"
  [neural_ode]="--steps 100"
  [optimizers]="--epochs 10"
  [pinn]="--steps 300"
  [playground]="--headless --steps 40000 --address data=spiral&batch=7&layers=8:tanh:0.2,4:prelu:0&optimizer=adam&events=50:learning_rate:0.01"
)
for source in "$root"/examples/*.cpp "$root"/examples/lectures/*.cpp; do
  name=$(basename "$source" .cpp)
  [[ $name == training || -n ${short[$name]+there} ]] && continue
  grep -q "nn::fit(\|training\.fit(\|\.step(\|checkpoints" "$source" &&
    fail "$name trains: it needs --checkpoint and --resume, and a line here"
done

# What a run found, without the times that it took and the files of its flags.
numbers() { sed '/seconds[^[]*\[/,/\]/d; /seconds\|_step_ms"\|"json"\|"checkpoint\|"resume"\|"out"/d' "$1"; }
# ended SIGNAL DELAY COMMAND...: its exit code; the signal comes DELAY seconds after it has written a checkpoint.
ended() {
  local process
  "${@:3}" >"$folder.out" 2>"$folder.err" &
  process=$!
  for _ in $(seq 2000); do
    compgen -G "run*" >/dev/null && break
    kill -0 "$process" 2>/dev/null || break
    sleep 0.01
  done
  sleep "$2"
  kill -s "$1" "$process" 2>/dev/null
  wait "$process"
}

RANDOM=1
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
  # Claims about a whole training need not hold after a few seconds, and then have the code 1.
  rm -rf out
  alone=0
  "${command[@]}" --json alone.json >"$folder.out" 2>"$folder.err" || alone=$?
  [[ $alone -eq 0 ]] || says "does not hold" "$name left alone"
  rm -rf pictures
  [[ ! -d out ]] || mv out pictures
  # At once, and at random moments, of which some may be too late.
  for stop in "INT 0" "TERM 0" "INT 0.$((RANDOM % 9))" "TERM 0.$((RANDOM % 9))"; do
    read -r signal delay <<<"$stop"
    rm -rf run* out
    code=0
    ended "$signal" "$delay" "${command[@]}" --checkpoint run --checkpoint-every 20 || code=$?
    [[ $code -eq $([[ $signal == INT ]] && echo 130 || echo 143) || $delay != 0 && $code -eq $alone ]] ||
      fail "$name, $stop: exit code $code"
    expect "$alone" "$name resumed after $stop" "${command[@]}" --resume run --json resumed.json
    cmp -s <(numbers alone.json) <(numbers resumed.json) ||
      fail "$name, $stop: $(diff <(numbers alone.json) <(numbers resumed.json) | head -n 3)"
    [[ ! -d pictures ]] || diff -rq pictures out >"$folder.out" || fail "$name, $stop: $(head -n 3 "$folder.out")"
  done
  expect 1 "$name resumed from nothing" "${command[@]}" --resume none
  says "cannot be opened" "$name resumed from nothing"
done

[[ $failures -eq 0 ]]
