"""What the benchmark prints: tables, the targets with what was reached, and the picture of the cost as work grows."""

import statistics
import subprocess

PROGRAMS = "Whole programs"
SWEEP = "Cost as work grows: "
SWEEP_UNITS = {"depth": "µs per layer of 64, batch 32", "batch": "µs per MFLOP, 784-256-128-10",
               "width": "µs per MFLOP, width-width-width-10, batch 128"}
CANCELLED = 1e-3  # a sum below it has cancelled (that of centred numbers is 0) and has no digits left
DISAGREEMENT = 1e-2  # of checksums, relative: the widest are products of 4M numbers and gradients of deep networks


def significant(number):
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def limit_us(workload, machine):
    """What the machine needs at least, on two cores: products at the gemm rate, then memory at the triad rate."""
    return workload["flop"] / machine["gemm_2_gflops"] * 1e-3 + workload["bytes"] / machine["triad_2_gbs"] * 1e-3


def by_group(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row.workload["group"], []).append(row)
    return groups


def geometric_mean(rows):
    ratios = [ratio for row in rows if (ratio := row.ratio()) is not None]
    return statistics.geometric_mean(ratios) if ratios else None


def print_header(cells):
    print("| " + " | ".join(cells) + " |\n" + "|---" * len(cells) + "|")


def time_cell(row, program, scale=1.0):
    if program not in row.programs:
        return "no peer"
    median, threads, wide, comparable = row.best(program)
    return (f"{significant(median * scale)} ± {50 * wide:.0f} % "
            f"({threads} thr.{'' if comparable else ', disturbed'})")


def ratio_cell(ratio):
    return "-" if ratio is None else f"{ratio:.3f}"


def print_group(group, rows, programs, machine):
    unit, scale = ("s", 1e-6) if group == "Fashion-MNIST" else ("µs", 1.0)
    print(f"\n### {group}, {unit}\n")
    accuracies = ["accuracies"] if group == "Fashion-MNIST" else []
    print_header(["workload", *(program.name for program in programs), f"{programs[0].name} / {programs[1].name}",
                  "limit", "round trip", *accuracies])
    for row in rows:
        limit = limit_us(row.workload, machine)
        cells = [row.workload["title"], *(time_cell(row, program, scale) for program in programs),
                 ratio_cell(row.ratio()), significant(limit * scale) if limit >= 1 else "-", row.round_trips()]
        if accuracies:
            cells.append(", ".join(f"{accuracy:.4f}" for accuracy in row.checksums()))
        print(f"| {' | '.join(cells)} |")
    if len(rows) > 2 and group != "Step times":
        print(f"| geometric mean {'| ' * len(programs)}| {ratio_cell(geometric_mean(rows))} | | |")


# Growing work

def unit_costs(rows, program):
    """(size, microseconds per layer or MFLOP) in order of size."""
    return [(int(row.workload["title"]), row.best(program)[0] / row.workload["units"]) for row in rows]


def largest_jump(rows, program):
    """Between neighbouring sizes, upwards: (ratio, smaller size, larger size)."""
    costs = unit_costs(rows, program)
    return max(((after / before, size, next_size) for (size, before), (next_size, after) in zip(costs, costs[1:])),
               default=(1.0, 0, 0))


def jumps_of_our_own(rows, programs):
    """Steps of ours above 1.25 where the peer's cost does not jump as much: (ratio, smaller size, larger size)."""
    ours, theirs = (unit_costs(rows, program) for program in programs)
    steps = [(ours[i + 1][1] / ours[i][1], theirs[i + 1][1] / theirs[i][1], ours[i][0], ours[i + 1][0])
             for i in range(len(ours) - 1)]
    return [(own, size, next_size) for own, peer, size, next_size in steps if own > 1.25 >= peer]


