#!/usr/bin/env bash
# model_files.sh DIRECTORY: what convert and predict in it do with files that are right, wrong, missing, damaged or full.
source "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
convert=$programs/convert
predict=$programs/predict
corpus=$root/tests/fuzz/corpus
cd "$folder" || exit 1

# Flags.
for program in "$convert" "$predict"; do
  expect 0 "the help of $program" "$program" --help
  expect 2 "an unknown flag" "$program" --form x
done
expect 2 "predict without flags" "$predict"
says "--model, --inputs and --output are needed" "predict without flags"
expect 2 "convert without a file" "$convert" --to a.npz
says "--from is missing" "convert without a file"
expect 2 "an unknown kind" "$convert" --from a.pt
says "unknown kind of file a.pt; known are .safetensors, .npz, .npy" "an unknown kind"
expect 2 "a kind that is only written" "$convert" --from a.c
says ".c is only written" "a kind that is only written"
expect 2 "an unknown kind to write" "$convert" --from model.safetensors --to a.pt

# Files of tensors.
cp "$corpus/safetensors/two" two.safetensors
expect 0 "a listing" "$convert" --from two.safetensors --json list.json
prints "total" "a listing"
expect 0 "safetensors to npz" "$convert" --from two.safetensors --to two.npz
expect 0 "npz to safetensors" "$convert" --from two.npz --to again.safetensors
expect 0 "a listing of the copy" "$convert" --from again.safetensors
cp "$folder.out" copy
expect 0 "a listing of the npz" "$convert" --from two.npz
cmp -s copy "$folder.out" || fail "there and back: another listing"
expect 1 "weights without a graph" "$convert" --from two.npz --to two.c
says "two.npz: has no graph" "weights without a graph"
printf '\x93NUMPY\x01\x00\x3e\x00%-61s\n\x00\x3c\x00\x40' "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }" >half.npy
expect 0 "a listing without the values" "$convert" --from half.npy
prints "half   float16  (2,)         2      4" "a listing without the values"
head -c 73 half.npy >cut.npy
expect 1 "a listing of an array that is cut" "$convert" --from cut.npy
says "found 1 bytes behind the header; need 4" "a listing of an array that is cut"
expect 1 "several tensors in one array" "$convert" --from two.safetensors --to two.npy
says "an .npy file has one: choose it by --tensor" "several tensors in one array"
name=$(awk 'NR == 2 { print $1 }' copy)
expect 0 "one tensor" "$convert" --from two.safetensors --tensor "$name" --to one.npy
expect 0 "one array" "$convert" --from one.npy --to one.safetensors
expect 1 "a tensor that is not there" "$convert" --from two.safetensors --tensor "${name}x"
says "has no tensor ${name}x" "a tensor that is not there"
says "did you mean $name?" "a tensor that is not there"
expect 1 "no graph" "$convert" --from two.safetensors --to two.c
says "need a model that was saved with .graph = nn::trace(model, shape)" "no graph"

# Files that cannot be read or written.
expect 1 "a missing file" "$convert" --from none.safetensors
says "none.safetensors: cannot be opened: No such file or directory" "a missing file"
mkdir folder.npz
expect 1 "a folder" "$convert" --from folder.npz
says "is a folder" "a folder"
head -c 100 two.safetensors >cut.safetensors
expect 1 "a file that is cut" "$convert" --from cut.safetensors --to cut.npz
says "truncated" "a file that is cut"
[[ ! -e cut.npz ]] || fail "a file that is cut: something was written"
expect 1 "a folder that is missing" "$convert" --from two.safetensors --to none/two.npz
says "none/two.npz: cannot be written" "a folder that is missing"
ln -s /dev/full full.npz
expect 1 "a full disk" "$convert" --from two.safetensors --to full.npz
says "full.npz: writing failed: No space left on device" "a full disk"

