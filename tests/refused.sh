#!/usr/bin/env bash
# usage: refused.sh FLAGS...   Programs in refused/ that must not compile: with g++ and clang++, where there are any, the
# errors must say what stands behind "// refused:", in at most as many lines as "// lines:" says (without clang's count
# of errors), where "// line:" is, from the source on and with the first error in that line.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
failed=0
for source in tests/refused/*.cpp; do
  expected=$(sed -n 's|^// refused: ||p' "$source")
  line=$(sed -n 's|^// line: ||p' "$source")
  lines=$(sed -n 's|^// lines: ||p' "$source")
  [[ -n $expected ]] || { echo "$source: no line '// refused: TEXT'"; exit 1; }
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    if text=$("$compiler" -std=c++20 -fsyntax-only -I. "$@" "$source" 2>&1); then
      echo "$source: $compiler takes it"
      failed=1
    elif [[ $text != *"$expected"* ]]; then
      printf '%s: %s does not say "%s" but\n%s\n' "$source" "$compiler" "$expected" "$text"
      failed=1
    elif [[ -n $line && ($text != "$source:"* || $(grep -m1 "error:" <<<"$text") != "$source:$line:"*) ]]; then
      printf '%s: %s does not begin with an error in line %s but\n%s\n' "$source" "$compiler" "$line" "$text"
      failed=1
    elif [[ -n $lines && $(grep -cv "^[0-9]* errors\? generated\.$" <<<"$text") -gt $lines ]]; then
      printf '%s: %s says it in more than %s lines:\n%s\n' "$source" "$compiler" "$lines" "$text"
      failed=1
    fi
  done
done
exit $failed
