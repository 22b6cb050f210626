#!/usr/bin/env bash
# run.sh [CTEST ARGUMENTS]: installs what is missing, builds everything and runs the tests.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

bash "$root/cmake/install_dependencies.sh" build run
bash "$root/cmake/build.sh" release
exec ctest --test-dir "$(realpath -m "${XGRAD_BUILD:-$root/build}")/release" --output-on-failure --parallel "$(nproc)" "$@"
