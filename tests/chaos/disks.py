# SPDX-License-Identifier: MPL-2.0
"""Small disks of their own, which can be filled up, and whose images can be copied at any instant."""

import errno
import os
import shutil
import subprocess
import tempfile

from hosts import has_namespaces

MIB = 1 << 20


class Disk:
    """A file system at `path`: of a file where loop mounts are allowed, else in memory."""

    def __init__(self, path, image, size):
        self.path, self.image = path, image
        os.mkdir(path)
        with open(image, "wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        if not mount(["-o", "loop", image, path]):
            os.unlink(image)
            self.image = None
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", path],
                           check=True)

    def fill(self, rest):
        """Leaves `rest` bytes."""
        status = os.statvfs(self.path)
        size = status.f_bavail * status.f_frsize - rest
        if size > 0:
            with open(os.path.join(self.path, "ballast"), "wb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError as error:  # others have written meanwhile: it is full by now
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self):
        try:
            os.unlink(os.path.join(self.path, "ballast"))
        except FileNotFoundError:
            pass

    def copy(self, image):
        """What a power cut would have left at this instant."""
        subprocess.run(["cp", "--sparse=always", self.image, image], check=True)


def mount(words):
    return subprocess.run(["mount", *words], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


class Disks:
    """One for each name, where mounts are our own; they go with the `with`."""

    def __init__(self, names, size=600 * MIB):
        self.disks, self.mounts = {}, []
        self.directory = tempfile.mkdtemp(prefix="grove-disks-")
        for name in names if has_namespaces() else ():
            path = os.path.join(self.directory, name)
            self.disks[name] = Disk(path, path + ".image", size)
            self.mounts.append(path)

    def attach(self, image, name):
        """Mounts the copy of an image; returns where."""
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        subprocess.run(["mount", "-o", "loop", image, path], check=True)
        self.mounts.append(path)
        return path

    def detach(self, path):
        subprocess.run(["umount", path], check=True)
        self.mounts.remove(path)
        os.rmdir(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for path in list(self.mounts):
            subprocess.run(["umount", path], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)
