# SPDX-License-Identifier: MPL-2.0
"""What befalls a mesh with a single coordinator."""

import time

import cuts
from faults import Faults


class OneCoordinator(Faults):
    def possible(self):
        kinds = super().possible() + [OneCoordinator.kill_coordinator,
                                      OneCoordinator.kill_coordinator,
                                      OneCoordinator.pause_coordinator, OneCoordinator.kill_all]
        return kinds + ([OneCoordinator.isolate] if self.world.can_cut else [])

    def coordinators(self):
        return {"c1": self.mesh.coordinator}

    def leader(self):
        return "c1"

    def applied(self, name):
        return self.mesh.stats()["ledger"]["index"]

    def run(self, name):
        return self.mesh.start()

    def stop(self):
        self.mesh.stop()

    def kill_coordinator(self):
        self.mesh.kill()
        time.sleep(self.chance.choice((0, 0, 0.5, 3)))
        self.mesh.restart()

    def pause_coordinator(self):
        self.pause(self.mesh.coordinator)

    def kill_all(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self.kill_coordinator()
        for name in sorted(self.workers):
            self.start_worker(name)

    def isolate(self):
        """Nobody reaches it for a while, or it is heard by nobody."""
        ways = self.chance.choice((cuts.BOTH, (cuts.IN,), (cuts.OUT,)))
        with cuts.cut(self.mesh.hosts["c1"], [self.world.network], ways):
            time.sleep(self.chance.choice((0.3, 2, 5, 9)))
