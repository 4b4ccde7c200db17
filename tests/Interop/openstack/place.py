"""Where everything of the cloud is, and what secrets it has."""
import ctypes
import os
import random
import signal
import socket

PASSWORD = "admin-Secret-1"
MEMBER_PASSWORD = "member-Secret-2"
APPLICATION_SECRET = "application-Secret-3"


class Cloud:
    """Where everything is."""

    def __init__(self, directory, ports=None):
        self.directory = directory
        self.ports = ports or dict(zip(("keystone", "glance", "barbican", "open-glance"), free_ports(4)))
        self.keystone, self.glance, self.barbican, self.open_glance = (
            f"http://127.0.0.1:{port}" for port in self.ports.values())

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return self.path(name)


def free_ports(count):
    """Below what the kernel gives to outgoing connections, so that none of those takes one meanwhile."""
    found = {}
    while len(found) < count:
        port = random.randint(20000, 30000)
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
            found[port] = probe
        except OSError:
            probe.close()
    for probe in found.values():
        probe.close()
    return list(found)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
