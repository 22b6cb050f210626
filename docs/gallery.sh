#!/usr/bin/env bash
# gallery.sh: runs the programs of the lectures and makes the pictures of docs/gallery.md again: those that the page names,
# each below 60 KB. Nothing is taken from an earlier run, which may have been a --quick one.
set -euo pipefail
docs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$docs")
out=$root/build/out/gallery

rm -rf "$out"
ok=yes
while IFS=- read -r program picture; do
  if [[ ! -d $out/$program ]]; then  # one run draws all of its pictures
    (cd "$root" && bash examples/run.sh "$program" --quiet --out "$out/$program")
  fi
  from=$out/$program/$picture.svg to=$docs/gallery/$program-$picture.svg
  size=$(stat --format=%s "$from")
  if ((size >= 60000)); then
    echo "gallery.sh: $from has $size bytes; need less than 60000" >&2
    ok=no
    continue
  fi
  cp "$from" "$to"
done < <(sed -n 's|.*(gallery/\(.*\)\.svg).*|\1|p' "$docs/gallery.md")
[[ $ok == yes ]]
