# SPDX-License-Identifier: MPL-2.0
"""What happened in a run, as a history, and who judges it: what lies on disk comes first, then what
clients and workers said, in the order in which they said it."""

import os
import subprocess
import threading

from mesh import BUILD, check, digest, open_seal


def short(data):
    """A digest as histories have it."""
    return digest(data)[:16].hex()


class Record:
    """The events of a run, one a line, and the segments of the log as long as they are there."""

    def __init__(self, mesh):
        self.mesh = mesh
        self.lines, self.lock = [], threading.Lock()
        self.copies = []  # the entries in copies of the data directory
        self.archive = os.path.join(mesh.directory, "archive")
        os.mkdir(self.archive)
        self.is_over = threading.Event()
        self.keeper = threading.Thread(target=self.keep)
        self.keeper.start()

    def add(self, *words):
        with self.lock:
            self.lines.append(" ".join(str(word) for word in words if word is not None))

    def keep(self):
        """A snapshot lets go of what the log held before; a second link keeps it."""
        while not self.is_over.wait(0.02):
            self.link()

    def link(self):
        for name in os.listdir(self.mesh.data):
            kept = os.path.join(self.archive, name)
            if name.startswith("segment-") and name.count("-") == 1 and "." not in name:
                try:
                    os.link(os.path.join(self.mesh.data, name), kept)
                except (FileExistsError, FileNotFoundError):
                    pass

    def stop(self):
        self.is_over.set()
        self.keeper.join()

    def executions(self):
        """Only a `work` says when it ends."""
        for function, identity, attempt, _ in self.mesh.executions():
            words = ("exec", "w", "end" if function.startswith("end:") else "start",
                     "task=" + identity, "attempt=" + attempt)
            self.add(*words)
            if not function.endswith("work"):
                self.add("exec", "w", "end", *words[3:])

    def read(self, *words, file=subprocess.PIPE):
        """What a stopped coordinator has, as lines."""
        result = subprocess.run([os.path.join(BUILD, "read_ledger"), *words], stdout=file,
                                stderr=subprocess.PIPE, check=False)
        check(result.returncode == 0, "the ledger can be read:", result.stderr.decode())
        return result.stdout.decode() if result.stdout else ""

    def judge(self, path):
        """Writes the history, and has it checked; every signature in the ledger as well."""
        self.link()
        self.executions()
        seals = path + ".seals"
        with open(path, "w", encoding="utf-8") as file:
            self.read("c1", self.archive, self.mesh.public.hex(), seals, file=file)
            for lines in self.copies:
                file.write(lines)
            file.write("\n".join(self.lines) + "\nquiet\n")
        result = subprocess.run([os.path.join(BUILD, "check_history"), path], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(result.returncode == 0, "the history:", result.stdout.decode())
        count = 0
        with open(seals, encoding="utf-8") as file:
            for line in file:
                open_seal(self.mesh.public, bytes.fromhex(line))
                count += 1
        return "%s; %d seals" % (result.stdout.decode().strip(), count)
