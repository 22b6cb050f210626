#!/usr/bin/python3
"""Elementwise functions and their derivatives at 50 digits (mpmath), of arguments that are numbers of the format: prints
elementary.json.

    apt-get install python3-mpmath && /usr/bin/python3 tests/reference/elementary.py > tests/reference/elementary.json
"""
import json
import math
import struct

from mpmath import cos, exp, expm1, floor, inf, isinf, log, log1p, mp, mpf, nan, nstr, power, sin, sqrt, tanh

mp.dps = 50
mp.prec += 1200  # cancellation in 1 + e^x and the like


def sigmoid(x):
    return 1 / (1 + exp(-x))


def sigmoid_derivative(x):
    return sigmoid(x) * sigmoid(-x)


def softplus(x):
    return log1p(exp(x)) if x < 0 else x + log1p(exp(-x))


def swish(x):
    return (mpf(0) if x < 0 else x) if isinf(x) else x * sigmoid(x)


def swish_derivative(x):
    return mpf(x > 0) if isinf(x) else sigmoid(x) + x * sigmoid_derivative(x)


# Value and derivative, arguments of both formats, further ones of float64.
ONE = {
    "exp": (exp, exp, [-103.9, -88, -87.3, -20, -0.35, 1e-8, 0.35, 1, 10, 88.7, -inf, inf], [-745, -720, 709.5]),
    "expm1": (expm1, exp, [-100, -17, -0.36, -1e-30, 1e-40, 0.36, 88.7, -inf, inf], [1e-310, 709.5, 709.7]),
    "log": (log, lambda x: 1 / x, [1e-45, 1e-40, 1e-30, 0.7, 0.99, 1.01, 1.4, 3, 1e30, 3e38], [1e-310, 1e300, 1.7e308]),
    "log1p": (log1p, lambda x: 1 / (1 + x), [-0.999, -0.3, -1e-20, 1e-45, 0.03, 1, 1e10, 3e38], [1e-310, 1.7e308]),
    "sqrt": (sqrt, lambda x: 1 / (2 * sqrt(x)), [1e-45, 1e-40, 2, 3e38], [1e-310, 1.7e308]),
    "sin": (sin, cos, [1e-40, 0.8, 1.5707964, 3.1415927, 355, 8191.5, 1e10, 3e38], [1.5707963267948966, 1e300]),
    "cos": (cos, lambda x: -sin(x), [1e-40, 0.8, 1.5707964, 3.1415927, 355, 8191.5, 1e10, 3e38], [1.5707963267948966, 1e300]),
    "tanh": (tanh, lambda x: 4 * sigmoid_derivative(2 * x), [1e-40, -0.1, 0.5, 3, 8, 12, -44, inf], [20, 40, 300, 372]),
    "sigmoid": (sigmoid, sigmoid_derivative, [-100, -88, -2.652, 0, 2.652, 20, 100, -inf, inf], [-740, -709, 36, 700]),
    "log_sigmoid": (lambda x: -softplus(-x), lambda x: sigmoid(-x), [-1e4, -100, -1, 0, 3.45, 20, 100], [700, 740]),
    "softplus": (softplus, sigmoid, [-100, -88, -3.45, 0, 1, 20, 1e4], [-740, -700]),
    "swish": (swish, swish_derivative, [-104, -91.3, -88, -3, -1.5, 0, 1, 30, -inf, inf], [-745, -709]),
    "elu": (lambda x: x if x > 0 else expm1(x), lambda x: mpf(1) if x > 0 else exp(x), [-100, -17, -0.36, 1e-40, 2], [-740]),
}


def along_base(x, y):
    return y if y in (0, 1) else y * power(x, y - 1)


def along_exponent(x, y):
    if x < 0:
        return nan
    return mpf(0) if x == 0 and y >= 0 else power(x, y) * log(x)


PAIRS = [
    (5, 10), (10, 5), (3, 3), (3e38, 1), (1e-39, 1), (1.7e19, 2), (-1, 33554432), (-1, 33554433), (1e-45, -0.5), (2, -149),
    (2, 127.9), (0.999, 1e4), (1.0001, -8e5), (-3, 5), (-3, -4), (-1.5, 16777215), (0.5, 149.2), (1e-30, 1e-30), (7, 0),
]  # fmt: skip
PAIRS_OF_DOUBLES = [
    (1.7e308, 1), (1e-310, 1), (1e-310, -0.5), (-1, 2.0**54), (1.4048596204884805, 1744.68), (0.99999, 7e7), (1e300, 1e-300),
]  # fmt: skip


def rounded(x, dtype):
    if dtype == "float64":
        return float(x)
    return float(x) if math.isinf(x) else struct.unpack("f", struct.pack("f", x))[0]


def shown(x):
    return str(x).replace("+", "") if x != x or isinf(x) else nstr(x.real, 30)


def rows(dtype):
    result = {}
    for name, (value, derivative, common, wide) in ONE.items():
        result[name] = []
        for argument in common + (wide if dtype == "float64" else []):
            x = rounded(argument, dtype)
            result[name].append([repr(x), shown(value(mpf(x))), shown(derivative(mpf(x)))])
    result["pow"] = []
    for pair in PAIRS + (PAIRS_OF_DOUBLES if dtype == "float64" else []):
        numbers = [rounded(argument, dtype) for argument in pair]
        x, y = map(mpf, numbers)
        exact = [shown(v) for v in (power(x, y), along_base(x, y), along_exponent(x, y))]
        result["pow"].append([*map(repr, numbers), *exact])
    return result


def listing(dtype):
    lines = [f'  "{name}": [\n    ' + ",\n    ".join(map(json.dumps, list_)) + "]" for name, list_ in rows(dtype).items()]
    return f'"{dtype}": {{\n' + ",\n".join(lines) + "}"


print("{" + ",\n".join(map(listing, ("float32", "float64"))) + "}")
