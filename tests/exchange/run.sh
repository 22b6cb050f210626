#!/usr/bin/env bash
# run.sh: models of all layers by onnxruntime, from npm, against xgrad; and models in others' forms, on which numpy and
# xgrad agree (tests/nn/exchange/onnx.cpp), so that numpy's definitions are ONNX's. Needs Node 20.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=build/onnxruntime
mkdir -p "$folder"
bash cmake/install_dependencies.sh build ci
bash cmake/build.sh release xgrad_onnx_models
# Its install script would download libraries for GPUs; the one for the CPU is in the package.
[[ -d $folder/node_modules/onnxruntime-node ]] ||
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent onnxruntime-node@1.30.0
rm -rf "$folder/ours" "$folder/theirs"
mkdir "$folder/ours" "$folder/theirs"
build/release/xgrad_onnx_models "$folder/ours"
/usr/bin/python3 tests/exchange/make_onnx.py "$folder/theirs"
for models in ours theirs; do NODE_PATH=$folder/node_modules node tests/exchange/compare.js "$folder/$models"; done
