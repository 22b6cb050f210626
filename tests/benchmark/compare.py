#!/usr/bin/env python3
"""Runs the benchmark programs in alternation and prints Markdown tables; run.sh builds the programs and calls it."""

import argparse
import json
import os
import subprocess
import sys
import time

from measuring import Program, Row, measure_programs, measure_rows
from report import PROGRAMS, print_report, targets, write_picture

PICTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cost_as_work_grows.svg")
QUICK = ("about 2 minutes: step times, 4M elements, operations at 1 and 1000 elements, softmax, optimizer, start-up, "
         "memory and size, in shorter and fewer runs")


def machine_figures(probes):
    """The best of several probes: other load can only make a probe worse."""
    return {name: (min if name.endswith("_ns") else max)(probe[name] for probe in probes) for name in probes[0]}


def show_progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr)


def parse():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    for name in ("machine", "xgrad", "libtorch", "xgrad-program", "libtorch-program", "xgrad-compile",
                 "libtorch-compile", "pthread-blas", "openmp-blas", "data"):
        parser.add_argument("--" + name, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help=QUICK)
    parser.add_argument("--only", action="append", metavar="NAME", help="one workload or one table")
    parser.add_argument("--json", metavar="FILE", help="also write every run's figures")
    parser.add_argument("--picture", metavar="FILE", help="where to draw the cost as work grows (SVG, by gnuplot); a "
                        "full run draws cost_as_work_grows.svg beside this program")
    parser.add_argument("--threads", type=int, nargs=1, choices=(1, 2), default=(1, 2), help="only on so many threads")
    return parser, parser.parse_args()


def make_programs(options):
    with open("/proc/cpuinfo", encoding="ascii") as cpuinfo:
        capability = {"ATEN_CPU_CAPABILITY": "avx512"} if "avx512f" in cpuinfo.read() else {}
    pthread = {"LD_LIBRARY_PATH": options.pthread_blas}
    return Program("machine", options.machine, {2: pthread}), [
        Program("xgrad", options.xgrad, {1: pthread, 2: pthread}),
        # With the pthread BLAS on two threads LibTorch's two thread pools fight each other.
        Program("LibTorch", options.libtorch,
                {1: {**pthread, **capability, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                 2: {**capability, "LD_LIBRARY_PATH": options.openmp_blas, "OMP_NUM_THREADS": "2"}}),
    ]


def choose(workloads, options, parser):
    """The workloads to run, and whether to look at whole programs."""
    names = {name for workload in workloads for name in (workload["workload"], workload["group"])} | {PROGRAMS}
    for name in options.only or []:
        if name not in names:
            parser.error(f"--only: no workload or table is called '{name}'; tables: "
                         f"{', '.join([*dict.fromkeys(workload['group'] for workload in workloads), PROGRAMS])}; "
                         f"--list of a program names the workloads")
    if options.only:
        return ([workload for workload in workloads if {workload["workload"], workload["group"]} & set(options.only)],
                PROGRAMS in options.only)
    return [workload for workload in workloads if workload["quick"] or not options.quick], True


def main():
    parser, options = parse()
    rounds, extra_rounds, effort, limit = (2, 1, 0.25, 80) if options.quick else (3, 3, 1.0, 1200)
    deadline = time.monotonic() + limit
    machine_program, programs = make_programs(options)
    workloads = programs[0].call(1, "--list")
    if any(program.call(1, "--list") != workloads for program in programs):
        sys.exit("the programs list different workloads; rebuild them")
    chosen, whole_programs = choose(workloads, options, parser)

    probes = machine_program.call(2)
    rows = [Row(workload, programs, options.threads) for workload in chosen]
    figures = measure_programs(programs, {"xgrad": options.xgrad_program, "LibTorch": options.libtorch_program},
                               {"xgrad": options.xgrad_compile, "LibTorch": options.libtorch_compile},
                               options.threads, options.quick, show_progress) if whole_programs else {}
    measure_rows(rows, programs, options.threads, effort, rounds, extra_rounds, deadline, options.data,
                 machine_program, show_progress)
    show_progress("done\n" if sys.stderr.isatty() else "done")
    machine = machine_figures(probes + machine_program.call(2))

    unsettled = [row for row in rows if not row.settled(rounds // 2 + 1)]
    print_report(rows, programs, figures, machine, unsettled)
    whole_run = not options.quick and not options.only and len(options.threads) > 1
    picture = options.picture or (PICTURE if whole_run else None)
    if picture:
        write_picture(rows, programs, picture)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "quick": options.quick, "programs": figures,
                       "targets": targets(rows, programs, figures, machine),
                       "rows": [{**row.workload, "state": row.state()[0], "ratio": row.ratio(),
                                 "best": {program.name: dict(zip(("median_us", "threads", "spread", "comparable"),
                                                                 row.best(program))) for program in row.programs},
                                 "runs": row.runs} for row in rows]}, file, indent=1)


if __name__ == "__main__":
    try:
        main()
    except (subprocess.SubprocessError, FileNotFoundError) as error:
        sys.exit(f"benchmark: {error}")
