#!/usr/bin/env python3
"""keytrail apply beside `xargs ssh tar` and Ansible: the same files to the same hosts over the same SSH options, in turns.

One sshd on loopback stands for all hosts; each has a directory of its own.
Usage: bench_push.py KEYTRAIL [HOSTS] [JOBS] [ROUNDS] [ANSIBLE-PLAYBOOK]
"""

import ctypes
import os
import pathlib
import resource
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
ANSIBLE = os.path.abspath(sys.argv[5]) if len(sys.argv) > 5 else None
# Ansible gets so many of the hosts, or it takes all day.
FEW = min(HOSTS, 40)


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


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(words, at, hosts, **more):
    """(elapsed s, client's processor ms a host, peak MB) of a command, with every process it leaves behind."""
    before, began = children(), time.monotonic()
    with open(at / "said", "w", encoding="utf-8") as said:
        child = subprocess.Popen(words, stdout=said, stderr=said, **more)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.monotonic() - began
    if status != 0:
        raise SystemExit(f"{words[0]} failed: {(at / 'said').read_text()[-2000:]}")
    # We are the parent of orphans: masters that ssh leaves in the background end when they are told to.
    while masters():
        reap()
        time.sleep(0.02)
    reap()
    return elapsed, (children() - before) * 1000 / hosts, usage.ru_maxrss / 1024


def masters():
    """Whether an ssh is left that is our child and lives."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, rest = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            state, parent = rest.split()[:2]
            if name == "ssh" and parent == str(os.getpid()) and state != "Z":
                return True
    return False


def reap():
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def main():
    # PR_SET_CHILD_SUBREAPER
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
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
        tree = at / "trees" / host
        run("tar", "-cf", str(at / "tars" / host), "-C", str(tree), ".")
        files = sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
        sums = subprocess.run(["sha256sum", *files], check=True, cwd=tree, capture_output=True).stdout
        (at / "SUMS").write_bytes(sums)
        run("tar", "-cf", str(at / "tars" / f"{host}.sums"), "-C", str(tree), ".", "-C", str(at), "SUMS")
    listed = "\n".join(names()) + "\n"
    ssh = f"ssh -F {at}/ssh_config {{}}"
    unpack = f"tar -xpf - -C {at}/hosts/{{}}"
    safely = (
        f"cd {at}/hosts/{{}} && tar -xpf - && sha256sum -c --quiet SUMS && find . -type f | xargs sync && sh -c : && rm SUMS"
    )
    pushes = {
        "xargs, ssh, tar": f"{ssh} '{unpack}' <{at}/tars/{{}}",
        "xargs, ssh, tar, sha256sum, sync, restart": f"{ssh} '{safely}' <{at}/tars/{{}}.sums",
    }
    runs = {what: [] for what in [*pushes, "keytrail apply"]}
    for _ in range(ROUNDS):
        for what, push in pushes.items():
            empty(at)
            (at / "names").write_text(listed)
            with open(at / "names", encoding="utf-8") as given:
                words = ["xargs", "-P", str(JOBS), "-I{}", "sh", "-c", push]
                runs[what].append(timed(words, at, HOSTS, stdin=given))
        empty(at)
        words = [KEYTRAIL, "apply", str(inventory), "-q", "-j", str(JOBS)]
        runs["keytrail apply"].append(timed(words, at, HOSTS, env=env))
    count = {what: HOSTS for what in runs}
    if ANSIBLE:
        empty(at)
        what = f"Ansible ({FEW} hosts)"
        runs[what], count[what] = [timed(playbook(at), at, FEW, env=ansible_env(at))], FEW
    table(runs, count)


def playbook(at):
    """The same files by the modules copy, file and command, as many forks as the others have jobs."""
    (at / "hosts.ini").write_text("\n".join(f"{name} ansible_host={name}" for name in names()[:FEW]) + "\n")
    (at / "play.yaml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        f"    - file: {{ path: '{at}/hosts/{{{{ inventory_hostname }}}}/etc', state: directory }}\n"
        f"    - copy: {{ src: '{at}/trees/{{{{ inventory_hostname }}}}/', dest: '{at}/hosts/{{{{ inventory_hostname }}}}/', mode: preserve }}\n"
        "    - command: 'true'\n"
    )
    return [ANSIBLE, "-i", str(at / "hosts.ini"), "-f", str(JOBS), str(at / "play.yaml")]


def ansible_env(at):
    return dict(
        os.environ,
        HOME=str(at),
        ANSIBLE_HOST_KEY_CHECKING="True",
        ANSIBLE_SSH_ARGS=f"-F {at}/ssh_config -o ControlMaster=auto -o ControlPersist=5s",
        ANSIBLE_SSH_CONTROL_PATH_DIR=str(at / "cp"),
        ANSIBLE_LOCAL_TEMP=str(at / "tmp"),
        ANSIBLE_REMOTE_TEMP=str(at / "remote"),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        ANSIBLE_NOCOLOR="1",
    )


def table(runs, count):
    rate = {what: count[what] / statistics.median(run[0] for run in of) for what, of in runs.items()}
    base = rate["xargs, ssh, tar"]
    print("| what | elapsed | hosts a second | × xargs, ssh, tar | client CPU a host | peak memory |\n|---|--:|--:|--:|--:|--:|")
    for what, of in runs.items():
        elapsed, processor, peak = (statistics.median(run[column] for run in of) for column in range(3))
        peak = f"{peak:.0f} MB" if what == "keytrail apply" else ""
        print(f"| {what} | {elapsed:.1f} s | {rate[what]:.1f} | {rate[what] / base:.2f} | {processor:.0f} ms | {peak} |")
    print(f"\n{HOSTS} hosts, {JOBS} at a time, medians of {ROUNDS} rounds in turns; memory without ssh's own.")


main()
