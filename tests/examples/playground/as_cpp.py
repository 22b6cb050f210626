#!/usr/bin/python3
"""as_cpp.py BUILD [COUNT]: the program that the playground shows, for random controls: it compiles as it stands, with
the options that a user of the library gets, and trains to the same losses and weights, bit by bit."""

import json
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
count = int(sys.argv[2]) if len(sys.argv) > 2 else 30
playground = build / "examples" / "playground"


def random_address(rng):
    skip = rng.choice(["none", "none", "features", "all"])
    data = rng.choice(["circle", "xor", "gauss", "spiral", "plane", "multi-gauss", "own"])
    regression = data in ["plane", "multi-gauss"]
    activations = ["tanh", "relu", "sigmoid", "linear", "leaky_relu", "elu", "swish", "mish", "softplus", "hard_tanh"]
    layers = []
    for _ in range(rng.randrange(4)):
        layer = f"{rng.randrange(1, 9)}:{rng.choice(activations + (['prelu'] if skip == 'none' else []))}"
        if skip == "none" and rng.random() < 0.4:
            layer += ":0.25"
        layers.append(layer)
    losses = ["mse", "mae", "huber", "sse", "sae"]
    if not regression:
        losses += ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy"]
    features = rng.sample(["x1", "x2", "x1^2", "x2^2", "x1x2", "sin(x1)", "sin(x2)"], rng.randrange(1, 8))
    first = "graph" if skip != "none" else "hidden1" if layers else "output"
    values = {
        "data": data, "noise": rng.randrange(51), "train_share": rng.randrange(10, 91), "batch": rng.randrange(1, 31),
        "features": ",".join(features), "layers": ",".join(layers), "skip": skip, "loss": rng.choice(losses),
        "optimizer": rng.choice(["sgd", "momentum", "nesterov", "adam", "adamw"]),
        "learning_rate": rng.choice([0.001, 0.003, 0.01]),
        "schedule": rng.choice(["constant", "step", "exponential", "inverse_time", "cosine", "warm_up"]),
        "schedule_steps": rng.randrange(1, 400), "penalty": rng.choice(["none", "l1", "l2"]), "penalty_rate": 0.001,
        "init": rng.choice(["linear_default", "uniform", "normal", "xavier_uniform", "xavier_normal", "he_uniform",
                            "he_normal", "orthogonal", "zero"]),
        "seed": rng.randrange(1000)}
    if data == "own":
        points = [(round(rng.uniform(-6, 6), 2), round(rng.uniform(-6, 6), 2)) for _ in range(40)]
        values["own"] = ",".join(f"{x}:{y}:{1 if x * y > 0 else -1}" for x, y in points)
    if rng.random() < 0.5:
        values["events"] = f"20:learning_rate:0.005,35:{first}.weight/0:0.25,35:{first}.bias/0:-0.5"
    return "&".join(f"{name}={value}" for name, value in values.items())


def compiler():
    """Compiles as a user's project does: the library's interface options, warnings as errors."""
    entries = json.loads((build / "compile_commands.json").read_text())
    command = next(e["command"] for e in entries if e["file"].endswith("examples/xor.cpp"))
    words = shlex.split(command)
    flags = [w for w in words[1:words.index("-o")] if w.startswith(("-D", "-I", "-m", "-f", "-std", "-W"))]
    includes = []
    for i, word in enumerate(words):
        if word == "-isystem":
            includes += words[i:i + 2]
    compilers = [w for w in words if re.search(r"(g|clang)\+\+(-\d+)?$", w)]
    return [compilers[0], "-O2", *flags, *includes]


def libraries():
    """What the linker gets for a program of ours, without the programs' shared part."""
    text = (build / "build.ninja").read_text()
    block = text[text.index("build examples/xor: "):]
    line = re.search(r"LINK_LIBRARIES = (.*)", block)[1]
    return [w if w.startswith(("-", "/")) else str(build / w) for w in shlex.split(line) if "xgrad_examples" not in w]


compile_options, link_options = compiler(), libraries()
failures = 0
with tempfile.TemporaryDirectory() as folder:
    for seed in range(count):
        rng = random.Random(seed)
        address, steps = random_address(rng), rng.randrange(41, 300)
        source, program = f"{folder}/program.cpp", f"{folder}/program"
        alone = subprocess.run([playground, "--headless", "--address", address, "--steps", str(steps), "--program", source],
                               capture_output=True, text=True)
        # A training that diverges says where after its figures, and does not end well.
        wanted = [line for line in alone.stdout.splitlines() if not line.startswith("the loss is not finite")]
        assert (alone.returncode == 0) == (wanted == alone.stdout.splitlines()), alone.stderr + alone.stdout
        compiled = subprocess.run([*compile_options, source, "-o", program, *link_options], capture_output=True, text=True)
        shown = subprocess.run([program], capture_output=True, text=True) if compiled.returncode == 0 else None
        # The sign of a NaN says nothing, and iostreams print it.
        same = shown is not None and shown.stdout.replace("-nan", "nan").splitlines() == wanted
        failures += not same
        print("same" if same else "DIFFERENT", address, flush=True)
        if not same:
            print(alone.stdout, compiled.stderr[:3000] if shown is None else shown.stdout)
print(f"{count - failures} of {count} programs gave the losses and weights of the playground")
sys.exit(1 if failures else 0)
