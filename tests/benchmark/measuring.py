"""Runs the benchmark programs in alternation and knows which of their figures may be compared.

Figures on two threads depend on how far apart the host puts the two cores, which changes every few minutes, and on
whether another program wants a core. So the round trip between the cores is probed before and after each such run, the
load by others is read from /proc/stat, and a row compares only undisturbed runs of one state. See measure.hpp for the
programs' protocol.
"""

import json
import math
import os
import resource
import statistics
import subprocess
import time

FAR_NS = 200  # round trips take about 60 to 100 ns in the near state and 310 to 400 in the far one
FOREIGN_CORES = 0.15  # load by other programs, in cores, that disturbs a run which needs all cores
WIDE_SPREAD = 0.1  # a row is run again when the figures of its runs are further apart
CALL_SECONDS = 900  # after which a call counts as hung; the longest, LibTorch's Fashion-MNIST, takes about a minute
CHUNK_SECONDS = 1.0  # of measuring in one call of a program, so that LibTorch's start of 0.4 s does not weigh


class Program:
    def __init__(self, name, path, environments):
        self.name = name
        self.path = path
        self.environments = environments  # for each number of threads

    def output(self, threads, *arguments, path=None):
        done = subprocess.run([path or self.path, *arguments], env={**os.environ, **self.environments[threads]},
                              stdout=subprocess.PIPE, text=True, check=True, timeout=CALL_SECONDS)
        return done.stdout

    def call(self, threads, *arguments):
        """The JSON lines that the program prints."""
        return [json.loads(line) for line in self.output(threads, *arguments).splitlines()]


def busy_seconds():
    """Time that all cores of the machine have spent working, or were kept from working by the host."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def state_of(latencies):
    states = {"far" if latency >= FAR_NS else "near" for latency in latencies}
    return states.pop() if len(states) == 1 else "changed"


def measure(program, threads, names, effort, data, machine):
    """One call for several workloads: a run of each, with what is known of the machine during the call."""
    latencies = [machine.call(2, "--latency")[0]["latency_ns"]] if threads > 1 else []
    start, busy, own = time.monotonic(), busy_seconds(), children_seconds()
    runs = program.call(threads, *(part for name in names for part in ("--workload", name)), "--threads", str(threads),
                        "--effort", str(effort), "--data", data)
    elapsed = time.monotonic() - start
    foreign = max(0.0, (busy_seconds() - busy) - (children_seconds() - own)) / elapsed
    if threads > 1:
        latencies += [machine.call(2, "--latency")[0]["latency_ns"]]
    known = {"program": program.name, "latency_ns": latencies, "foreign_cores": round(foreign, 2),
             "state": state_of(latencies) if threads > 1 else "any",
             "disturbed": foreign + threads > os.cpu_count() + FOREIGN_CORES}
    return [{**run, **known} for run in runs]


def spread(medians):
    return (max(medians) - min(medians)) / statistics.median(medians)


class Row:
    """The runs of one workload, and what follows from them."""

    def __init__(self, workload, programs, threads):
        self.workload = workload
        self.name = workload["workload"]
        self.programs = programs  # those that have something of the kind
        self.threads = threads  # the settings that were asked for
        self.runs = []
        self.once = workload["group"] == "Fashion-MNIST"  # a run is a whole training, epoch by epoch

    def add(self, run):
        if run.get("missing"):
            self.programs = [program for program in self.programs if program.name != run["program"]]
        else:
            self.runs.append(run)

    def usable(self, program, threads, state):
        return [run["median_us"] for run in self.runs
                if run["program"] == program.name and run["threads"] == threads and not run["disturbed"]
                and run["state"] in ("any", state)]

    def state(self):
        """The state in which each program has most undisturbed runs; the count is of the program that has fewest."""
        counts = {state: min(len(self.usable(program, max(self.threads), state)) for program in self.programs)
                  for state in ("near", "far")}
        best = max(counts, key=counts.get)
        return best, counts[best]

    def at(self, program, threads):
        """With one setting: (microseconds, threads, spread, whether the figure can be compared)."""
        medians = self.usable(program, threads, self.state()[0])
        comparable = bool(medians)
        if not medians:
            medians = [run["median_us"] for run in self.runs
                       if run["program"] == program.name and run["threads"] == threads]
        return statistics.median(medians), threads, spread(medians), comparable

    def best(self, program):
        """The setting with the lowest median: (microseconds, threads, spread, whether all settings can be compared)."""
        settings = [self.at(program, threads) for threads in self.threads]
        return *min(settings)[:3], all(setting[3] for setting in settings)

    def ratio(self):
        """Ours over the peer's; None without a peer."""
        if len(self.programs) < 2:
            return None
        return self.best(self.programs[0])[0] / self.best(self.programs[1])[0]

    def checksums(self):
        return [next(run["checksum"] for run in self.runs if run["program"] == program.name)
                for program in self.programs]

    def round_trips(self):
        latencies = [latency for run in self.runs for latency in run["latency_ns"]]
        if not latencies:
            return "-"
        state, count = self.state()
        moved = ", the cores moved" if len({run["state"] for run in self.runs} - {"any"}) > 1 else ""
        return f"{state if count else 'no common state'}, {min(latencies):.0f} to {max(latencies):.0f} ns{moved}"

    def settled(self, needed_runs):
        return (self.state()[1] >= (1 if self.once else needed_runs) and
                all(self.best(program)[2] <= WIDE_SPREAD for program in self.programs))


