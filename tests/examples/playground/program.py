"""The running playground, for tests: started, asked and ended."""

import http.client
import json
import re
import signal
import subprocess
import time


class Playground:
    """The program on a free port; `with` ends it by Ctrl-C."""

    def __init__(self, path, *flags):
        self.process = subprocess.Popen([path, *flags], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"http://([\d.]+):(\d+)/", line)
        assert found, f"no address: {line!r}"
        self.host, self.port = found[1], int(found[2])
        self.address = found[0]

    def request(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None):
        status, text = self.request(method, path, None if body is None else json.dumps(body))
        assert status == 200, (status, text)
        return json.loads(text)

    def open(self, address=""):
        answer = self.json("POST", "/session", {"address": address})
        return answer["session"], answer["state"]

    def command(self, session, name, **members):
        return self.json("POST", f"/session/{session}", {"command": name, **members})

    def frames(self, session):
        """Frames as they come."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("GET", f"/session/{session}/frames")
        answer = connection.getresponse()
        assert answer.status == 200
        try:
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def memory(self):
        """Resident bytes."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def end(self):
        """Seconds that Ctrl-C took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.code = self.process.wait(30)
        self.process.stdout.close()
        return time.monotonic() - begin

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.end()
