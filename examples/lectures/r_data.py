#!/usr/bin/python3
"""A data frame in R's serialisation (RDX2, XDR) from standard input as CSV on standard output.

The format: R Internals, section 1.8, "Serialization Formats".
"""
import csv
import struct
import sys


class Reader:
    def __init__(self, data):
        self.data, self.place, self.references = data, 0, []

    def take(self, form):
        size = struct.calcsize(form)
        values = struct.unpack(form, self.data[self.place:self.place + size])
        self.place += size
        return values

    def integer(self):
        return self.take(">i")[0]

    def item(self):
        """An object; vectors as lists, with their attributes in a dictionary beside: (value, attributes)."""
        flags = self.integer()
        kind, has_attributes, has_tag = flags & 255, flags & 512, flags & 1024
        if kind == 254:  # NULL
            return None, {}
        if kind == 255:  # something that came before
            return self.references[(flags >> 8) - 1], {}
        if kind == 1:  # a symbol
            name = self.item()[0]
            self.references.append(name)
            return name, {}
        if kind == 2:  # a pair list
            pairs = {}
            while True:
                if has_attributes:
                    self.item()
                tag = self.item()[0] if has_tag else len(pairs)
                pairs[tag] = self.item()
                flags = self.integer()
                if flags & 255 == 254:
                    return pairs, {}
                has_attributes, has_tag = flags & 512, flags & 1024
        if kind == 9:  # characters
            length = self.integer()
            return (None if length < 0 else bytes(self.take(f"{length}s")[0]).decode()), {}
        length = self.integer()
        if kind in (10, 13):  # logical, integer
            value = list(self.take(f">{length}i"))
        elif kind == 14:  # double
            value = list(self.take(f">{length}d"))
        elif kind in (16, 19):  # texts, list
            value = [self.item() for _ in range(length)]
            if kind == 16:
                value = [text for text, _ in value]
        else:
            sys.exit(f"r_data.py: an object of type {kind} at byte {self.place}; need a data frame")
        return value, (self.item()[0] if has_attributes else {})


def column(value, attributes):
    if "levels" not in attributes:
        return value
    levels = attributes["levels"][0]
    return [levels[code - 1] for code in value]


data = sys.stdin.buffer.read()
if data[:7] != b"RDX2\nX\n":
    sys.exit("r_data.py: the input does not begin with RDX2 and X: it is not R's XDR serialisation of version 2")
reader = Reader(data[7:])
reader.take(">3i")  # versions
[(columns, attributes)] = reader.item()[0].values()
writer = csv.writer(sys.stdout, lineterminator="\n")
writer.writerow(attributes["names"][0])
writer.writerows(zip(*(column(*one) for one in columns)))
