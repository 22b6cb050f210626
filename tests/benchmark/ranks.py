"""What training on ranks costs: python3 tests/benchmark/ranks.py [threads|hidden|libtorch|model|all] [--rounds N]

  threads   two ranks of one thread against one process of two threads
  hidden    the share of sending that goes on behind the sweep, over a link whose rate tc holds
  libtorch  against LibTorch with an MPI_Allreduce after backward (needs libtorch-dev)
  model     the figures that docs/scaling.md is fitted on: steps of several networks over links of several rates

Programs take turns, and every figure is the median of their rounds' medians. The link is a veth pair between two network
namespaces with tbf on both ends (needs root, iproute2); Open MPI then has TCP alone. Needs two idle cores: the load is
printed before and after. Builds what it runs in build/release."""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OURS = f"{ROOT}/build/release/xgrad_ranks_benchmark"
TORCH = f"{ROOT}/build/release/libtorch_ranks"
LARGE = "1024-1024-1024-1024-10"
LARGER = "1024-1024-1024-1024-1024-10"
FASHION = "784-512-256-10"
SMALL = "784-256-128-10"

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none",
                   OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")


def parameters(network):
    widths = [int(width) for width in network.split("-")]
    return sum(n * m + m for n, m in zip(widths, widths[1:]))


def run(command):
    """The JSON line that a program prints."""
    found = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    if found.returncode != 0:
        sys.exit(f"{shlex.join(command)}: exit code {found.returncode}\n{found.stdout}{found.stderr}")
    return json.loads(next(line for line in found.stdout.splitlines() if line.startswith("{")))


def in_turns(commands, rounds):
    """Of each command the median of its rounds' medians, in microseconds, and their range."""
    samples = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            samples[name].append(run(command)["median_us"])
    for name, values in samples.items():
        print(f"  {name}: {statistics.median(values):.0f} us ({min(values):.0f} to {max(values):.0f})", flush=True)
    return {name: statistics.median(values) for name, values in samples.items()}


def mpirun(*command):
    return ["mpirun", "-n", "2", *command]


def ours(way, network, batch, parts, steps, threads, bucket_bytes=1 << 20):
    return [OURS, way, network, str(batch), str(parts), str(steps), str(threads), str(bucket_bytes)]


class Link:
    """Two namespaces, joined by a link of so many bits a second each way."""

    names = ("xgrad-rank0", "xgrad-rank1")

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.agent = f"{self.folder.name}/agent"
        with open(self.agent, "w") as file:  # in place of ssh
            file.write('#!/bin/sh\nhost=$1\nshift\n'
                       'exec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"\n')
        os.chmod(self.agent, 0o755)
        for name in self.names:
            self.call(f"ip netns add {name}")
        self.call(f"ip link add link0 netns {self.names[0]} type veth peer name link0 netns {self.names[1]}")
        for number, name in enumerate(self.names, 1):
            for command in (f"addr add 10.99.0.{number}/24 dev link0", "link set link0 up", "link set lo up"):
                self.call(f"ip -n {name} {command}")
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        self.folder.cleanup()

    @staticmethod
    def call(command):
        subprocess.run(command.split(), check=True)

    def rate(self, bits):
        # TCP hands down packets of 64 KiB. A smaller burst makes tbf cut them into frames, on the cores that compute.
        for name in self.names:
            self.call(f"tc -n {name} qdisc replace dev link0 root tbf rate {bits:.0f}bit burst 256kb latency 200ms")

    def mpirun(self, *command):
        text = shlex.join(["mpirun", "--host", ",".join(f"{name}:1" for name in self.names), "--mca",
                           "plm_rsh_agent", self.agent, "--mca", "pml", "ob1", "--mca", "btl", "tcp,self", "--mca",
                           "btl_tcp_if_include", "link0", "--mca", "oob_tcp_if_include", "link0", *command])
        return ["ip", "netns", "exec", self.names[0], "unshare", "--uts", "sh", "-c",
                f"hostname {self.names[0]}; {text}"]


def threads(rounds):
    for network, batch, steps in ((LARGE, 1024, 12), (FASHION, 512, 150)):
        print(f"{network}, batch {batch}: two ranks of one thread against one process of two threads")
        found = in_turns({"one process, 2 parts": ours("together", network, batch, 2, steps, 2),
                          "two ranks, 2 parts": mpirun(*ours("together", network, batch, 2, steps, 1))}, rounds)
        print(f"  {found['one process, 2 parts'] / found['two ranks, 2 parts']:.3f} of its speed (wanted: 0.9)")


