# SPDX-License-Identifier: MPL-2.0
"""What happened in a run, as a history, and who judges it: what lies on disk comes first, then what
clients and workers said, in the order in which they said it."""

import os
import subprocess
import threading

from mesh import BUILD, check, digest


def short(data):
    """A digest as histories have it."""
    return digest(data)[:16].hex()


def keep(path, kept):
    """A second link; of a file that was made anew, to the new one."""
    try:
        if os.path.exists(kept) and os.stat(kept).st_ino != os.stat(path).st_ino:
            os.unlink(kept)
        os.link(path, kept)
    except (FileExistsError, FileNotFoundError):
        pass


class Record:
    """The events of a run, one a line, and the segments of the log as long as they are there."""

    def __init__(self, mesh, data):
        self.mesh, self.data = mesh, data  # {name of a coordinator: its data directory}
        self.lines, self.lock = [], threading.Lock()
        self.copies = []  # the entries in copies of the data directory
        for name in data:
            os.mkdir(self.archive(name))
        self.is_over = threading.Event()
        self.keeper = threading.Thread(target=self.keep)
        self.keeper.start()

    def add(self, *words):
        with self.lock:
            self.lines.append(" ".join(str(word) for word in words if word is not None))

    def save(self, path):
        """What clients and workers have said so far."""
        with self.lock, open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(self.lines) + "\n")

    def keep(self):
        """A snapshot lets go of what the log held before; a second link keeps it."""
        while not self.is_over.wait(0.02):
            self.link()

    def archive(self, name):
        return os.path.join(os.path.dirname(self.data[name]), "archive-" + name)

    def link(self):
        for node, directory in self.data.items():
            for name in os.listdir(directory):
                if name.startswith("segment-") and "." not in name:
                    keep(os.path.join(directory, name), os.path.join(self.archive(node), name))

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

    def whole(self, file):
        """One log from its first entry on; a leader's snapshot has replaced that of others."""
        for name in self.data:
            file.seek(0)
            file.truncate()
            try:
                self.read(name, self.archive(name), self.mesh.public.hex(), file=file)
                file.seek(0, os.SEEK_END)
                return name
            except AssertionError as error:
                fault = error
        raise fault

    def judge(self, path):
        """Writes the history, and has it checked."""
        self.link()
        self.executions()
        with open(path, "w", encoding="utf-8") as file:
            first = self.whole(file)
            for name in self.data:
                if name != first:
                    file.write(self.read(name, self.archive(name)))
            for lines in self.copies:
                file.write(lines)
            file.write("\n".join(self.lines) + "\nquiet\n")
        result = subprocess.run([os.path.join(BUILD, "check_history"), path], check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(result.returncode == 0, "the history:", result.stdout.decode())
        return result.stdout.decode().strip()
