#!/usr/bin/env bash
# tables.sh DIRECTORY: what the programs of it that read tables make of good and of bad ones. Without the lectures'
# programs there is nothing to run.
source "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
[[ -x $programs/tabular ]] || { echo "the lectures' programs are not built: left out"; exit 0; }

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
# What an error names is a flag, and helps.
advised() {  # what, flags
  refused "$1" "$2" "${given[@]}"
  expect 0 "$1, $2" "$programs/tabular" --csv "$table" --target "${target:-kind}" --epochs 1 --quiet --force \
    --out "$folder/out" "${given[@]}" "${@:2}"
}
given=()
(echo "# cats"; rows) >"$table"; advised "a comment" --comment "#"
rows | tr , ';' >"$table"; advised "semicolons" --separator semicolon
rows | sed '1d;s/^/0/;s/cat/1/;s/dog/2/;s/red/3/;s/blue/4/' >"$table"; target=3 advised "no names" --header absent
rows | sed 's/$/,/;1s/$/colour/' >"$table"; advised "a name used twice" --columns size,kind
given=(--task regression)
rows | sed 's/^\([0-9]*\),/"\1,5",/' >"$table"; target=size advised "decimal commas" --decimal comma
rows | sed 's/^\([0-9]*\),/"\1,500",/' >"$table"; target=size advised "groups of three digits" --thousands comma
rows | sed '4s/^[0-9]*/-/' >"$table"; target=size advised "a dash for a missing value" --missing-words "-,NA"
given=()
expect 1 "a long pipe" "$programs/tabular" --csv <(rows) --target kind --max-bytes 9 --out "$folder/out" --quiet
says "found more than 9 bytes; --max-bytes says" "a long pipe"
table=/dev/zero refused "a device" "/dev/zero: read_csv: found a device"
expect 2 "two characters" "$programs/tabular" --csv "$table" --target kind --comment "//"
says "--comment //; need one character" "two characters"
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

[[ $failures -eq 0 ]]