def hidden(rounds):
    batch, steps = 4096, 8
    with Link() as link:
        for network in (LARGE, LARGER):
            print(f"{network}, batch {batch}, two ranks: sending hidden behind the sweep")

            def command(way):
                return link.mpirun(*ours(way, network, batch, 2, steps, 1))

            # Of the 3n - 1 products of n large layers the sweep has 2n - 1: nothing passes on to the inputs.
            layers = network.count("1024") - 1
            link.rate(1e10)
            sweep = run(command("apart"))["median_us"] * (2 * layers - 1) / (3 * layers - 1)
            rate = 4 * parameters(network) * 8 / (0.5 * sweep * 1e-6)
            link.rate(rate)
            rate *= run(command("sending"))["median_us"] / (0.5 * sweep)  # what TCP and its headers take
            link.rate(rate)
            samples = [run(link.mpirun(*ours("turns", network, batch, 2, 48, 1))) for _ in range(rounds)]
            found = {way: statistics.median(sample[way] for sample in samples) for way in samples[0]}
            print(" ", {way: [round(sample[way]) for sample in samples] for way in found}, "us")
            sweep = found["apart"] * (2 * layers - 1) / (3 * layers - 1)
            last = 256 * 1024 / parameters(network)  # rows of the first layer's gradient, in a bucket of their own
            print(f"  rate {rate / 1e6:.0f} Mbit/s; sending takes {found['sending'] / sweep:.2f} of the sweep; hidden "
                  f"{1 - (found['together'] - found['apart']) / found['sending']:.2f} (wanted: 0.7; all but the last "
                  f"bucket, which is full when the sweep is over: {1 - last:.2f})")


def libtorch(rounds):
    flags = "-std=c++17 -O3 -march=native -isystem /usr/include/torch/csrc/api/include"
    source = f"{HERE}/libtorch_ranks.cpp"
    if not os.path.exists(TORCH) or os.path.getmtime(TORCH) < os.path.getmtime(source):
        subprocess.run(["mpicxx", *flags.split(), source, "-o", TORCH, "-ltorch", "-ltorch_cpu", "-lc10"], check=True)
    print(f"{SMALL}, batch 128 a rank, two ranks")
    found = in_turns({"ours": mpirun(*ours("together", SMALL, 256, 2, 1000, 1)),
                      "LibTorch, an allreduce a parameter": mpirun(TORCH, "each", SMALL, "128", "1000"),
                      "LibTorch, one allreduce": mpirun(TORCH, "flat", SMALL, "128", "1000")}, rounds)
    theirs = min(time for name, time in found.items() if name != "ours")
    print(f"  {theirs / found['ours']:.2f} times its speed (wanted: 1.3)")


def model(rounds):
    rows = []
    cases = [(SMALL, 256, 150), (FASHION, 512, 60), (LARGE, 256, 12)]
    with Link() as link:
        for rate in (0, 500e6, 2e9):
            if rate:
                link.rate(rate)
            start = link.mpirun if rate else mpirun
            for network, batch, steps in cases:
                print(f"{network}, batch {batch}, {f'{rate / 1e6:.0f} Mbit/s' if rate else 'shared memory'}")
                found = in_turns({way: start(*ours(way, network, batch, 2, steps, 1))
                                  for way in ("apart", "sending", "together")}, rounds)
                rows.append((network, parameters(network), batch, rate / 1e6, *found.values()))
            count = {bucket: -(-4 * parameters(FASHION) // bucket) for bucket in (1 << 20, 1 << 14)}
            found = in_turns({bucket: start(*ours("sending", FASHION, 512, 2, 60, 1, bucket)) for bucket in count},
                             rounds)
            few, many = count
            print(f"  a message more costs {(found[many] - found[few]) / (2 * (count[many] - count[few])):.1f} us")
    print("| network | parameters | batch | Mbit/s | without sending, ms | sending alone, ms | training, ms |")
    print("|---|---|---|---|---|---|---|")
    for network, count, batch, rate, *times in rows:
        print(f"| {network} | {count:,} | {batch} | {rate:.0f} | " + " | ".join(f"{t / 1e3:.2f}" for t in times) + " |")


def main():
    ways = {"threads": threads, "hidden": hidden, "libtorch": libtorch, "model": model}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=[*ways, "all"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    subprocess.run(["bash", f"{ROOT}/cmake/build.sh", "release", "xgrad_ranks_benchmark"], check=True, stdout=sys.stderr)
    print("load before:", open("/proc/loadavg").read().strip())
    for name, way in ways.items():
        if options.what in (name, "all"):
            way(options.rounds)
    print("load after:", open("/proc/loadavg").read().strip())


if __name__ == "__main__":
    main()
