#!/usr/bin/env bash
# Compares xgrad with LibTorch: installs what is missing, builds both, runs them in alternation, prints Markdown tables.
set -euo pipefail

for argument in "$@"; do
  [[ $argument == -h || $argument == --help ]] || continue
  echo "usage: bash tests/benchmark/run.sh [--quick] [--only NAME] [--threads N] [--json FILE] [--picture FILE]
  --quick         about 2 minutes, in shorter and fewer runs: step times, 4M elements, operations at 1 and 1000 elements,
                  softmax, optimizer, start-up, memory and size. Without it also operations at 65,536 and 4M elements,
                  reductions, products, Fashion-MNIST, compile time and the cost as work grows: about 25 minutes
  --only NAME     one workload or one table; may be given several times
  --threads N     both programs on 1 or 2 threads only: 1 is meaningful while another program keeps a core busy
  --json FILE     also write every run's figures
  --picture FILE  where to draw the cost as work grows (SVG); a full run draws tests/benchmark/cost_as_work_grows.svg"
  exit
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/benchmark
build=$root/build/benchmark
libraries=/usr/lib/$(uname -m)-linux-gnu
dataset=/usr/share/datasets/fashion-mnist
mkdir -p "$build/fashion-mnist"

bash "$root/cmake/install_dependencies.sh" build run benchmark >&2

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

# LibTorch's reader takes no packed files; both programs get the same ones.
for file in "$dataset"/*.gz; do
  unpacked=$build/fashion-mnist/$(basename "$file" .gz)
  [[ $unpacked -nt $file ]] || gunzip -c "$file" >"$unpacked"
done

bash "$root/cmake/build.sh" release xgrad_benchmark xgrad_machine >&2

# LibTorch's programs are no part of xgrad's build: nobody needs LibTorch to build xgrad. The small program is compiled
# as a user does it, by a command whose time compare.py takes.
torch="-std=c++17 -O3 -march=native -isystem /usr/include/torch/csrc/api/include"
compile_torch() { echo "g++ $torch '$here/$1.cpp' -o '$build/$1' -ltorch -ltorch_cpu -lc10"; }
compile_ours="bash '$here/program.sh' '$build/program'"

# build TARGET COMMAND FILE...: when one of the files is newer.
build() {
  local target=$1 command=$2 file
  for file in "${@:3}"; do
    [[ $file -nt $build/$target ]] || continue
    echo "building $target" >&2
    bash -c "$command"
    return
  done
}
build libtorch_steps "$(compile_torch libtorch_steps)" "$here"/libtorch_*.[ch]pp "$here"/{measure,workloads}.hpp
build libtorch_program "$(compile_torch libtorch_program)" "$here"/{libtorch_program.cpp,peak_memory.hpp}
build program "$compile_ours" "$here"/program.{cpp,sh} "$here/peak_memory.hpp" "$root"/build/release/libxgrad_{nn,autograd}.a

export PYTHONDONTWRITEBYTECODE=1
python3 "$here/compare.py" --machine "$root/build/release/xgrad_machine" --xgrad "$root/build/release/xgrad_benchmark" \
  --libtorch "$build/libtorch_steps" --xgrad-program "$build/program" --libtorch-program "$build/libtorch_program" \
  --xgrad-compile "$compile_ours" --libtorch-compile "$(compile_torch libtorch_program)" \
  --pthread-blas "$libraries/openblas-pthread" --openmp-blas "$openmp" --data "$build/fashion-mnist" "$@"
