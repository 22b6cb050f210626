#!/usr/bin/env bash
# ranks.sh DIRECTORY: fashion_mnist on several ranks.
source "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
short=("$programs/fashion_mnist" --epochs 2 --width1 32 --width2 16 --batch 1024 --held-out 40000)
digest_of() { grep -o '"parameters_digest": *"[0-9a-f]*"' "$1"; }

# It starts itself, with what mpirun has to be told.
environment=("${!OMPI_@}")
launch=()
for name in "${environment[@]}"; do launch+=("$name=${!name}"); done
[[ ${#environment[@]} -eq 0 ]] || unset "${environment[@]}"
expect 0 "one process" "${short[@]}" --parts 4 --json "$folder/alone"
expect 0 "two ranks" "${short[@]}" --ranks 2 --json "$folder/two" --save "$folder/model.safetensors"
grep -q "starting 2 ranks: mpirun -n 2 " "$folder.out" || fail "two ranks: it does not say what it starts"
[[ $(grep -c "^epoch" "$folder.out") -eq 2 ]] || fail "two ranks: not one line an epoch: $(cat "$folder.out")"
[[ -s $folder/model.safetensors ]] || fail "two ranks: no model"
[[ $(digest_of "$folder/alone") == "$(digest_of "$folder/two")" ]] || fail "two ranks: another digest"

# Errors.
expect 1 "no data" "${short[@]}" --ranks 2 --data /nowhere
says "fashion_mnist: found neither" "no data"
expect 1 "more ranks than parts" "${short[@]}" --ranks 3 --parts 2
says "3 ranks, and batches of 1024 rows that are cut into 2" "more ranks than parts"
expect 2 "another number than mpirun's" env "${launch[@]}" mpirun --quiet -n 2 "${short[@]}" --ranks 3
says "--ranks 3, and mpirun started 2" "another number than mpirun's"

[[ $failures -eq 0 ]]