def chunks(rows, effort):
    """Consecutive rows that one call measures."""
    chunk, seconds = [], 0.0
    for row in rows:
        cost = math.inf if row.once else row.workload["seconds"] * effort
        if chunk and seconds + cost > CHUNK_SECONDS:
            yield chunk
            chunk, seconds = [], 0.0
        chunk.append(row)
        seconds += cost
    if chunk:
        yield chunk


def measure_rows(rows, programs, threads, effort, rounds, extra_rounds, deadline, data, machine, show_progress):
    """All rounds of all rows, then extra ones for rows that are not settled, until the deadline."""

    def measure_round(chunk, turn):
        show_progress(f"round {turn}: {chunk[0].workload['group']}, {chunk[0].workload['title']}"
                      f"{f' and {len(chunk) - 1} more' if len(chunk) > 1 else ''}")
        by_name = {row.name: row for row in chunk}
        for setting in threads:
            for program in programs:
                for run in measure(program, setting, list(by_name), effort, data, machine):
                    by_name[run["workload"]].add(run)

    for chunk in chunks(rows, effort):
        for turn in range(1, (1 if chunk[0].once else rounds) + 1):
            measure_round(chunk, turn)
    for turn in range(rounds + 1, rounds + extra_rounds + 1):
        for chunk in chunks([row for row in rows if not row.settled(rounds // 2 + 1)], effort):
            if time.monotonic() < deadline:
                measure_round(chunk, turn)


# What is taken of whole programs rather than of steps: program.cpp and libtorch_program.cpp.

FOREIGN_LIBRARIES = ("blas", "lapack", "tbb", "gfortran", "quadmath", "libc.so", "libm.so", "libgcc", "libstdc++",
                     "libgomp", "ld-linux", "linux-vdso", "libz.so", "libdl", "libpthread", "librt")


def mebibytes_on_disk(program, path, scratch):
    """The stripped program with the libraries that it loads, without BLAS, TBB and the system's own."""
    subprocess.run(["strip", "-o", scratch, path], check=True)
    total = os.path.getsize(scratch)
    os.remove(scratch)
    listing = program.output(1, path, path="/usr/bin/ldd")
    for line in listing.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if arrow and not any(foreign in name for foreign in FOREIGN_LIBRARIES):
            total += os.path.getsize(os.path.realpath(rest.split(" (")[0]))
    return total / 2**20


def seconds_of(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start


def measure_programs(programs, paths, compile_commands, threads, quick, show_progress):
    """For each figure its unit and a value a program; the best of alternating runs, for others can only slow them."""
    figures = {}

    def take(name, unit, runs, measure_one):
        show_progress(name)
        values = [[measure_one(program) for program in programs] for _ in range(runs)]
        figures[name] = {"unit": unit, **{program.name: min(column) for program, column in zip(programs, zip(*values))}}

    take("start-up", "s", 5 if quick else 20,
         lambda program: seconds_of(lambda: program.output(1, "start", path=paths[program.name])))
    take("peak memory, 784-256-128-10 on 8192 rows", "MiB", 1 if quick else 3,
         lambda program: min(float(program.output(setting, "train", str(setting), path=paths[program.name]))
                             for setting in threads))
    take("stripped program and libraries, without BLAS and TBB", "MiB", 1,
         lambda program: mebibytes_on_disk(program, paths[program.name], paths[program.name] + ".stripped"))
    if not quick:
        take("compiling and linking the program", "s", 2,
             lambda program: seconds_of(lambda: subprocess.run(compile_commands[program.name], shell=True, check=True)))
    return figures
