#!/usr/bin/python3 -B
"""Starts Keystone, Glance and Barbican, as Debian packages them, on free ports of loopback.

    start.py [DIRECTORY]
    start.py --check        only says what is not installed

Everything is in one directory, a temporary one where none is named, and of SQLite. When all answer, one line of JSON
says where; they run until standard input ends, which it also does when the process that started them is killed. Then
they are stopped and the directory is removed.

By hand:  tests/Interop/openstack/start.py, and in another terminal what its line says:
          OS_CLIENT_CONFIG_FILE=.../clouds.yaml openstack --os-cloud test image list
"""
import functools
import http.server
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error

from configuration import configure_barbican, configure_glance, configure_keystone
from contents import call, furnish, write_clouds
from place import Cloud, die_with_parent
from servers import SERVERS

PACKAGES = {"keystone": "python3-keystone", "glance": "python3-glance", "barbican": "python3-barbican",
            "waitress": "python3-waitress"}
PATIENCE_SECONDS = 150


def wait_for(cloud, children):
    waiting = {"keystone": f"{cloud.keystone}/v3", "glance": f"{cloud.glance}/versions",
               "open-glance": f"{cloud.open_glance}/versions", "barbican": f"{cloud.barbican}/"}
    end = time.monotonic() + PATIENCE_SECONDS
    made = None
    while waiting:
        for name, url in list(waiting.items()):
            try:
                call("GET", url)
            except urllib.error.HTTPError as error:
                if error.code >= 500:
                    continue
            except OSError:
                continue
            del waiting[name]
            if name == "keystone":
                made = furnish(cloud)
        for name, child in children.items():
            if child.poll() is not None:
                raise RuntimeError(f"{name} ended with {child.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"{', '.join(waiting)} did not answer within {PATIENCE_SECONDS} s")
        time.sleep(0.05)
    return made


class QuietRequestHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing: standard error is the tests'."""


def serve_web(cloud):
    """A web server for the directory "web", which knows no ranges; returns its address."""
    os.makedirs(cloud.path("web"), exist_ok=True)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(QuietRequestHandler, directory=cloud.path("web")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def log_tails(cloud):
    for name in sorted(os.listdir(cloud.directory)):
        if name.endswith((".log", ".out")):
            with open(cloud.path(name), errors="replace") as file:
                yield f"--- {name}\n{file.read()[-1500:]}"


def supervise(directory):
    missing = [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(json.dumps({"missing": missing}), flush=True)
        return 2
    if directory == "--check":
        return 0
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    cloud = Cloud(directory or tempfile.mkdtemp(prefix="openstack-cloud-"))
    os.makedirs(cloud.directory, exist_ok=True)
    children = {}
    try:
        configure_keystone(cloud)
        configure_glance(cloud, "glance", cloud.glance, "keystone")
        configure_glance(cloud, "open-glance", cloud.open_glance, "")
        configure_barbican(cloud)
        clean = {key: value for key, value in os.environ.items()
                 if not key.startswith("OS_") and not key.lower().endswith("_proxy")}
        for name in SERVERS:
            output = open(cloud.path(name + ".out"), "w")
            children[name] = subprocess.Popen(
                [sys.executable, "-B", __file__, "--serve", name, cloud.directory, json.dumps(cloud.ports)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=clean, preexec_fn=die_with_parent)
        made = wait_for(cloud, children)
        print(json.dumps({
            "directory": cloud.directory, "clouds": write_clouds(cloud, made), "keystone": cloud.keystone,
            "glance": cloud.glance, "open_glance": cloud.open_glance, "barbican": cloud.barbican,
            "web": serve_web(cloud), **made}), flush=True)
        sys.stdin.read()
        return 0
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}\n" + "\n".join(log_tails(cloud))}), flush=True)
        return 1
    finally:
        for child in children.values():
            child.kill()
            child.wait()
        shutil.rmtree(cloud.directory, ignore_errors=True)


def main():
    if sys.argv[1:2] == ["--serve"]:
        _, _, name, directory, ports = sys.argv
        SERVERS[name](Cloud(directory, json.loads(ports)))
        return 0
    return supervise(sys.argv[1] if len(sys.argv) > 1 else None)


if __name__ == "__main__":
    sys.exit(main())
