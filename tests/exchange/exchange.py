#!/usr/bin/python3
"""An independent reader and writer of safetensors and .npz files, for tests: numpy, and the format's page alone.

exchange.py show FILE   one line a tensor: name, dtype, shape, values' bytes in hexadecimal
exchange.py make FILE   writes known arrays
"""
import json
import struct
import sys

import numpy

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "F16": "<f2"}


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length).decode("utf-8"))
        values = file.read()
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(values[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def write_safetensors(path, arrays):
    header, values = {"__metadata__": {"by": "exchange.py"}}, b""
    for name, array in arrays.items():
        dtype = next(key for key, text in DTYPES.items() if numpy.dtype(text) == array.dtype)
        data = numpy.ascontiguousarray(array).tobytes()
        offsets = [len(values), len(values) + len(data)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        values += data
    text = json.dumps(header).encode("utf-8")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + values)


def known_arrays():
    grid = numpy.arange(24, dtype="<f4").reshape(2, 3, 4) / 7
    return {
        "grid": grid,
        "wide": numpy.array([0.1, -1e300, 5e-324]),
        "labels": numpy.array([-1, 2**62], "<i8"),
        "half": numpy.array([1, -2.5, 65504, 6e-8], "<f2"),
        "none": numpy.zeros((0, 3), "<f4"),
        "one": numpy.array(3.5),
        "columns": numpy.asfortranarray(grid[0]),
    }


def main():
    mode, path = sys.argv[1:]
    if mode == "make":
        arrays = known_arrays()
        if path.endswith(".npz"):
            numpy.savez_compressed(path, big=numpy.arange(3, dtype=">i4"), **arrays)
        else:
            write_safetensors(path, arrays)
        return
    arrays = read_safetensors(path) if path.endswith(".safetensors") else numpy.load(path)
    for name in sorted(arrays.keys()):
        array = arrays[name]
        print(name, array.dtype, list(array.shape), array.tobytes().hex())


main()
