#!/usr/bin/python3
"""server.py PROGRAM [REQUESTS]: what the playground's server does with requests that a page does not make."""

import json
import random
import socket
import sys
import threading
import time
import unittest

from program import Playground

program = sys.argv[1]
requests = int(sys.argv[2]) if len(sys.argv) > 2 else 1000


class Server(unittest.TestCase):
    def setUp(self):
        self.playground = Playground(program, "--sessions", "4")

    def tearDown(self):
        if self.playground.process.poll() is None:
            self.playground.end()
        self.assertEqual(self.playground.code, 130)

    def refused(self, status, *request, says=""):
        got, text = self.playground.request(*request)
        self.assertEqual(got, status, text)
        self.assertEqual(text.count(b"\n"), 1, text)
        self.assertTrue(text.endswith(b"\n"))
        self.assertIn(says, text.decode())

    def test_pages_of_other_sites_are_refused(self):
        own = f"127.0.0.1:{self.playground.port}"
        for host in ["example.org", f"example.org:{self.playground.port}", "127.0.0.1", "", f"127.0.0.1:{self.playground.port}.example.org"]:
            self.refused(403, "GET", "/", None, {"Host": host})
        for origin in ["http://example.org", "null", f"https://{own}", f"http://{own}.example.org"]:
            self.refused(403, "POST", "/session", "", {"Host": own, "Origin": origin})
        for path in ["/", "/page.css", "/page.js", "/controls"]:
            status, text = self.playground.request("GET", path, None, {"Host": own, "Origin": f"http://{own}"})
            self.assertEqual(status, 200)
            self.assertGreater(len(text), 500)

    def test_the_page_asks_nobody_else(self):
        for path in ["/", "/page.css", "/page.js"]:
            text = self.playground.request("GET", path)[1].decode()
            self.assertNotIn("://", text.replace("http://www.w3.org", ""))

    def test_malformed_large_and_unknown_requests_leave_the_session_unharmed(self):
        session, state = self.playground.open("data=xor")
        path = f"/session/{session}"
        self.refused(400, "POST", path, "", says="request")
        self.refused(400, "POST", path, "{", says="request")
        self.refused(400, "POST", path, b"\xff\xfe", says="request")
        self.refused(400, "POST", path, "[" * 100_000, says="request")
        self.refused(400, "POST", path, '{"command": "pley"}', says="did you mean")
        self.refused(400, "POST", path, '{"command": "set", "values": {"noise": "99"}}', says="noise: '99'")
        self.refused(400, "GET", "/nothing")
        self.refused(400, "PATCH", "/session")
        self.refused(400, "POST", "/session", '{"address": 5}')
        self.refused(410, "POST", "/session/" + "0" * 32, "{}")
        self.refused(400, "POST", path, b"x" * (1 << 20), says="request")
        try:
            self.refused(400, "POST", path, b"x" * ((1 << 20) + 1), says="1 MiB")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server does not read what it does not want
        self.assertEqual(self.playground.command(session, "state"), state)

    def test_sessions_are_bounded_and_ended_ones_make_room(self):
        sessions, readers = [], []
        for _ in range(4):  # each with a page that is shown
            sessions.append(self.playground.open()[0])
            frames = self.playground.frames(sessions[-1])
            next(frames)
            readers.append(threading.Thread(target=lambda frames=frames: list(frames)))
            readers[-1].start()
        self.refused(503, "POST", "/session", says="4 sessions")
        self.playground.json("DELETE", f"/session/{sessions[0]}")
        self.refused(410, "POST", f"/session/{sessions[0]}", '{"command": "state"}')
        self.playground.open()
        for session in sessions[1:]:
            self.playground.json("DELETE", f"/session/{session}")
        for reader in readers:
            reader.join()

    def test_idle_sessions_end(self):
        with Playground(program, "--sessions", "1", "--idle", "1") as playground:
            first, _ = playground.open()
            time.sleep(1.2)
            playground.open()
            self.assertEqual(playground.request("POST", f"/session/{first}", "{}")[0], 410)

    def test_ctrl_c_ends_it_with_pages_open(self):
        reading = []
        for _ in range(4):
            session, _ = self.playground.open()
            self.playground.command(session, "play")
            reading.append(threading.Thread(target=lambda session=session: list(self.playground.frames(session))))
            reading[-1].start()
        silent = socket.create_connection((self.playground.host, self.playground.port))
        silent.sendall(f"GET /session/{session}/frames HTTP/1.1\r\nHost: 127.0.0.1:{self.playground.port}\r\n\r\n".encode())
        half = socket.create_connection((self.playground.host, self.playground.port))
        half.sendall(b"POST /session HTTP/1.1\r\nContent-Length: 100\r\n")
        time.sleep(1.5)
        print(f"\nCtrl-C took {self.playground.end():.2f} s", end=" ")
        for reader in reading:
            reader.join()
        silent.close()
        half.close()

    def test_the_same_weights_in_a_session_and_without_a_page(self):
        import subprocess
        address = "data=spiral&layers=5:tanh,3:swish&optimizer=adam&events=100:learning_rate:0.01"
        session, _ = self.playground.open(address)
        self.playground.command(session, "step", steps=500)
        for frame in self.playground.frames(session):
            if frame["step"] == 500 and not frame["playing"]:
                break
        digest = self.playground.command(session, "state")["digest"]
        alone = subprocess.run([program, "--headless", "--steps", "500", "--address", address], capture_output=True, text=True)
        self.assertIn(f"weights {digest}\n", alone.stdout)

    def test_random_requests(self):
        """No crash, no hang, always an answer that is no server error; the session goes on."""
        rng = random.Random(1)
        session, _ = self.playground.open()
        commands = ["state", "set", "restore", "play", "pause", "reset", "step", "epoch", "edit", "watch", "csv",
                    "check_gradients", "tape", "doctor", "program", "nonsense"]
        controls = self.playground.json("GET", "/controls")

        def value():
            return rng.choice([None, True, -1, 0, 1, 7, 1e308, 1 << 63, "", "x", "1", "-5", "\u0000", "é" * 50, [], {}, [[]],
                               "4:tanh,3:relu", "1:1:1,2:2:-1,3:3:1,4:4:-1", "0:learning_rate:1"])

        def body():
            kind = rng.randrange(6)
            if kind == 0:
                return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
            request = {"command": rng.choice(commands)}
            if kind == 1:
                control = rng.choice(controls)
                request = {"command": "set", "values": {control["name"]: rng.choice(control["choices"] or [value()])}}
            elif kind == 2:
                request = {"command": "set", "values": {rng.choice(controls)["name"]: value() for _ in range(3)}}
            else:
                for name in rng.sample(["steps", "link", "bias", "value", "unit", "text", "address", "values"], 4):
                    request[name] = value()
            text = json.dumps(request).encode()
            if kind == 5:
                at = rng.randrange(len(text))
                text = text[:at] + bytes([rng.randrange(256)]) + text[at + 1:]
            return text

        for i in range(requests):
            path = rng.choice([f"/session/{session}"] * 20 + ["/session", "/", "/controls", f"/session/{session}/model", "/" + "a" * rng.randrange(9000)])
            status, text = self.playground.request(rng.choice(["POST"] * 8 + ["GET", "PUT", "DELETE" if path == "/" else "HEAD"]), path, body())
            self.assertIn(status, [200, 400, 410, 503], (i, text))
            if status == 200 and path == "/session" and b'"session"' in text:
                self.playground.request("DELETE", f"/session/{json.loads(text)['session']}")
        self.playground.command(session, "pause")
        self.playground.command(session, "reset")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
