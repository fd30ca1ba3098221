#!/usr/bin/env python3
"""keytrail apply beside `xargs ssh tar`: the same files to the same hosts over the same SSH options, in turns.

One sshd on loopback stands for all hosts; each has a directory of its own. Usage: bench_push.py KEYTRAIL [HOSTS] [JOBS] [ROUNDS]
"""

import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

KEYTRAIL = os.path.abspath(sys.argv[1])
HOSTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
JOBS = int(sys.argv[3]) if len(sys.argv) > 3 else 16
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 3


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def server(at):
    """An sshd, and the ssh_config that reaches it under every name."""
    for key in ("host", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(at / key))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (at / "home").mkdir()
    (at / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nPidFile none\nAuthorizedKeysFile {at}/client.pub\n"
        f"StrictModes no\nUsePAM no\nUseDNS no\nPrintMotd no\nMaxStartups 1000\nMaxSessions 100\nSetEnv HOME={at}/home\n"
    )
    os.makedirs("/run/sshd", exist_ok=True)
    daemon = subprocess.Popen(
        [shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(at / "sshd_config")],
        stderr=subprocess.DEVNULL,
    )
    (at / "known_hosts").write_text("lab " + (at / "host.pub").read_text())
    (at / "ssh_config").write_text(
        f"Host *\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias lab\n  User root\n  IdentityFile {at}/client\n"
        f"  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {at}/known_hosts\n"
        "  GlobalKnownHostsFile /dev/null\n  UpdateHostKeys no\n  BatchMode yes\n  StrictHostKeyChecking yes\n"
    )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return daemon
        time.sleep(0.05)
    raise SystemExit("sshd did not start")


def empty(at):
    shutil.rmtree(at / "hosts", ignore_errors=True)
    for host in names():
        (at / "hosts" / host / "etc").mkdir(parents=True)


def names():
    return ["th"] + [f"leaf{number:04}" for number in range(1, HOSTS)]


def timed(words, at, **more):
    began = time.monotonic()
    with open(at / "peak", "w", encoding="utf-8") as peak:
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=peak, **more)
        _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{words[0]} failed: {(at / 'peak').read_text()[-2000:]}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main():
    with tempfile.TemporaryDirectory(prefix="kt-push-") as directory:
        at = pathlib.Path(directory)
        daemon = server(at)
        try:
            compare(at)
        finally:
            daemon.terminate()
            daemon.wait()


def compare(at):
    inventory = at / "fleet.yaml"
    inventory.write_text(
        "version: 1\ndefaults:\n  host_key: { bits: 512 }\n  restart: ':'\n  verify: none\n"
        f"  ssh: {{ config: {at}/ssh_config, host: \"{{host}}\" }}\n  root: \"{at}/hosts/{{host}}\"\n"
        "groups:\n  green: { identity: iff, trusted: [th] }\n"
        "hosts:\n  th: { group: green, reference_clock: true }\n"
        f"  \"leaf[0001-{HOSTS - 1:04}]\": {{ group: green, servers: [th] }}\n"
    )
    env = dict(os.environ, XDG_CONFIG_HOME=str(at / "config"))
    empty(at)
    run(KEYTRAIL, "plan", str(inventory), "-q", env=env)
    run(KEYTRAIL, "export", str(inventory), "-o", str(at / "trees"), "-q", env=env)
    (at / "tars").mkdir()
    for host in names():
        run("tar", "-cf", str(at / "tars" / host), "-C", str(at / "trees" / host), ".")
    listed = "\n".join(names()) + "\n"
    push = f"ssh -F {at}/ssh_config {{}} 'tar -xpf - -C {at}/hosts/{{}}' <{at}/tars/{{}}"
    took = {"xargs ssh tar": [], "keytrail apply": []}
    peaks = []
    for _ in range(ROUNDS):
        empty(at)
        (at / "names").write_text(listed)
        with open(at / "names", encoding="utf-8") as given:
            words = ["xargs", "-P", str(JOBS), "-I{}", "sh", "-c", push]
            took["xargs ssh tar"].append(timed(words, at, stdin=given)[0])
        empty(at)
        words = [KEYTRAIL, "apply", str(inventory), "-q", "-j", str(JOBS)]
        elapsed, peak = timed(words, at, env=env)
        took["keytrail apply"].append(elapsed)
        peaks.append(peak)
    base = statistics.median(took["xargs ssh tar"])
    print("| what | elapsed | hosts a second | × xargs |\n|---|--:|--:|--:|")
    for what, times in took.items():
        median = statistics.median(times)
        print(f"| {what} | {median:.1f} s | {HOSTS / median:.1f} | {base / median:.2f} |")
    print(f"\n{HOSTS} hosts, {JOBS} at a time, medians of {ROUNDS}; keytrail's own peak {max(peaks):.0f} MB")


main()