# A model: in C and by predict the same numbers.
cp "$corpus/onnx/sigmoid" model.onnx
expect 2 "an unknown kind" "$convert" --from a.pt
if grep -q "[.]onnx," "$folder.err"; then  # built with ONNX
  model=model.safetensors
  expect 0 "a model of ONNX" "$convert" --from model.onnx --to $model
  expect 0 "a model as C" "$convert" --from $model --to model.c
  expect 0 "a model as ONNX" "$convert" --from $model --to again.onnx
  expect 0 "ONNX again" "$convert" --from again.onnx --to again.safetensors
  printf '0.5,-1\n3,0.25\n-100,100\n' >inputs.csv
  expect 0 "predictions" "$predict" --model $model --inputs inputs.csv --output predictions.csv --json predict.json
  prints "3 rows, (3, 1)" "predictions"
  [[ $(head -n 1 predictions.csv) == output_0 && $(wc -l <predictions.csv) -eq 4 ]] ||
    fail "predictions: $(head -n 2 predictions.csv)"
  expect 0 "predictions of the copy" "$predict" --model again.safetensors --inputs inputs.csv --output again.csv
  cmp -s predictions.csv again.csv || fail "predictions of the copy differ"
  cat >main.c <<'END'
#include <stdio.h>
int model_predict(const float* input, float* output);
int main(void) {
  const float x[3][2] = {{0.5f, -1}, {3, 0.25f}, {-100, 100}};
  float y;
  for (int i = 0; i < 3; ++i) {
    if (model_predict(x[i], &y) != 0) return 1;
    printf("%.9g\n", (double)y);
  }
  return 0;
}
END
  gcc -std=c99 -Wall -Wextra -Werror -pedantic model.c main.c -o main -lm || fail "C that does not compile"
  paste <(./main) <(tail -n 3 predictions.csv) |
    awk '{ d = $1 - $2; if (d < 0) d = -d; if (!(d < 1e-5)) bad = 1 } END { exit NR != 3 || bad }' ||
    fail "C and predict differ: $(paste <(./main) <(tail -n 3 predictions.csv) | head -n 1)"
  expect 2 "an unknown kind of predictions" "$predict" --model $model --inputs inputs.csv --output x.pt
  says "known are .csv and .npy" "an unknown kind of predictions"
  tr , ';' <inputs.csv | tr . , >marks.csv
  expect 0 "other marks" "$predict" --model $model --inputs marks.csv --output marks_read.csv --separator semicolon --decimal comma
  cmp -s predictions.csv marks_read.csv || fail "other marks: other predictions"
  expect 0 "predictions as an array" "$predict" --model $model --inputs inputs.csv --output predictions.npy
  expect 0 "the array" "$convert" --from predictions.npy
  prints "(3, 1)" "the array"
  expect 1 "an array of one column" "$predict" --model $model --inputs predictions.npy --output x.csv
  printf '1,2,3\n' >wide.csv
  expect 1 "rows that are too wide" "$predict" --model $model --inputs wide.csv --output x.csv
  printf '1,two\n' >text.csv
  expect 1 "text for numbers" "$predict" --model $model --inputs text.csv --output x.csv
  : >empty.csv
  expect 1 "no rows" "$predict" --model $model --inputs empty.csv --output x.csv
  expect 1 "missing inputs" "$predict" --model $model --inputs none.csv --output x.csv
  says "none.csv" "missing inputs"
  expect 1 "a full disk of predictions" "$predict" --model $model --inputs inputs.csv --output /dev/full
  expect 1 "a damaged model" "$predict" --model cut.safetensors --inputs inputs.csv --output x.csv
  [[ ! -e x.csv ]] || fail "predictions of what is wrong"
fi
expect 1 "a model without a graph" "$predict" --model two.safetensors --inputs inputs.csv --output x.csv
says "has no graph" "a model without a graph"
cp "$corpus/model/sigmoid" scaled.safetensors
printf '0.5,-1\n' >inputs.csv
expect 1 "a scaler of other columns" "$predict" --model scaled.safetensors --inputs inputs.csv --output x.csv
says "column" "a scaler of other columns"

[[ $failures -eq 0 ]]
