# What the shell tests of programs share; to be sourced. $folder is an empty folder that goes with the test.
set -uo pipefail
programs=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=$(mktemp -d)
# Of this shell, not of a child that a signal ends before it becomes a program.
trap '[[ $BASHPID -ne $$ ]] || rm -rf "$folder" "$folder".*' EXIT
failures=0

fail() {
  echo "FAILED: $1" >&2
  failures=$((failures + 1))
}
# expect CODE NAME COMMAND...: the command's exit code.
expect() {
  local code=0
  "${@:3}" >"$folder.out" 2>"$folder.err" || code=$?
  [[ $code -eq $1 ]] || fail "$2: exit code $code, expected $1: $(head -n 1 "$folder.err")"
}
# says TEXT NAME: in the errors of the last command.
says() { grep -qF -- "$1" "$folder.err" || fail "$2: no '$1' in: $(head -n 1 "$folder.err")"; }
# prints TEXT NAME: in the output of the last command.
prints() { grep -qF -- "$1" "$folder.out" || fail "$2: no '$1' in: $(head -n 3 "$folder.out")"; }
