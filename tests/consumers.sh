#!/usr/bin/env bash
# consumers.sh: projects of users, on installed packages and with xgrad's sources inside. Prints what each one shows; the
# commands' own output is in build/consumers/log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$PWD/build/consumers
rm -rf "$work"
mkdir -p "$work"
exec 3>&1 >"$work/log" 2>&1
trap '[[ $? -eq 0 ]] || { tail -n 40 "$work/log"; echo "consumers.sh: it does not"; } >&3' EXIT

shows() { echo "$*" >&3; }
fails() { if "$@"; then return 1; fi; }

configure() { cmake -S "tests/$2" -B "$work/$1" -G Ninja -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "${@:3}"; }
build_and_run() {
  cmake --build "$work/$1" --target consumer
  "$work/$1/consumer"
}
# What the user's own file is compiled with.
options() { grep -o '"command".*quick_gelu.cpp' "$work/$1/compile_commands.json"; }
optimises() { options "$1" | grep -o -e ' -O[^ ]*'; }
# What an installed xgrad needs no longer.
without() { printf -- '-DCMAKE_DISABLE_FIND_PACKAGE_%s=ON\n' OpenBLAS nlohmann_json doctest CLI11 "$@"; }

shows "a static package for x86-64-v3 serves a Debug build, which stays without optimisation"
static=$work/static
distributed=""
! command -v mpicxx >/dev/null || distributed=xgrad_distributed
bash cmake/build.sh package xgrad_autograd xgrad_nn xgrad_exchange xgrad_tables $distributed
cmake --install build/package --prefix "$static" >/dev/null
configure debug consumer_package -DCMAKE_PREFIX_PATH="$static" -DCMAKE_BUILD_TYPE=Debug $(without)
build_and_run debug
fails optimises debug
configure own consumer_package -DCMAKE_PREFIX_PATH="$static" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-g -O1"
[[ $(optimises own) == " -O1" ]]

if [[ -n $distributed ]]; then
  shows "its component distributed trains on two ranks"
  configure ranks consumer_package -DCMAKE_PREFIX_PATH="$static" -DRANKS=ON $(without)
  cmake --build "$work/ranks" --target ranks
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
    mpirun -n 2 "$work/ranks/ranks"
fi

shows "sources inside a project that builds shared libraries become shared libraries; its Debug build stays as it is"
# Not by rooms, so that each source is compiled by itself, for which clang takes half of g++'s time.
configure inside consumer_subdirectory -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++
build_and_run inside
cmake --build "$work/inside" --target autograd_only
"$work/inside/autograd_only"
fails optimises inside
[[ -f $work/inside/xgrad/libxgrad_nn.so ]]

shows "inside a project that says nothing about libraries they leave nothing in its cache"
configure silent consumer_subdirectory
fails grep BUILD_SHARED_LIBS "$work/silent/CMakeCache.txt"

shows "an installed shared library needs neither fmt nor zlib to build with"
cmake --build "$work/inside"
cmake --install "$work/inside" --prefix "$work/shared" >/dev/null
configure shared_package consumer_package -DCMAKE_PREFIX_PATH="$work/shared" $(without fmt ZLIB)
build_and_run shared_package

shows "the programs compile where MPI and protobuf are missing"
for source in $(grep -lE '^#ifdef XGRAD_(DISTRIBUTED|EXCHANGE)' examples/*.cpp); do
  command=$(sed -n "s|.*\"command\": \"\(.* $PWD/$source\)\".*|\1|p" build/package/compile_commands.json)
  [[ -n $command ]]
  $command -UXGRAD_DISTRIBUTED -UXGRAD_EXCHANGE -fsyntax-only
done

shows "vectors of AVX-512 do without optimisation"
g++ -I "$static/include/xgrad" -std=c++20 -O0 -march=x86-64-v4 -DXGRAD_SIMD_BITS=512 -fsyntax-only \
  tests/consumer_package/every_function.cpp

shows "own pointwise functions are refused for another instruction set than the library's, or an unknown one:"
refused() {
  echo "#include <$1>" | fails g++ -I "$static/include/xgrad" -fsyntax-only "${@:2}" -x c++ - 2>"$work/refusal"
  sed -n 's/.* error: /  /p' "$work/refusal" >&3
  [[ $(grep -c ' error: ' "$work/refusal") -eq 1 ]]
}
refused autograd/pointwise.hpp -std=c++20 -march=x86-64-v3
refused autograd/pointwise.hpp -std=c++20 -march=x86-64 -DXGRAD_SIMD_BITS=256

shows "a compiler before C++20 is told so in one line:"
for header in autograd/{autograd,pointwise,xtensor}.hpp nn/nn.hpp; do
  refused $header -std=c++17 -march=x86-64-v3 -DXGRAD_SIMD_BITS=256
done
