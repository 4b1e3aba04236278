#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""grove top, in a terminal that tmux plays: its keys, other sizes, hostile texts, a coordinator that
dies and comes back, and the terminal as it was when it ends."""

import itertools
import json
import os
import re
import signal
import subprocess
import time

from mesh import GROVE, PATIENCE, Mesh, check, run_tests, until

SECONDS = PATIENCE  # for whatever should come to be seen


class Terminal:
    """A tmux server of its own with one window, in which a shell runs grove top."""

    numbers = itertools.count()  # a server that ends has its socket for a while

    def __init__(self, mesh, options="", size=(110, 30)):
        self.socket = os.path.join(mesh.directory, "tmux-%d" % next(self.numbers))
        self.environment = dict(os.environ, GROVE_CREDENTIAL=mesh.nodes["operator"].path,
                                XDG_RUNTIME_DIR=mesh.directory, LC_ALL="C.UTF-8",
                                ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", ""))
        self.environment.pop("TMUX", None)
        script = ("echo before; %s top --delay 200ms %s; code=$?; stty -a; echo \"ended $code\"; "
                  "exec sleep 600" % (os.path.realpath(GROVE), options))
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]),
                  "sh", "-c", script)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.environment, check=False)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-u", "-S", self.socket, *words], env=self.environment,
                              check=True, capture_output=True, text=True).stdout

    def press(self, *keys):
        for key in keys:
            self.tmux("send-keys", key)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def until(self, pattern, absent=False):
        def seen():
            text = self.screen()
            found = re.search(pattern, text, re.MULTILINE)
            return text if bool(found) != absent else None
        try:
            return until(seen, SECONDS, pattern)
        except AssertionError as error:
            raise AssertionError("%s on:\n%s" % (error, self.screen())) from None

    def program(self):
        """The process of grove top."""
        shell = self.tmux("display-message", "-p", "#{pane_pid}").strip()
        with open("/proc/%s/task/%s/children" % (shell, shell), encoding="ascii") as file:
            return int(file.read().split()[0])


def state_of(mesh, identity):
    return mesh.task(identity)["state"]


def keys_do_what_those_of_htop_do():
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        quick = mesh.submit_all("echo", "e", 3)
        mesh.outcomes(quick)
        slow = mesh.submit_all("stubborn", "s", 3)
        with Terminal(mesh) as terminal:
            text = terminal.until(r"^ID +FUNCTION +STATE")
            check("before" not in text, "a screen of its own", text)
            terminal.until(r"^slots  \[\|+ *\] 2/2  ahead 1  ready 0")
            terminal.until(r"^rates  submitted \d+/s")
            until(lambda: all(each in terminal.screen() for each in slow + quick), SECONDS,
                  "all roots are there")
            terminal.press("Tab")
            terminal.until(r"^echo +1 ")
            terminal.press("F2")
            terminal.until(r"^\S+ +w1 +2 +2 ")
            terminal.press("1")
            terminal.until(r"^ID +FUNCTION")
            terminal.press("F4")
            terminal.type("stub")
            terminal.until(r"^%s" % quick[0], absent=True)
            terminal.until(r"only stub")
            terminal.press("Enter")
            terminal.press("F6", "F6")
            terminal.until(r"sorted by FUNCTION")
            terminal.press("F3")
            terminal.type(slow[1][:12])
            terminal.press("Enter")
            terminal.press("F5")
            terminal.until(r"^stubborn %s " % slow[1][:8])
            terminal.press("t")
            terminal.press("s")
            terminal.until(r"^why it is where it is:")
            terminal.press("Escape")
            terminal.until(r"^why", absent=True)
            terminal.press("h")
            terminal.until(r"^Keys of grove top")
            terminal.press("h")
            terminal.until(r"^ID +FUNCTION")
            terminal.press("F9")
            terminal.until(r"cancel the root selected and all below\? y or n")
            terminal.press("n")
            terminal.until(r"nothing is cancelled")
            check(state_of(mesh, slow[1]) != "cancelled", "no is no")
            terminal.press("k")
            terminal.until(r"y or n")
            terminal.press("y")
            terminal.until(r"^cancelled %s: " % slow[1][:8])
            check(state_of(mesh, slow[1]) == "cancelled", "yes is yes")
            check([state_of(mesh, each) for each in (slow[0], slow[2])].count("cancelled") == 0,
                  "the others are not")
            terminal.press("Home", "Space", "Space", "Space")
            terminal.until(r"3 tagged")
            terminal.press("k")
            terminal.until(r"cancel what is tagged")
            terminal.press("y")
            until(lambda: all(state_of(mesh, each) == "cancelled" for each in slow), SECONDS,
                  "all are cancelled")
            terminal.press("F10")
            text = terminal.until(r"^ended 0$")
            check("before" in text and " icanon" in text and " echo " in text,
                  "the terminal is as it was", text)


def it_fits_into_any_size():
    with Mesh() as mesh:
        ids = mesh.submit_all("echo", "e", 50)
        with Terminal(mesh) as terminal:
            terminal.until(r"^ID +FUNCTION")
            for width, height in ((40, 10), (20, 4), (1, 1), (150, 60)):
                terminal.tmux("resize-window", "-x", str(width), "-y", str(height))
                if width >= 20 and height >= 4:
                    terminal.until(r"\A(.{0,%d}\n){%d}\Z" % (width, height))
                    terminal.until(r"^F1 help.*\n\Z")
            terminal.press("End")
            terminal.until(r"^ID +FUNCTION")
            until(lambda: ids[0] in terminal.screen(), SECONDS, "the oldest is the last")
            terminal.press("q")
            terminal.until(r"^ended 0$")


def what_others_have_written_is_escaped():
    with Mesh() as mesh:
        worker = mesh.peer("w1")
        worker.enlist(["step"], 1)
        with mesh.peer() as client:
            identity = client.submit([client.task_item("step", b"x")]).body[1][0].hex()
        assigned = worker.assigned()
        evil = "\x1b[2J\x1b]0;owned\x07 \u202e evil"
        worker.report([worker.result_item(assigned, f9=2, f10=None, f11=evil)])
        until(lambda: state_of(mesh, identity) == "failed", SECONDS, "it has failed")
        with Terminal(mesh) as terminal:
            terminal.until(r"^%s" % identity)
            for key in ("F5", "s"):
                terminal.press(key)
                text = terminal.until(r"\\u\{1b\}\[2J\\u\{1b\}\]0;owned\\u\{7\} \\u\{202e\} evil")
                check("grove  leader" in text, "nothing was cleared", text)
                terminal.press("Escape")
                terminal.until(r"^ID +FUNCTION")
            title = terminal.tmux("display-message", "-p", "#{pane_title}")
            check("owned" not in title, "the title is untouched", title)
            terminal.press("q")
            terminal.until(r"^ended 0$")


def a_coordinator_that_dies_is_found_again():
    with Mesh() as mesh:
        mesh.submit_all("echo", "e", 2)
        with Terminal(mesh) as terminal:
            terminal.until(r"^ID +FUNCTION")
            mesh.kill()
            terminal.until(r"no coordinator answers since")
            terminal.until(r"^ID +FUNCTION")  # what was known stays
            mesh.restart()
            terminal.until(r"no coordinator answers", absent=True)
            more = mesh.submit_all("echo", "m", 1)
            terminal.until(r"^%s" % more[0])
            mesh.kill()
            terminal.until(r"no coordinator answers since")
            terminal.press("q")
            terminal.until(r"^ended 0$")
            mesh.restart()


def a_signal_leaves_the_terminal_as_it_was():
    with Mesh() as mesh:
        for number in (signal.SIGTERM, signal.SIGINT):
            with Terminal(mesh, "--color never") as terminal:
                terminal.until(r"^grove  leader c1")
                os.kill(terminal.program(), number)
                text = terminal.until(r"^ended %d$" % (128 + number))
                check("before" in text and " icanon" in text and " echo " in text, text)
                check("grove  leader" not in text, "the screen is left", text)


def once_is_for_scripts():
    with Mesh() as mesh:
        mesh.worker("w1", slots=2)
        ids = mesh.submit_all("echo", "e", 2)
        mesh.outcomes(ids)
        plain = mesh.spawn("top", [GROVE, "top", "--once"], "operator", stdout=subprocess.PIPE)
        text = plain.communicate(timeout=60)[0].decode()
        check(plain.returncode == 0 and "\x1b" not in text, text)
        check(all(each in text for each in ids) and "slots  [" in text and " w1 " in text, text)
        process = mesh.spawn("top", [GROVE, "top", "-o", "json"], "operator", stdout=subprocess.PIPE)
        answer = json.loads(process.communicate(timeout=60)[0])
        check(answer["schema"] == "grove.top/1" and len(answer["roots"]) == 2
              and answer["workers"][0]["name"] == "w1", answer)
        process = mesh.spawn("top", [GROVE, "top"], "operator", stdout=subprocess.PIPE)
        check(process.wait(60) == 2, "without a terminal it says so")


run_tests([keys_do_what_those_of_htop_do, it_fits_into_any_size,
           what_others_have_written_is_escaped, a_coordinator_that_dies_is_found_again,
           a_signal_leaves_the_terminal_as_it_was, once_is_for_scripts])