def print_sweep(group, rows, programs):
    print(f"\n### {group}, {SWEEP_UNITS[group.removeprefix(SWEEP)]}\n")
    print_header(["size", *(program.name for program in programs), f"{programs[0].name} / {programs[1].name}"])
    for row in rows:
        cells = [time_cell(row, program, 1 / row.workload["units"]) for program in programs]
        print(f"| {row.workload['title']} | {' | '.join(cells)} | {ratio_cell(row.ratio())} |")
    jumps = [largest_jump(rows, program) for program in programs]
    print("| largest jump | " + " | ".join(f"{jump:.2f} ({size} to {larger})" for jump, size, larger in jumps) + " | |")


def write_picture(rows, programs, file):
    sweeps = {group.removeprefix(SWEEP): members for group, members in by_group(rows).items()
              if group.startswith(SWEEP)}
    if not sweeps:
        return
    script = [f'set terminal svg size {420 * len(sweeps)},360 background "white" font "sans,11"',
              f'set output "{file}"', f"set multiplot layout 1,{len(sweeps)}", "set logscale xy", "set autoscale xfix",
              "set grid", "set key bottom left"]
    for sweep, members in sweeps.items():
        names = []
        for number, program in enumerate(programs):
            names.append((f"${sweep}{number}", program.name))
            script.append(f"${sweep}{number} << end")
            script += [f"{size} {cost}" for size, cost in unit_costs(members, program)]
            script.append("end")
        script += [f'set xlabel "{sweep}"', f'set ylabel "{SWEEP_UNITS[sweep]}"',
                   "plot " + ", ".join(f'{block} with linespoints pointtype 7 pointsize 0.4 title "{name}"'
                                       for block, name in names)]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


# Targets: the figure that was reached, None when the run has not measured it, and its bound.

STEP_BOUNDS = {"2-8-2": 0.021, "4-16-16-3": 0.042, "784-128-10": 0.40, "784-256-128-10": 0.76, "1024x4": 0.76,
               "50-layers": 0.24, "sin-chain": 0.028, "multiply-add-chain": 0.07}
LIMIT_BOUNDS = {"784-256-128-10": 1.25, "1024x4": 1.15}
SPEEDUP_BOUNDS = {"784-128-10": 1.4, "784-256-128-10": 1.7, "1024x4": 1.7}
PROGRAM_BOUNDS = {"start-up": 0.02, "peak memory, 784-256-128-10 on 8192 rows": 45,
                  "stripped program and libraries, without BLAS and TBB": 20}


