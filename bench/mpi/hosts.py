"""Hosts that are network namespaces of this machine, on a network with latency and limited bandwidth. Needs root."""

import multiprocessing
import os
import pathlib
import subprocess

import wire

HERE = pathlib.Path(__file__).resolve().parent
BRIDGE = "dapple-br"
#: Of the bridge, where mpirun listens; hosts count from 1.
ADDRESS = "10.77.0.{}"
MTU = 9000


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=not check)


def has_netem():
    """Whether the kernel delays packets itself; it is tried on a bridge that is made for that."""
    ip("link", "del", "dapple-try", check=False)
    ip("link", "add", "dapple-try", "type", "bridge")
    tried = subprocess.run(
        ["tc", "qdisc", "add", "dev", "dapple-try", "root", "netem", "delay", "1ms"], capture_output=True
    )
    ip("link", "del", "dapple-try", check=False)
    return tried.returncode == 0


class Hosts:
    """So many hosts, as a context. `latency` in seconds, one way; `bandwidth` in bits a second, of each host's link."""

    def __init__(self, count, latency, bandwidth):
        self.names = [f"dapple-h{number}" for number in range(1, count + 1)]
        self.latency, self.bandwidth = latency, bandwidth
        self.netem = has_netem()
        self.switch = None

    def __enter__(self):
        self.clear()
        try:
            (self.by_kernel if self.netem else self.by_switch)()
        except BaseException:
            self.clear()
            raise
        return self

    def __exit__(self, *_):
        self.clear()

    def by_kernel(self):
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "mtu", str(MTU))
        ip("addr", "add", ADDRESS.format(254) + "/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for number, name in enumerate(self.names, 1):
            ip("netns", "add", name)
            ip("link", "add", f"dapple-v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"dapple-v{number}", "mtu", str(MTU), "master", BRIDGE, "up")
            self.address(number, name)
            netem = ["netem", "delay", f"{round(self.latency * 1e6)}us", "rate", f"{round(self.bandwidth)}bit"]
            netem += ["limit", "100000"]
            subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "eth0", "root", *netem], check=True)

    def by_switch(self):
        files = [wire.tap(BRIDGE)]
        ip("addr", "add", ADDRESS.format(254) + "/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "mtu", str(MTU), "up")
        for number, name in enumerate(self.names, 1):
            ip("netns", "add", name)
            files.append(wire.tap(f"dapple-v{number}"))
            ip("link", "set", f"dapple-v{number}", "netns", name)
            ip("-n", name, "link", "set", f"dapple-v{number}", "name", "eth0")
            self.address(number, name)
        fork = multiprocessing.get_context("fork")
        self.switch = fork.Process(target=wire.serve, args=(files, self.latency, self.bandwidth), daemon=True)
        self.switch.start()
        self.files = files

    def address(self, number, name):
        ip("-n", name, "addr", "add", ADDRESS.format(number) + "/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "mtu", str(MTU), "up")
        ip("-n", name, "link", "set", "lo", "up")

    def clear(self):
        if self.switch is not None:
            self.switch.kill()
            self.switch.join()
            self.switch = None
        for file in getattr(self, "files", []):
            os.close(file)
        self.files = []
        for name in self.names:
            ip("netns", "del", name, check=False)
        ip("link", "del", BRIDGE, check=False)

    def mpirun(self, ranks):
        """The words before a command that start it on so many of the hosts, by MPICH."""
        # TCP alone: shared memory would go around the network.
        environment = ["-genv", "UCX_TLS", "tcp,self", "-genv", "UCX_NET_DEVICES", "eth0"]
        environment += ["-genv", "FI_PROVIDER", "tcp", "-genv", "FI_TCP_IFACE", "eth0"]
        launcher = ["-launcher", "ssh", "-launcher-exec", str(HERE / "agent"), "-iface", BRIDGE]
        return ["mpirun", *launcher, *environment, "-hosts", ",".join(self.names[:ranks]), "-n", str(ranks)]

    def words(self):
        """The network in words."""
        how = "netem" if self.netem else "a switch in user space"
        return f"{self.latency * 1e3:g} ms, {self.bandwidth / 1e6:g} Mb/s ({how})"
