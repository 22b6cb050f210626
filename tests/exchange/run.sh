#!/usr/bin/env bash
# run.sh: models of all layers by onnxruntime, from npm, against xgrad. Needs Node 20.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=build/onnxruntime
mkdir -p "$folder"
bash cmake/build.sh release xgrad_onnx_models
# Its install script would download libraries for GPUs; the one for the CPU is in the package.
[[ -d $folder/node_modules/onnxruntime-node ]] ||
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node@1.30.0
build/release/xgrad_onnx_models "$folder"
NODE_PATH=$folder/node_modules node tests/exchange/compare.js "$folder"
