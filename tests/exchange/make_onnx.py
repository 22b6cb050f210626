#!/usr/bin/python3
"""make_onnx.py FOLDER: models in forms that other programs write and xgrad's export does not, by Debian's onnx: NAME.onnx,
inputs NAME.inputs, what numpy computes by ONNX's own definitions NAME.outputs, and their list as onnx_models writes it."""
import os
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

numbers = np.random.RandomState(7)


def array(*shape):
    return numbers.uniform(-2, 2, shape).astype(np.float32)


def node(kind, inputs, output="output", **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def model(folder, name, x, expected, nodes, constants=None, operator_set=13):
    initializers = [numpy_helper.from_array(np.asarray(value), key) for key, value in (constants or {}).items()]
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *x.shape[1:]])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", *expected.shape[1:]])], initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", operator_set)], ir_version=8)
    if operator_set <= 17:
        checker.check_model(proto, full_check=True)
    path = os.path.join(folder, name)
    save(proto, path + ".onnx")
    x.tofile(path + ".inputs")
    expected.astype(np.float32).tofile(path + ".outputs")
    with open(os.path.join(folder, "list"), "a", encoding="utf-8") as file:
        print(name, "float32", *x.shape, file=file)


def normalised(x, scale, shift, mean, variance, epsilon):
    column = (-1,) + (1,) * (x.ndim - 2)
    mean, variance, scale, shift = (v.reshape(column) for v in (mean, variance, scale, shift))
    return (x - mean) / np.sqrt(variance + epsilon) * scale + shift


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def main(folder):
    def add(*arguments, **options):
        model(folder, *arguments, **options)

    x = array(5, 4, 6)
    add("slices", x, x[:, 1:-1, ::-2], [node("Slice", "input starts ends axes steps")],
        {"starts": np.array([1, 2**31 - 1]), "ends": np.array([-1, -2**31]), "axes": np.array([1, -1]),
         "steps": np.array([1, -2])})
    add("slices_of_first_axes", x, x[0:2, 1:4], [node("Slice", "input starts ends")],
        {"starts": np.array([0, 1]), "ends": np.array([2, 4])})
    for shape in [(5, 3), (5, 3, 4), (5, 3, 2, 2)]:
        x = array(*shape)
        statistics = {"scale": array(3), "shift": array(3), "mean": array(3), "variance": abs(array(3)) + 0.1}
        add("batch_normalization_%d" % x.ndim, x, normalised(x, *statistics.values(), 1e-3),
            [node("BatchNormalization", "input scale shift mean variance", epsilon=1e-3)], statistics, operator_set=15)
    x = array(5, 2, 3, 4)
    weights = array(12, 3)
    add("flatten", x, x.reshape(10, 12)[::2] @ weights,
        [node("Flatten", "input", "flat", axis=2), node("MatMul", "flat w", "product"),
         node("Slice", "product starts ends axes steps")],
        {"w": weights, "starts": np.array([0]), "ends": np.array([2**62]), "axes": np.array([0]), "steps": np.array([2])})
    add("flatten_from_the_end", x, x.reshape(30, 4)[:5], [node("Flatten", "input", "flat", axis=-1),
                                                       node("Slice", "flat starts ends")],
        {"starts": np.array([0]), "ends": np.array([5])})
    add("reshapes", x, x.reshape(5, 2, 12), [node("Reshape", "input shape")], {"shape": np.array([0, 0, -1])})
    x = array(4, 3, 2)
    add("transpose", x, x.transpose()[:, :, :4].transpose(2, 1, 0) * 2,
        [node("Transpose", "input", "turned"), node("Transpose", "turned", "back"), node("Add", "back back")])
    for axis in [1, -2, 2]:
        add("softmax_%d" % axis, x, softmax(x, axis), [node("Softmax", "input", axis=axis)])
    add("log_softmax", x, np.log(softmax(x, 1)), [node("LogSoftmax", "input", axis=1)])
    add("clip", x, np.clip(x, -1, 0.5), [node("Clip", "input low high")],
        {"low": np.float32(-1), "high": np.float32(0.5)})
    add("clip_above", x, np.minimum(x, 0.5), [helper.make_node("Clip", ["input", "", "high"], ["output"])],
        {"high": np.float32(0.5)})
    other = array(3, 1)
    add("extremes", x, np.minimum(np.maximum(np.maximum(x, other), 0), 1.5),
        [node("Max", "input other zero", "most"), node("Min", "most limit")],
        {"other": other, "zero": np.float32(0), "limit": np.float32(1.5)})
    x = array(6, 4)
    weights, bias = array(3, 4), array(3)
    add("gemm", x, 0.5 * x @ weights.T + 2 * bias, [node("Gemm", "input w b", transB=1, alpha=0.5, beta=2.0)],
        {"w": weights, "b": bias})
    vector = array(4)
    add("product_with_a_vector", x, (x @ vector)[:, None] * np.ones(2, np.float32),
        [node("MatMul", "input v", "product"), node("Reshape", "product shape", "column"), node("Mul", "column two")],
        {"v": vector, "shape": np.array([-1, 1]), "two": np.ones(2, np.float32)})
    # Axes are an input of every reduction from set 18 on.
    add("reduction_of_set_18", x, x.mean(1, keepdims=True), [node("ReduceMean", "input axes")], {"axes": np.array([1])},
        operator_set=18)


main(sys.argv[1])
