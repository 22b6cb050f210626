#!/usr/bin/python3
"""Prints the constants of autograd/kernels/simd/{exponential,logarithm}.hpp: log 2 in two parts, the table of the
logarithm, minimax polynomials (Remez 1934). Needs python3-mpmath."""

from mpmath import cos, exp, frexp, ldexp, ln, log, log1p, lu_solve, matrix, mp, mpf, nint, pi

mp.prec = 300

# Digits of a number, of the head of log 2 and of the heads of the table, and how many coefficients.
FORMATS = {
    "float": {"digits": 24, "ln2_head": 15, "heads": 16, "exp": 6, "log": 4},
    "double": {"digits": 53, "ln2_head": 39, "heads": 42, "exp": 10, "log": 9},
}


def rounded(x, digits):
    significand, exponent = frexp(x)
    return ldexp(nint(ldexp(significand, digits)), exponent - digits)


def on_grid(x, places):
    return ldexp(nint(ldexp(x, places)), -places)


def shown(name, values):
    def literal(x):
        significand, exponent = float(x).hex().split("p")
        return (significand.rstrip("0") if float(x) else "0x0") + "p" + exponent

    print(f"  {name} = {', '.join(literal(x) for x in values)}")


def minimax(f, weight, count, low, high):
    """The count coefficients of Σ c_k x^k that minimise max |weight·(f - Σ)| on [low, high]; weight(0) is 0."""
    n = count + 1
    even = n + n % 2  # nodes, none of them in the middle
    nodes = [(low + high) / 2 - (high - low) / 2 * cos(pi * (2 * k + 1) / (2 * even)) for k in range(even)]
    if even > n:
        nodes.pop(n // 2)
    grid = [low + (high - low) * (1 - cos(pi * k / 400)) / 2 for k in range(401)]
    grid = [x for x in grid if abs(x) > high / 1000]
    for _ in range(30):
        system, right = matrix(n, n), matrix(n, 1)
        for i, x in enumerate(nodes):
            for k in range(count):
                system[i, k] = weight(x) * x**k
            system[i, count] = (-1) ** i
            right[i] = weight(x) * f(x)
        solution = lu_solve(system, right)
        errors = [weight(x) * (f(x) - sum(solution[k] * x**k for k in range(count))) for x in grid]
        extrema = []  # the largest error of each run of one sign
        for x, error in zip(grid, errors):
            if extrema and (error > 0) == (extrema[-1][1] > 0):
                extrema[-1] = max(extrema[-1], (x, error), key=lambda pair: abs(pair[1]))
            else:
                extrema.append((x, error))
        while len(extrema) > n:
            extrema.pop(0 if abs(extrema[0][1]) < abs(extrema[-1][1]) else -1)
        nodes = [x for x, _ in extrema]
        sizes = [abs(error) for _, error in extrema]
        if max(sizes) < min(sizes) * mpf("1.01"):
            return [solution[k] for k in range(count)]
    raise ValueError("no convergence")


def shown_polynomial(f, weight, count, low, high, digits):
    c = [rounded(ck, digits) for ck in minimax(f, weight, count, low, high)]
    points = [low + (high - low) * (k + mpf("0.37")) / 500 for k in range(500)]
    worst = max(abs(weight(x) * (f(x) - sum(ck * x**k for k, ck in enumerate(c)))) for x in points)
    shown(f"coefficients (error 2^{float(log(worst, 2)):.1f})", c)


def inverse(low, high):
    """c of at most 6 bits next to 1/m for m in [low, high), with m·c - 1 a number of the format for every such m."""
    if low < 1 < high:
        return mpf(1)
    candidates = []
    for digits in (4, 5, 6):
        for numerator in range(2 ** (digits - 1), 2 ** (digits + 1)):
            c = ldexp(mpf(numerator), -digits)
            r = max(abs(low * c - 1), abs(high * c - 1))
            steps = ldexp(mpf(1 if low >= 1 else 2), digits - 1)  # in which m·c - 1 counts, to those of numbers from 1 on
            if r * steps <= 1:
                candidates.append((r, digits, c))
    return min(candidates)[2]


def table_parts():
    """The parts [low, high) of [55/64, 55/32): 1/16 of an octave each in the representation, half as wide below 1."""
    places = [mpf(55) / 64 + mpf(i) / 32 for i in range(17)]
    places = [x if x < 1 else 1 + (x - 1) * 2 for x in places]
    return list(zip(places, places[1:]))


for name, form in FORMATS.items():
    print(name)
    digits = form["digits"]
    head = on_grid(ln(2), form["ln2_head"])
    shown("ln2_head, ln2_tail", [head, rounded(ln(2) - head, digits)])
    half = ln(2) / 2
    shown_polynomial(lambda x: (exp(x) - 1 - x) / x**2, lambda x: x**2 / exp(x), form["exp"], -half, half, digits)

    parts = table_parts()
    c = [inverse(low, high) for low, high in parts]
    heads = [on_grid(-ln(ci), form["heads"]) for ci in c]
    shown("inverse", c)
    shown("head", heads)
    shown("tail", [rounded(-ln(ci) - head, digits) for ci, head in zip(c, heads)])
    least = min(low * ci - 1 for (low, _), ci in zip(parts, c))
    most = max(high * ci - 1 for (_, high), ci in zip(parts, c))
    shown_polynomial(lambda x: (log1p(x) - x + x**2 / 2) / x**3, lambda x: x**2, form["log"], least, most, digits)
