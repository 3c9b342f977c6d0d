"""Runs the emulators of AWS that the tests share, on 127.0.0.1, until nobody has used them for a while.

    python estate.py FOLDER [SECONDS]

A test holds a shared lock on FOLDER/users while it uses them. When that lock has been free for SECONDS (default 15),
the emulators end. FOLDER/estate.json says where they listen; it is there only while they do.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder, name):
    port = free_port()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_", "MINISTACK_"))
    }
    environment["TMPDIR"] = folder
    if name == "moto":
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        ready = "/moto-api/data.json"
    else:
        command = [sys.executable, "-m", "ministack"]
        # Without BIND_HOST it listens on every address of the machine, and two of its services always do. There is no
        # Docker for it to use.
        environment |= {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "DOCKER_HOST": "unix:///nonexistent"}
        environment |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        ready = "/_ministack/health"
    log = open(os.path.join(folder, f"{name}.log"), "wb")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=folder
    )
    return process, f"http://127.0.0.1:{port}", ready


def wait_until_ready(process, url, ready):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"an emulator ended with status {process.returncode}; see the logs beside estate.json")
        try:
            urllib.request.urlopen(url + ready, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url}{ready} does not answer")


def listens_elsewhere(process):
    """Addresses other than the loopback's on which a process listens, as Linux tells them."""
    sockets = set()
    for descriptor in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            sockets.add(os.readlink(f"/proc/{process.pid}/fd/{descriptor}"))
        except OSError:
            continue  # closed in between
    found = []
    for family, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        with open(f"/proc/{process.pid}/net/{family}") as table:
            for row in list(table)[1:]:
                fields = row.split()
                address, _, port = fields[1].partition(":")
                listening = fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets
                if listening and address != loopback:
                    found.append(int(port, 16))
    return found


def wait_until_unused(users, seconds, processes):
    unused_since = time.monotonic()
    while all(process.poll() is None for process in processes):
        time.sleep(0.5)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = time.monotonic()
            continue
        if time.monotonic() - unused_since >= seconds:
            return  # with the lock: who comes now waits, and finds no estate.json
        fcntl.flock(users, fcntl.LOCK_UN)


def main():
    folder = os.path.abspath(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    place = os.path.join(folder, "estate.json")
    started = {name: start(folder, name) for name in ("moto", "ministack")}
    processes = [process for process, _, _ in started.values()]
    try:
        for process, url, ready in started.values():
            wait_until_ready(process, url, ready)
            if sys.platform == "linux" and (ports := listens_elsewhere(process)):
                raise SystemExit(f"an emulator listens on ports {ports} of every address of this machine")
        with open(place + ".new", "w") as file:
            json.dump({name: url for name, (_, url, _) in started.items()} | {"pid": os.getpid()}, file)
        os.rename(place + ".new", place)
        with open(os.path.join(folder, "users"), "a") as users:
            wait_until_unused(users, seconds, processes)
            if os.path.exists(place):
                os.remove(place)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    main()
