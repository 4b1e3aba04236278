# SPDX-License-Identifier: MPL-2.0
"""What a mesh of chaos stands on: hosts, disks and clocks of its own, as far as that is allowed here;
what is not it says, once."""

import os

import clocks
import cuts
from disks import Disks
from hosts import NET, Host, Network, has_namespaces

SEGMENT_MIB = 4  # of the ledger, so that small disks are full soon


class World:
    """Everything is there before the mesh starts, and gone after it has ended."""

    def __init__(self, mesh, coordinators):
        self.mesh, self.network = mesh, NET + "0/24"
        self.bridge, self.elsewhere, self.can_cut = Network(), None, False
        self.stores = Disks(coordinators)
        self.disks = self.stores.disks
        self.attach, self.detach = self.stores.attach, self.stores.detach
        mesh.more = ["--segment", str(SEGMENT_MIB)]
        if has_namespaces():
            for name in (*coordinators, "w1", "w2"):
                mesh.hosts[name] = self.bridge.add(name)
            self.elsewhere = Host("elsewhere")
            self.can_cut = cuts.is_allowed(mesh.hosts["w1"])
            if not self.can_cut:
                print("no partitions: nft is not allowed here", flush=True)
        self.has_clocks = clocks.fake(mesh, coordinators)
        for name, disk in self.disks.items():
            mesh.places[name] = os.path.join(disk.path, "data")

    def jump(self, name, seconds):
        clocks.jump(self.mesh, name, seconds)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.elsewhere is not None:
            self.elsewhere.end()
        self.stores.__exit__(*error)
        self.bridge.__exit__(*error)
