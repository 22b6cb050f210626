#!/usr/bin/python3
"""show_events.py FILE: an independent reader of event files: TFRecord with its own CRC-32C, messages by Debian's protobuf from
the numbers of TensorFlow's event.proto, summary.proto and TensorBoard's hparams, PNG by zlib alone."""
import struct
import sys
import zlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

TYPES = descriptor_pb2.FieldDescriptorProto
SCALARS = {"double": TYPES.TYPE_DOUBLE, "float": TYPES.TYPE_FLOAT, "int64": TYPES.TYPE_INT64, "int32": TYPES.TYPE_INT32,
           "string": TYPES.TYPE_STRING, "bytes": TYPES.TYPE_BYTES}
MESSAGES = {
    "Event": [("wall_time", 1, "double"), ("step", 2, "int64"), ("file_version", 3, "string"), ("summary", 5, "Summary")],
    "Summary": [("value", 1, "*Value")],
    "Value": [("tag", 1, "string"), ("simple_value", 2, "float"), ("image", 4, "Image"), ("histo", 5, "Histogram"),
              ("metadata", 9, "Metadata")],
    "Image": [("height", 1, "int32"), ("width", 2, "int32"), ("colorspace", 3, "int32"), ("data", 4, "bytes")],
    "Histogram": [("min", 1, "double"), ("max", 2, "double"), ("num", 3, "double"), ("sum", 4, "double"),
                  ("squares", 5, "double"), ("limit", 6, "*double"), ("bucket", 7, "*double")],
    "Metadata": [("plugin", 1, "Plugin")],
    "Plugin": [("name", 1, "string"), ("content", 2, "bytes")],
    "HParams": [("version", 1, "int32"), ("start", 3, "Start")],
    "Start": [("hparams", 1, "*Entry"), ("seconds", 5, "double")],
    "Entry": [("key", 1, "string"), ("value", 2, ".google.protobuf.Value")],
}


def message_classes():
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto()
    struct_pb2.DESCRIPTOR.CopyToProto(file)
    pool.Add(file)
    file = descriptor_pb2.FileDescriptorProto(name="events", package="events", syntax="proto2")
    file.dependency.append("google/protobuf/struct.proto")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            field = message.field.add(name=field_name, number=number, label=3 if kind.startswith("*") else 1)
            kind = kind.lstrip("*")
            field.type = SCALARS.get(kind, TYPES.TYPE_MESSAGE)
            if kind not in SCALARS:
                field.type_name = kind if kind.startswith(".") else ".events." + kind
    pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName("events." + name)) for name in MESSAGES}


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        (head,) = struct.unpack("<I", data[8:12])
        body = data[12:12 + length]
        (tail,) = struct.unpack("<I", data[12 + length:16 + length])
        if head != masked_crc(data[:8]) or tail != masked_crc(body):
            print("bad checksum")
        yield body
        data = data[16 + length:]


def png_pixels(data, width, channels):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length:at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    rows, stride = zlib.decompress(packed), width * channels + 1
    pixels = []
    for begin in range(0, len(rows), stride):
        assert rows[begin] == 0
        pixels += rows[begin + 1:begin + stride]
    return pixels


def number(value):
    return "%.6g" % value


def main():
    classes = message_classes()
    for body in records(sys.argv[1]):
        event = classes["Event"]()
        event.ParseFromString(body)
        if event.HasField("file_version"):
            print(event.step, "version", event.file_version)
        for value in event.summary.value:
            words = [event.step, value.tag]
            if value.HasField("simple_value"):
                words.append(number(value.simple_value))
            if value.HasField("histo"):
                histo = value.histo
                for name in ["min", "max", "num", "sum", "squares"]:
                    words += [name, number(getattr(histo, name))]
                words += ["counts", number(sum(histo.bucket))]
                below = None
                for limit, count in zip(histo.limit, histo.bucket):
                    if count:
                        # A number of the bucket: of those that were written, in the test.
                        inside = [x for x in (-2, 0, 1) if (below is None or x >= below) and x < limit]
                        words.append("%s:%s" % (",".join(map(str, inside)), number(count)))
                    below = limit
            if value.HasField("image"):
                image = value.image
                words += ["image", "%dx%dx%d" % (image.height, image.width, image.colorspace)]
                words.append(",".join(map(str, png_pixels(image.data, image.width, image.colorspace))))
            if value.HasField("metadata"):
                plugin = value.metadata.plugin
                data = classes["HParams"]()
                data.ParseFromString(plugin.content)
                words.append(plugin.name)
                for entry in sorted(data.start.hparams, key=lambda item: item.key):
                    kind = entry.value.WhichOneof("kind")
                    words.append("%s=%s" % (entry.key, getattr(entry.value, kind)))
            print(*words)


main()