def targets(rows, programs, figures, machine):
    """[{"target", "bound", "figure", "met"}], of what this run has measured."""
    ours = programs[0]
    named = {row.name: row for row in rows}
    groups = by_group(rows)
    found = []

    def add(target, relation, bound, figure):
        if figure is not None:
            met = figure <= bound if relation == "≤" else figure >= bound
            found.append({"target": target, "bound": f"{relation} {bound:g}", "figure": figure, "met": met})

    def of(name, figure_of):
        return figure_of(named[name]) if name in named else None

    def to_limit(row):
        return row.best(ours)[0] / limit_us(row.workload, machine)

    for name, bound in STEP_BOUNDS.items():
        add(f"{name}, ours / LibTorch", "≤", bound, of(name, lambda row: row.ratio()))
    for name, bound in LIMIT_BOUNDS.items():
        add(f"{name}, ours / machine's limit", "≤", bound, of(name, to_limit))
    for name, bound in SPEEDUP_BOUNDS.items():
        add(f"{name}, 2 threads against 1", "≥", bound,
            of(name, lambda row: row.at(ours, 1)[0] / row.at(ours, 2)[0] if row.threads == (1, 2) else None))
    if large := groups.get("4M elements"):
        add("4M elements, worst column", "≤", 1.0, max(row.ratio() for row in large))
        add("4M elements, geometric mean", "≤", 0.75, geometric_mean(large))
    for size, bound in (("1 element", 0.1), ("1000 elements", 0.3)):
        add(f"every operation, {size}, geometric mean", "≤", bound,
            geometric_mean(groups.get(f"Operations, {size}", [])))
    add("Fashion-MNIST, time", "≤", 0.65, of("fashion-mnist", lambda row: row.ratio()))
    add("Fashion-MNIST, accuracies apart, points", "≤", 0.3,
        of("fashion-mnist", lambda row: 100 * abs(row.checksums()[0] - row.checksums()[1])))
    add("SGD, 10M parameters, ours / LibTorch", "≤", 1.0, of("sgd-10M", lambda row: row.ratio()))
    add("SGD, 10M parameters, share of the triad bandwidth", "≥", 0.8, of("sgd-10M", lambda row: 1 / to_limit(row)))
    for name, bound in (("rows-SGD", 200), ("rows-Adam", 200), ("poisson", 100)):
        add(f"{name}, µs", "≤", bound, of(name, lambda row: row.best(ours)[0]))
    add("poisson, ours / LibTorch", "≤", 0.3, of("poisson", lambda row: row.ratio()))
    for name, whole, bound in (("generator-only", "generator-all", 0.75), ("example-gradients-norms", "batch-gradients", 3),
                               ("example-gradients-written", "batch-gradients", 3)):
        if whole in named:
            add(f"{name} / {whole}", "≤", bound,
                of(name, lambda row: row.best(ours)[0] / named[whole].best(ours)[0]))
    for name, bound in PROGRAM_BOUNDS.items():
        if name in figures:
            add(f"{name}, {figures[name]['unit']}", "≤", bound, figures[name][ours.name])
    if compiling := figures.get("compiling and linking the program"):
        add("compile time, ours / LibTorch", "≤", 0.15, compiling[ours.name] / compiling[programs[1].name])
    for group, members in groups.items():
        if group.startswith(SWEEP):
            own = jumps_of_our_own(members, programs)
            where = f" ({max(own)[1]} to {max(own)[2]})" if own else ""
            add(f"{group}, largest jump that is not LibTorch's too{where}", "≤", 1.25, max(own)[0] if own else 1.0)
    return found


def summary_of(unsettled, groups):
    """The rows' names, or the table's where it is most of a table."""
    for group, members in groups.items():
        found = [row for row in members if row in unsettled]
        if len(found) > 3 and 2 * len(found) > len(members):
            yield f"{len(found)} of {len(members)} of {group}"
        else:
            yield from (row.name for row in found)


def print_report(rows, programs, figures, machine, unsettled):
    print("Machine, 1 and 2 cores: gemm {gemm_1_gflops} and {gemm_2_gflops} GFLOP/s, triad {triad_1_gbs} and "
          "{triad_2_gbs} GB/s; round trip between the cores {latency_ns} ns.".format(**machine))
    for group, members in by_group(rows).items():
        if group.startswith(SWEEP):
            print_sweep(group, members, programs)
        else:
            print_group(group, members, programs, machine)
    if figures:
        print(f"\n### {PROGRAMS}\n")
        print_header(["figure", *(program.name for program in programs), f"{programs[0].name} / {programs[1].name}"])
        for name, figure in figures.items():
            values = [figure[program.name] for program in programs]
            print(f"| {name}, {figure['unit']} | {' | '.join(significant(value) for value in values)} | "
                  f"{values[0] / values[1]:.3f} |")
    reached = targets(rows, programs, figures, machine)
    if reached:
        print("\n### Targets\n")
        print_header(["target", "bound", "figure", ""])
        for target in reached:
            print(f"| {target['target']} | {target['bound']} | {target['figure']:.3g} | "
                  f"{'met' if target['met'] else '**missed**'} |")
    different = [row.name for row in rows if not row.once and len(row.programs) > 1 and
                 abs(row.checksums()[0] - row.checksums()[1]) > max(CANCELLED, DISAGREEMENT * abs(row.checksums()[1]))]
    if different:
        print(f"\n**The programs do not compute the same** in: {', '.join(different)}.")
    if unsettled:
        print(f"\nNot settled (other load, or the cores moved, or the runs are too far apart): "
              f"{', '.join(summary_of(unsettled, by_group(rows)))}. Figures marked disturbed must not be compared.")
