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

# Every number of every program, and where pictures cannot be written.
for program in "$programs"/*; do
  [[ -f $program && -x $program ]] || continue
  name=$(basename "$program")
  while read -r flag _; do
    expect 2 "$name $flag nan" "$program" "$flag" nan
    says "$name: " "$name $flag nan"
  done < <("$program" --help | grep -oE -- '--[a-z0-9-]+ (INT|UINT|FLOAT)')
  if "$program" --help | grep -q -- '--out '; then
    expect 2 "$name: --out that cannot be made" "$program" --out /proc/nowhere
    says "$name: --out /proc/nowhere" "$name: --out that cannot be made"
  fi
done

# Tables that are none. Errors are one line, and nothing is left.
one_line() { [[ $(wc -l <"$folder.err") -eq 1 ]] || fail "$1: more than one line: $(cat "$folder.err")"; }
table=$folder/table.csv
refused() {
  rm -rf "$folder/out"
  expect 1 "$1" "$programs/tabular" --csv "$table" --target "${target:-kind}" --out "$folder/out" --report "$folder/page.html" \
    --save "$folder/model.safetensors" --quiet "${@:3}"
  says "$2" "$1"
  one_line "$1"
  [[ -z $(ls -A "$folder/out") && ! -e $folder/page.html && ! -e $folder/model.safetensors ]] || fail "$1: something is left"
}
rows() { printf 'size,colour,kind\n'; for ((i = 0; i < 40; ++i)); do printf '%s,%s,%s\n' $((i % 7 + i % 2 * 10)) \
  "$([[ $((i % 3)) -eq 0 ]] && echo red || echo blue)" "$([[ $((i % 2)) -eq 0 ]] && echo cat || echo dog)"; done; }
rm -f "$table"; refused "no table" "$table"
rows | sed '3s/,/;/' >"$table"; refused "a ragged row" "$table:3:"
printf 'size,colour,kind\n' >"$table"; refused "no rows" "$table:1:1"
rows | sed '4s/cat/"cat/' >"$table"; refused "an open quote" "$table:4:"
rows >"$table"; target=kinds refused "no such target" "did you mean kind?"
rows | sed 's/dog/cat/' >"$table"; refused "one class" "one class only"
rows | sed '5s/^[0-9]*/?/' >"$table"; refused "a missing value" "$table:5:1" --missing error
rows >"$table"; refused "text for a number" "$table:2:" --task regression
rows | sed '9s/cat/bird/;9s/dog/bird/' >"$table"; refused "a class of one row" "class 0 has 1 rows"
rows >"$table"; refused "no column left" "no column is left" --ignore size,colour
expect 2 "no target" "$programs/tabular" --csv "$table"
says "--target is missing" "no target"
printf 'x\n1\n' >"$table"
expect 1 "letters of another table" "$programs/letters" --data "$table" --out "$folder/out" --quiet
says "$table:1:1: no column 'lettr'" "letters of another table"
expect 1 "no letters" "$programs/letters" --data "$folder/none.csv" --out "$folder/out" --quiet
says "letters_data.sh" "no letters"
expect 1 "no images" "$programs/fashion_mnist" --data "$folder/none" --quiet
says "$folder/none" "no images"

# A disk that is full after 4 KB: no picture is better than half of one.
full() { (trap '' XFSZ; ulimit -f 4; exec "$@"); }
rows >"$table"
for command in "animals" "tabular --csv $table --target kind"; do
  rm -rf "$folder/out"
  expect 1 "a full disk: $command" full "$programs"/$command --quiet --out "$folder/out"
  one_line "a full disk: $command"
  [[ -z $(ls -A "$folder/out") ]] || fail "a full disk: $command leaves $(ls -A "$folder/out")"
done

# A table with categories and gaps is learned, and predict reads what was saved.
rows | sed '6s/^[0-9]*/NA/;7s/blue//;7s/red//;8s/cat//;8s/dog//' >"$table"
expect 0 "a table" "$programs/tabular" --csv "$table" --target kind --out "$folder/out" --report "$folder/page.html" \
  --save "$folder/model.safetensors" --json "$folder/result.json" --cross-validate 1
for text in "size    14      1        a number; the mean where it is missing" "colour  2       1        one-hot; zeros where" \
  "39 rows, 3 inputs, 2 classes of 'kind'; 1 without a target left out" "nothing to object to" "cross-validation, 1 × 5"; do
  grep -qF -- "$text" "$folder.out" || fail "a table: no '$text' in $(cat "$folder.out")"
done
grep -q '<h' "$folder/page.html" || fail "a table: no page"
printf 'weight,colour,size\n0,red,16\n0,blue,1\n0,,?\n' >"$table"
expect 0 "predict" "$programs/predict" --model "$folder/model.safetensors" --inputs "$table" --output "$folder/out.csv"
[[ $(cut -d, -f1 "$folder/out.csv" | head -n 3 | tr '\n' ' ') == "class dog cat " && $(wc -l <"$folder/out.csv") -eq 4 ]] ||
  fail "predict: $(cat "$folder/out.csv")"
printf 'colour,size\ngreen,16\n' >"$table"
expect 1 "predict: an unknown category" "$programs/predict" --model "$folder/model.safetensors" --inputs "$table" \
  --output "$folder/out.csv"
says "$table:2:1: unknown category 'green'" "predict: an unknown category"
rm -rf "$folder"/*

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
  "$programs/xor" --seeds 1000 --epochs 1000000 --json "$folder/a.json" >"$folder.out" 2>&1 &
  process=$!
  for _ in $(seq 200); do
    grep -q "a single layer\|hand-set" "$folder.out" && break
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

[[ $failures -eq 0 ]]
