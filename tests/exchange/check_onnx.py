#!/usr/bin/python3
"""check_onnx.py FILE...: prints what onnx's checker, with shape inference, finds wrong."""
import sys

import onnx

for path in sys.argv[1:]:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        print(path, error)
