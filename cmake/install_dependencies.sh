#!/usr/bin/env bash
# install_dependencies.sh GROUP...: installs what the groups need and this machine lacks; says what that is when not root.
set -euo pipefail

declare -A groups=(
  [build]="g++ cmake ninja-build libxtensor-dev libxtensor-blas-dev libxsimd-dev libtbb-dev libopenblas-pthread-dev
           zlib1g-dev libzip-dev libfmt-dev libutfcpp-dev libcli11-dev nlohmann-json3-dev doctest-dev libadolc-dev libprotobuf-dev protobuf-compiler libonnx-dev"
  [run]="dataset-fashion-mnist gnuplot-nox"
  [benchmark]="libtorch-dev python3"
  [playground]="libcpp-httplib-dev pkg-config"
  [distributed]="libopenmpi-dev openmpi-bin"
  [browser]="chromium chromium-driver python3-selenium"
  [accuracy]="libmpfr-dev"
  [scikit_learn]="python3-sklearn"
  [ci]="clang clang-format libclang-rt-14-dev llvm-14 python3-numpy python3-onnx python3-protobuf"
)

packages=()
for group in "$@"; do
  [[ -v groups[$group] ]] || { echo "install_dependencies.sh: no group $group; known: ${!groups[*]}" >&2; exit 2; }
  packages+=(${groups[$group]})
done

if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system: make sure that what these packages hold is installed: ${packages[*]}" >&2
  exit 0
fi

find_missing() {
  local installed package
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
  missing=()
  for package in "${packages[@]}"; do
    grep -qx "installed $package" <<<"$installed" || missing+=("$package")
  done
}
find_missing
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) -ne 0 ]]; then
  echo "These Debian packages are missing. Install them and run the command again:" >&2
  echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 2
fi

exec 8>"${TMPDIR:-/tmp}/xgrad_install.lock"
flock 8  # several at once: the first one installs
find_missing
[[ ${#missing[@]} -gt 0 ]] || exit 0

echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=600 "${missing[@]}"; } \
    </dev/null >"$log" 2>&1; then
  cat "$log" >&2
  echo "install_dependencies.sh: apt-get failed" >&2
  exit 1
fi
