#!/usr/bin/env bash
# Compares xgrad with LibTorch: installs what is missing, builds both, runs them in alternation, prints Markdown tables.
set -euo pipefail

for argument in "$@"; do
  [[ $argument == -h || $argument == --help ]] || continue
  echo "usage: bash tests/benchmark/run.sh [--quick] [--only NAME] [--threads N] [--json FILE]
  --quick      shorter and fewer runs: about 2 minutes
  --only NAME  one workload or one table; may be given several times
  --threads N  both programs on 1 or 2 threads only: 1 is meaningful while another program keeps a core busy
  --json FILE  also write every run's figures"
  exit
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/benchmark
build=$root/build/benchmark
libraries=/usr/lib/$(uname -m)-linux-gnu
mkdir -p "$build"

bash "$root/cmake/install_dependencies.sh" build benchmark >&2

# Each program gets its BLAS by LD_LIBRARY_PATH. The openmp build is only unpacked here: were it installed, it could
# become the whole system's choice.
openmp=$libraries/openblas-openmp
if [[ ! -e $openmp/libblas.so.3 ]]; then
  openmp=$build/libopenblas0-openmp$libraries/openblas-openmp
  if [[ ! -e $openmp/libblas.so.3 ]]; then
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    (cd "$download" && apt-get download -q -o APT::Sandbox::User=root libopenblas0-openmp) >&2
    dpkg -x "$download"/libopenblas0-openmp_*.deb "$build/libopenblas0-openmp"
  fi
fi

bash "$root/cmake/build.sh" release xgrad_benchmark xgrad_machine >&2

# LibTorch's program is no part of xgrad's build: nobody needs LibTorch to build xgrad.
for file in "$here"/libtorch_steps.cpp "$here"/*.hpp; do
  [[ $file -nt $build/libtorch_steps ]] || continue
  echo "building libtorch_steps" >&2
  g++ -std=c++17 -O3 -march=native -isystem /usr/include/torch/csrc/api/include "$here/libtorch_steps.cpp" \
    -o "$build/libtorch_steps" -ltorch -ltorch_cpu -lc10
  break
done

python3 "$here/compare.py" --machine "$root/build/release/xgrad_machine" --xgrad "$root/build/release/xgrad_benchmark" \
  --libtorch "$build/libtorch_steps" --pthread-blas "$libraries/openblas-pthread" --openmp-blas "$openmp" "$@"
