#!/usr/bin/env bash
# program.sh PROGRAM: compiles program.cpp as a user without CMake does, with the libraries of build/release.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
exec g++ -std=c++20 -O3 -march=native -I"$root" "$here/program.cpp" -o "$1" \
  "$root"/build/release/libxgrad_{nn,autograd}.a -ltbb \
  "/usr/lib/$(uname -m)-linux-gnu/openblas-pthread/libopenblas.so" -lz -lzip -lfmt
