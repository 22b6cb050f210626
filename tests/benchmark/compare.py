#!/usr/bin/env python3
"""Runs the benchmark programs in alternation and prints Markdown tables; run.sh builds the programs and calls it.

Figures on two threads depend on how far apart the host puts the two cores, which changes every few minutes, and on
whether another program wants a core. So the round trip between the cores is probed before and after each such run, the
load by others is read from /proc/stat, and a row compares only undisturbed runs of one state. See measure.hpp for the
programs' protocol.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

FAR_NS = 200  # round trips take about 60 to 100 ns in the near state and 310 to 400 in the far one
FOREIGN_CORES = 0.15  # load by other programs, in cores, that disturbs a run which needs all cores
WIDE_SPREAD = 0.1  # a row is run again when the figures of its runs are further apart


class Program:
    def __init__(self, name, path, environments):
        self.name = name
        self.path = path
        self.environments = environments  # for each number of threads

    def call(self, threads, *arguments):
        """The JSON lines that the program prints."""
        done = subprocess.run([self.path, *arguments], env={**os.environ, **self.environments[threads]},
                              stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


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


def measure(program, threads, workload, seconds, machine):
    """One run, with what is known of the machine during it."""
    latencies = [machine.call(2, "--latency")[0]["latency_ns"]] if threads > 1 else []
    start, busy, own = time.monotonic(), busy_seconds(), children_seconds()
    run, = program.call(threads, "--workload", workload, "--threads", str(threads), "--seconds", str(seconds))
    elapsed = time.monotonic() - start
    foreign = max(0.0, (busy_seconds() - busy) - (children_seconds() - own)) / elapsed
    if threads > 1:
        latencies += [machine.call(2, "--latency")[0]["latency_ns"]]
    return {"program": program.name, **run, "latency_ns": latencies, "foreign_cores": round(foreign, 2),
            "state": state_of(latencies) if threads > 1 else "any",
            "disturbed": foreign + threads > os.cpu_count() + FOREIGN_CORES}


def spread(medians):
    return (max(medians) - min(medians)) / statistics.median(medians)


class Row:
    """The runs of one workload, and what follows from them."""

    def __init__(self, workload, programs, threads):
        self.workload = workload
        self.programs = programs
        self.threads = threads  # the settings that were asked for
        self.runs = []

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

    def best(self, program):
        """The setting with the lowest median: (microseconds, threads, spread, whether all settings can be compared)."""
        state, count = self.state()
        candidates, comparable = [], count > 0
        for threads in self.threads:
            medians = self.usable(program, threads, state)
            if not medians:
                comparable = False
                medians = [run["median_us"] for run in self.runs
                           if run["program"] == program.name and run["threads"] == threads]
            candidates.append((statistics.median(medians), threads, spread(medians)))
        return *min(candidates), comparable

    def round_trips(self):
        latencies = [latency for run in self.runs for latency in run["latency_ns"]]
        if not latencies:
            return "-"
        state, count = self.state()
        moved = ", the cores moved" if len({run["state"] for run in self.runs} - {"any"}) > 1 else ""
        return f"{state if count else 'no common state'}, {min(latencies):.0f} to {max(latencies):.0f} ns{moved}"

    def settled(self, needed_runs):
        return self.state()[1] >= needed_runs and all(self.best(program)[2] <= WIDE_SPREAD for program in self.programs)


def machine_figures(probes):
    """The best of several probes: other load can only make a probe worse."""
    return {name: (min if name.endswith("_ns") else max)(probe[name] for probe in probes) for name in probes[0]}


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr)


def significant(number):
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def print_tables(rows, machine):
    print("Machine, 1 and 2 cores: gemm {gemm_1_gflops} and {gemm_2_gflops} GFLOP/s, triad {triad_1_gbs} and "
          "{triad_2_gbs} GB/s; round trip between the cores {latency_ns} ns.".format(**machine))
    programs = rows[0].programs
    for group in dict.fromkeys(row.workload["group"] for row in rows):
        print(f"\n### {group}, µs\n")
        print("| workload | " + " | ".join(program.name for program in programs) +
              f" | {programs[0].name} / {programs[1].name} | limit | round trip |")
        print("|---" * (len(programs) + 4) + "|")
        for row in (row for row in rows if row.workload["group"] == group):
            best = [row.best(program) for program in programs]
            cells = [f"{significant(median)} ± {50 * wide:.0f} % ({threads} thr.{'' if comparable else ', disturbed'})"
                     for median, threads, wide, comparable in best]
            limit = row.workload["flop"] / machine["gemm_2_gflops"] * 1e-3
            print(f"| {row.workload['title']} | {' | '.join(cells)} | {best[0][0] / best[1][0]:.3f} | "
                  f"{significant(limit) if limit >= 1 else '-'} | {row.round_trips()} |")


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    for name in ("machine", "xgrad", "libtorch", "pthread-blas", "openmp-blas"):
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="shorter and fewer runs: about 2 minutes")
    parser.add_argument("--only", action="append", metavar="NAME", help="one workload or one table")
    parser.add_argument("--json", metavar="FILE", help="also write every run's figures")
    parser.add_argument("--threads", type=int, nargs=1, choices=(1, 2), default=(1, 2), help="only on so many threads")
    options = parser.parse_args()
    rounds, extra_rounds, seconds = (3, 0, 0.25) if options.quick else (5, 5, 1.0)
    needed_runs = rounds // 2 + 1

    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        capability = {"ATEN_CPU_CAPABILITY": "avx512"} if "avx512f" in cpuinfo.read() else {}
    pthread = {"LD_LIBRARY_PATH": options.pthread_blas}
    machine_program = Program("machine", options.machine, {2: pthread})
    programs = [
        Program("xgrad", options.xgrad, {1: pthread, 2: pthread}),
        # With the pthread BLAS on two threads LibTorch's two thread pools fight each other.
        Program("LibTorch", options.libtorch,
                {1: {**pthread, **capability, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                 2: {**capability, "LD_LIBRARY_PATH": options.openmp_blas, "OMP_NUM_THREADS": "2"}}),
    ]

    workloads = programs[0].call(1, "--list")
    if any(program.call(1, "--list") != workloads for program in programs):
        sys.exit("the programs list different workloads; rebuild them")
    names = {name for workload in workloads for name in (workload["workload"], workload["group"])}
    for name in options.only or []:
        if name not in names:
            parser.error(f"--only: no workload or table is called '{name}'; there are {', '.join(sorted(names))}")
    rows = [Row(workload, programs, options.threads) for workload in workloads
            if not options.only or {workload["workload"], workload["group"]} & set(options.only)]

    probes = machine_program.call(2)
    for number, row in enumerate(rows, 1):
        for turn in range(1, rounds + extra_rounds + 1):
            if turn > rounds and row.settled(needed_runs):
                break
            show_progress(f"{number}/{len(rows)} {row.workload['title']}: round {turn}")
            row.runs += [measure(program, threads, row.workload["workload"], seconds, machine_program)
                         for threads in options.threads for program in programs]
    show_progress("done\n" if sys.stderr.isatty() else "done")
    machine = machine_figures(probes + machine_program.call(2))
    print_tables(rows, machine)

    unsettled = [row.workload["workload"] for row in rows if not row.settled(needed_runs)]
    if unsettled:
        print(f"\nNot settled (other load, or the cores moved, or the runs differ by more than {WIDE_SPREAD:.0%}): "
              f"{', '.join(unsettled)}. Figures marked disturbed must not be compared.")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "quick": options.quick,
                       "rows": [{**row.workload, "state": row.state()[0],
                                 "best": {program.name: dict(zip(("median_us", "threads", "spread", "comparable"),
                                                                 row.best(program))) for program in programs},
                                 "runs": row.runs} for row in rows]}, file, indent=1)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        sys.exit(f"benchmark: {error}")
