# SPDX-License-Identifier: MPL-2.0
"""What befalls a mesh with three coordinators."""

import contextlib
import signal
import time

import cuts
from cluster import NAMES
from faults import Faults
from load import SETTLE
from mesh import check, until


class ThreeCoordinators(Faults):
    def possible(self):
        this = ThreeCoordinators
        kinds = super().possible() + [
            this.kill_leader, this.kill_leader, this.kill_leader, this.kill_follower,
            this.pause_leader, this.pause_follower, this.pause_two, this.kill_every_coordinator,
            this.transfer, this.reconnect_after_a_kill]
        if self.world.elsewhere is None:
            kinds.remove(Faults.start_a_copy)  # it would take part
        if self.world.can_cut:
            kinds += [this.deafen_leader, this.mute_leader, this.isolate_leader,
                      this.isolate_follower, this.cut_one_link, this.cut_all_links, this.flap,
                      this.lose_packets]
        return kinds

    def coordinators(self):
        return self.mesh.running

    def leader(self):
        return self.mesh.leader()

    def follower(self):
        leader = self.mesh.leader()
        return self.chance.choice([name for name in NAMES if name != leader])

    def applied(self, name):
        """What a member has and the leader has applied, both asked before."""
        self.mesh.leader()
        return min(self.mesh.stats()["ledger"]["index"],
                   self.mesh.members()[name].get("index", 0))

    # ---- processes

    def run(self, name):
        return self.mesh.run(name)

    def kill(self, *names):
        """They may be there again before the others have noticed."""
        for name in names:
            self.mesh.running[name].kill()
            self.mesh.running[name].wait()
        time.sleep(self.chance.choice((0, 0.2, 2, 5)))
        self.restart(*names)

    def restart(self, *names):
        for name in names:
            check(self.mesh.run(name), name, "starts again:", self.mesh.complaints()[-1500:])
        self.mesh.leader()

    def kill_leader(self):
        self.kill(self.mesh.leader())

    def kill_follower(self):
        self.kill(self.follower())

    def kill_every_coordinator(self):
        self.kill(*NAMES)

    def pause_leader(self):
        self.pause(self.mesh.running[self.mesh.leader()])
        self.mesh.leader()

    def pause_follower(self):
        self.pause(self.mesh.running[self.follower()])

    def pause_two(self):
        """The third can do nothing alone."""
        names = self.chance.sample(NAMES, 2)
        for name in names:
            self.mesh.running[name].send_signal(signal.SIGSTOP)
        time.sleep(self.chance.choice((0.5, 3, 7)))
        for name in names:
            self.mesh.running[name].send_signal(signal.SIGCONT)
        self.mesh.leader()

    def reconnect_after_a_kill(self):
        """Many clients come to the next leader at once, while its predecessor is away."""
        leader = self.mesh.leader()
        self.mesh.running[leader].kill()
        self.mesh.running[leader].wait()
        self.reconnect()
        self.restart(leader)

    def transfer(self):
        """Refused when somebody else was just elected."""
        self.mesh.grove("cluster", "transfer", self.follower())
        self.mesh.leader()

    def stop(self):
        """All at one instant, when none lacks anything: what one has more it promised to nobody."""
        until(lambda: all(member["lag"] == 0 for member in self.mesh.members().values()), SETTLE,
              "all have all")
        for process in self.mesh.running.values():
            process.send_signal(signal.SIGSTOP)
        for process in self.mesh.running.values():
            process.kill()
            process.wait()

    # ---- networks

    def sever(self, name, others, ways, percent=100):
        """From these for a while; clients and workers are not among them."""
        addresses = [self.mesh.address(other) for other in others if other != name]
        return cuts.cut(self.mesh.hosts[name], addresses, ways, percent)

    def stay_so(self):
        time.sleep(self.chance.choice((0.3, 2, 5, 10)))

    def deafen_leader(self):
        """It speaks, and hears no other coordinator."""
        with self.sever(self.mesh.leader(), NAMES, (cuts.IN,)):
            self.stay_so()
        self.mesh.leader()

    def mute_leader(self):
        """It hears, and no other coordinator hears it."""
        with self.sever(self.mesh.leader(), NAMES, (cuts.OUT,)):
            self.stay_so()
        self.mesh.leader()

    def isolate_leader(self):
        """With its clients and workers, now and then; else only from the other coordinators."""
        leader = self.mesh.leader()
        whom = self.chance.choice((self.world.network, None))
        with cuts.cut(self.mesh.hosts[leader], [whom]) if whom \
                else self.sever(leader, NAMES, cuts.BOTH):
            self.stay_so()
        self.mesh.leader()

    def isolate_follower(self):
        with self.sever(self.follower(), NAMES, cuts.BOTH):
            self.stay_so()
        self.mesh.leader()

    def cut_one_link(self):
        """The third still reaches both."""
        one, other = self.chance.sample(NAMES, 2)
        with self.sever(one, [other], self.chance.choice((cuts.BOTH, (cuts.IN,)))):
            self.stay_so()
        self.mesh.leader()

    def cut_all_links(self):
        with contextlib.ExitStack() as stack:
            for name in NAMES:
                stack.enter_context(self.sever(name, NAMES, cuts.BOTH))
            self.stay_so()
        self.mesh.leader()

    def flap(self):
        """A link that comes and goes faster than anybody is elected, and slower."""
        leader = self.mesh.leader()
        for _ in range(8):
            with self.sever(leader, NAMES, self.chance.choice((cuts.BOTH, (cuts.IN,)))):
                time.sleep(self.chance.choice((0.05, 0.2, 0.5)))
            time.sleep(self.chance.choice((0.05, 0.2, 0.5)))
        self.mesh.leader()

    def lose_packets(self):
        with contextlib.ExitStack() as stack:
            for name in NAMES:
                stack.enter_context(self.sever(name, NAMES, (cuts.IN,),
                                               self.chance.choice((2, 10, 30))))
            self.stay_so()
        self.mesh.leader()
