#!/usr/bin/python3
"""playground.py PROGRAM: how fast the playground trains while its page draws, beside the same algorithm in plain
JavaScript flat out in the same browser; and whether sixteen sessions share the machine, one of them not reading. Prints,
does not judge. With --no-browser only the second. On a machine that is busy otherwise look at the times of the
processor."""

import os
import pathlib
import socket
import statistics
import sys
import threading
import time

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "tests" / "examples" / "playground"))
from program import Playground

program = sys.argv[1]
seconds = 5

# 2-4-2-1 with tanh, batches of 10 in a new order every epoch, squared error, gradient descent: the default network.
# Arrays of numbers, as fast as V8 gets it: float64, nothing allocated in the loop.
plain_javascript = """
const done = arguments[0];
const sizes = [2, 4, 2, 1], layers = [];
for (let l = 1; l < sizes.length; l++) {
  const n = sizes[l - 1], m = sizes[l];
  layers.push({n, m, w: Float64Array.from({length: n * m}, () => Math.random() - .5), b: new Float64Array(m).fill(.1),
               gw: new Float64Array(n * m), gb: new Float64Array(m), y: new Float64Array(m), d: new Float64Array(m)});
}
const rows = 250, X = [], Y = [], order = Array.from({length: rows}, (_, i) => i);
for (let i = 0; i < rows; i++) {
  const a = Math.random() * 10 - 5, b = Math.random() * 10 - 5;
  X.push(Float64Array.of(a, b));
  Y.push(Math.hypot(a, b) < 3 ? 1 : -1);
}
function step(start, size, rate) {
  for (let s = start; s < start + size; s++) {
    const first = X[order[s]];
    let x = first;
    for (const l of layers) {
      for (let j = 0; j < l.m; j++) {
        let a = l.b[j];
        for (let i = 0; i < l.n; i++) a += l.w[j * l.n + i] * x[i];
        l.y[j] = Math.tanh(a);
      }
      x = l.y;
    }
    const last = layers[layers.length - 1];
    last.d[0] = 2 * (last.y[0] - Y[order[s]]) * (1 - last.y[0] * last.y[0]);
    for (let k = layers.length - 1; k >= 0; k--) {
      const l = layers[k], below = k > 0 ? layers[k - 1] : null, input = below ? below.y : first;
      for (let j = 0; j < l.m; j++) {
        const d = l.d[j];
        l.gb[j] += d;
        for (let i = 0; i < l.n; i++) l.gw[j * l.n + i] += d * input[i];
      }
      if (below)
        for (let i = 0; i < l.n; i++) {
          let a = 0;
          for (let j = 0; j < l.m; j++) a += l.w[j * l.n + i] * l.d[j];
          below.d[i] = a * (1 - below.y[i] * below.y[i]);
        }
    }
  }
  const factor = rate / size;
  for (const l of layers) {
    for (let i = 0; i < l.w.length; i++) { l.w[i] -= factor * l.gw[i]; l.gw[i] = 0; }
    for (let j = 0; j < l.m; j++) { l.b[j] -= factor * l.gb[j]; l.gb[j] = 0; }
  }
}
let steps = 0, at = 0;
const run = milliseconds => {
  const end = performance.now() + milliseconds;
  steps = 0;
  while (performance.now() < end)
    for (let i = 0; i < 1000; i++, steps++) {
      if (at + 10 > rows) {
        at = 0;
        for (let k = rows - 1; k > 0; k--) {
          const j = Math.floor(Math.random() * (k + 1)), o = order[k];
          order[k] = order[j];
          order[j] = o;
        }
      }
      step(at, 10, .03);
      at += 10;
    }
};
run(1000);
run(3000);
done(steps);
"""


def processor_seconds(process):
    """That a process has used, all of its threads."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def renderers(driver):
    """Processes that run the pages of a browser."""
    parents = {int(p.name): p for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()}
    found, root = [], driver.service.process.pid
    for number, path in parents.items():
        try:
            if b"--type=renderer" not in (path / "cmdline").read_bytes():
                continue
            ancestor = number
            while ancestor not in (0, 1, root):
                ancestor = int((pathlib.Path("/proc") / str(ancestor) / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if ancestor == root:
                found.append(number)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def plain(driver):
    """Steps a second, and microseconds of the processor a step."""
    before = sum(processor_seconds(p) for p in renderers(driver))
    steps = driver.execute_async_script(plain_javascript)
    used = sum(processor_seconds(p) for p in renderers(driver)) - before
    return steps / 3, used * 0.75 / steps * 1e6  # the first quarter is to warm up


def page():
    from browser import browser
    with Playground(program) as playground:
        driver = browser()
        try:
            driver.set_script_timeout(60)
            driver.get(playground.address)
            time.sleep(2)
            theirs, their_time = plain(driver)
            driver.find_element("id", "play").click()
            time.sleep(1)
            read = "return [playground.frame.step, playground.drawn, performance.now()]"
            step, drawn, now = driver.execute_script(read)
            used = processor_seconds(playground.process.pid)
            time.sleep(seconds)
            used = processor_seconds(playground.process.pid) - used
            last_step, last_drawn, later = driver.execute_script(read)
            elapsed = (later - now) / 1000
            rate, frames = (last_step - step) / elapsed, (last_drawn - drawn) / elapsed
            time_of_step = used / (last_step - step) * 1e6
            print(f"the page: {rate:,.0f} steps a second while it draws {frames:.1f} frames a second; "
                  f"{time_of_step:.2f} µs of the processor a step, frames included")
            print(f"plain JavaScript, flat out in the same browser: {theirs:,.0f} steps a second; {their_time:.2f} µs a step")
            print(f"ratio {rate / theirs:.2f}, of the processor's time {their_time / time_of_step:.2f}; "
                  f"one epoch of 25 steps a frame, at 60 frames a second: {rate / (25 * 60):.0f} times that")
        finally:
            driver.quit()


def sessions(count=16):
    with Playground(program) as playground:
        opened = [playground.open()[0] for _ in range(count)]
        before = playground.memory()
        silent = socket.create_connection((playground.host, playground.port))
        silent.sendall(f"GET /session/{opened[0]}/frames HTTP/1.1\r\nHost: 127.0.0.1:{playground.port}\r\n\r\n".encode())
        ended = threading.Event()

        def read(session):
            for _ in playground.frames(session):
                if ended.is_set():
                    return

        readers = [threading.Thread(target=read, args=(session,)) for session in opened[1:]]
        for reader in readers:
            reader.start()
        for session in opened:
            playground.command(session, "play")
        time.sleep(1)
        done = lambda: [playground.command(session, "watch", unit=None)["step"] for session in opened]
        first = done()
        time.sleep(3 * seconds)
        steps = [b - a for a, b in zip(first, done())]
        print(f"{count} sessions, one never reading: the slowest of the others has {min(steps[1:]) / statistics.mean(steps):.0%} "
              f"of its share, the silent one {steps[0] / statistics.mean(steps):.0%}")
        print(f"memory: {before >> 20} MiB before, {playground.memory() >> 20} MiB after")
        ended.set()
        for reader in readers:
            reader.join()
        silent.close()


if "--no-browser" not in sys.argv:
    page()
sessions()
