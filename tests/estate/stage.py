"""Runs an emulated estate on 127.0.0.1 on which the shipped runbooks recover for real, until it is ended.

    python stage.py FOLDER [--pace SECONDS] [--only RUNBOOK] [--with-parent]

FOLDER gets estate.json (where everything listens; there only while it does), drctl.toml, env (what a shell needs),
credentials and the authority of the applications' addresses. What AWS lets wait takes SECONDS each time (default 4).
With --with-parent it ends when its standard input does.

    POST http://<control>/lose/REGION     every connection for that region is cut from now on
    POST http://<control>/return/REGION   it is there again
"""

import argparse
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "it" / "aws")]
os.environ["MOTO_ACCOUNT_ID"] = "111122223333"
for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
    del os.environ[name]

import estate  # noqa: E402
import gaps  # noqa: E402
import outside  # noqa: E402
import seed  # noqa: E402
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

RUNBOOKS = ("pilot-light", "warm-standby", "warm-standby-aurora", "backup-restore", "active-active")
ON_MINISTACK = ("warm-standby-aurora", "active-active")


def ministack(folder):
    process, url, ready = estate.start(folder, "ministack")
    estate.wait_until_ready(process, url, ready)
    return process, url


def microburst(upstream):
    """The proxy that loses regions, before all of AWS."""
    port = estate.free_port()
    program = pathlib.Path(sys.executable).parent / "microburst"
    process = subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", str(port), "--no-resign", "--upstream", upstream],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    estate.wait_until_ready(process, url, "/_microburst/fired")
    return process, url


def restored(account):
    """What a restore of AWS Backup makes."""

    def make(region, kind, metadata):
        if kind == "RDS":
            return account.database(region, metadata["DBInstanceIdentifier"])
        return f"arn:aws:elasticfilesystem:{region}:{gaps.ACCOUNT}:file-system/fs-{os.urandom(4).hex()}"

    return make


def control(faults, lost):
    class Control(BaseHTTPRequestHandler):
        def do_POST(self):
            _, order, region = self.path.split("/")
            (lost.add if order == "lose" else lost.discard)(region)
            rules = [{"service": "*", "region": region, "reset": True} for region in sorted(lost)]
            request = estate.urllib.request.Request(
                faults + "/_microburst/rules",
                data=json.dumps(rules).encode(),
                headers={"content-type": "application/json"},
                method="POST",
            )
            estate.urllib.request.urlopen(request, timeout=10).read()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def write(folder, aws, proxy, addresses):
    def file(name, text):
        path = folder / name
        path.write_text(text)
        return path

    runbooks = here.parent.parent / "runbooks"
    sections = {
        "journal": f'url = "{folder / "journal.db"}"',
        "runbooks": f'paths = ["{runbooks}"]',
        "roles": 'data-owner = ["dana"]\npayments-owner = ["dana"]',
        "aws": f'endpoint_url = "{aws}"',
    }
    file("drctl.toml", "\n".join(f"[{name}]\n{text}\n" for name, text in sections.items()))
    keys = f"[default]\naws_access_key_id = {gaps.ACCOUNT}\naws_secret_access_key = not-checked\n"
    credentials = file("credentials", keys)
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": credentials,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": aws,
        "HTTPS_PROXY": proxy,
        "SSL_CERT_FILE": folder / "authority.pem",
        "CI_TOKEN": outside.CI_TOKEN,
    }
    file("env", "".join(f"export {name}={value}\n" for name, value in environment.items()))
    place = file("estate.json.new", json.dumps(addresses | {"environment": environment}, default=str))
    place.rename(folder / "estate.json")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--pace", type=float, default=4.0)
    arguments.add_argument("--only", choices=RUNBOOKS, action="append")
    arguments.add_argument("--with-parent", action="store_true")
    arguments = arguments.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # The journal of an estate that is no more says where services were.
    for old in folder.glob("journal.db*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    wanted = arguments.only or RUNBOOKS
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ended, processes, lost = threading.Event(), [], set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    if arguments.with_parent:
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    try:
        stack = None
        if any(it in ON_MINISTACK for it in wanted):
            process, stack = ministack(str(folder))
            processes.append(process)
        gaps.promote(arguments.pace)
        jobs = gaps.Jobs(arguments.pace)
        server = make_server(
            "127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=MotoRequestHandler
        )
        inner = f"http://127.0.0.1:{server.server_port}"
        # What happens in the estate by itself does not go through the proxy that loses regions.
        account = seed.Account(inner)
        backup, automations = gaps.Backup(jobs, restored(account)), gaps.Automations(jobs)
        moto = DomainDispatcherApplication(create_backend_app)
        server.app = gaps.Cloud(moto, stack, backup, automations)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process, aws = microburst(inner)
        processes.append(process)
        # The proxy loads what it knows about a service when it is first asked for it: now, not in the middle of a recovery.
        front = seed.Account(aws)
        seeds = {
            "warm-standby": lambda: seed.warm_standby(front),
            "warm-standby-aurora": lambda: seed.aurora(front),
            "pilot-light": lambda: seed.pilot_light(front, automations),
            "backup-restore": lambda: seed.backup_restore(front, backup, automations),
            "active-active": lambda: seed.active_active(front),
        }
        for name in wanted:
            seeds[name]()
        seed.measurements(front, lost)
        front.client("sts", "us-west-2").get_caller_identity()
        for service, region in (("backup", "us-west-2"), ("ssm", "us-west-2")):
            seed.touch(front.client(service, region))
        outside.certify(folder / "authority.pem", folder / "applications.pem")
        proxy = outside.serve(outside.Applications(account, lost), folder / "applications.pem")
        addresses = {"pid": os.getpid(), "aws": aws, "inner": inner, "applications": proxy}
        write(folder, aws, proxy, addresses | {"control": control(aws, lost), "runbooks": list(wanted)})
        while not ended.wait(15):
            seed.measurements(account, lost)
    finally:
        (folder / "estate.json").unlink(missing_ok=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


if __name__ == "__main__":
    main()
