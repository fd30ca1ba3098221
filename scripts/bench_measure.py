"""Runs `keytrail check` and its yardstick, each once to warm up and then so many times, and prints a table of medians.

    bench_measure.py KEYTRAIL INVENTORY-DIRECTORY ROUNDS

Elapsed time, processor time (user + system) and peak memory are of the whole process, as wait4 reports them.
"""

import os
import statistics
import sys
import time
from pathlib import Path

YARDSTICK = Path(__file__).with_name("bench_check.py")


def once(command):
    """(elapsed s, processor s, peak MB, bytes said) of one run, which must succeed."""
    read, write = os.pipe()
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_CLOSE, read)])
    os.close(write)
    with open(read, "rb") as output:
        said = output.read()
    _, status, used = os.wait4(child, 0)
    elapsed = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)} failed ({status}): {said.decode(errors='replace')}")
    return elapsed, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def medians(commands, rounds):
    rows = []
    for command in commands:
        # The first run finds its file and its program cold, and memory that another program has just given back.
        once(command)
        runs = [once(command) for _ in range(rounds)]
        rows.append([statistics.median(column) for column in zip(*runs)])
    return rows


def main():
    keytrail, directory, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    at_million = os.environ.get("PYTHON_AT_1M") == "1"
    print("| inventory | program | elapsed | user + sys | peak RSS | elapsed ÷ ours | ours at 100 k × |")
    print("|---|---|--:|--:|--:|--:|--:|", flush=True)
    base = None
    for name, label, both in [
        ("100k-spelled", "100 000 hosts spelled out", True),
        ("1m-spelled", "1 000 000 hosts spelled out", at_million),
        ("1m-ranges", "1 000 000 hosts by ranges", at_million),
    ]:
        inventory = str(directory / f"{name}.yaml")
        commands = [[keytrail, "check", inventory]]
        if both:
            commands.append([sys.executable, str(YARDSTICK), inventory])
        rows = medians(commands, rounds)
        ours = rows[0][0]
        base = base or ours
        for who, (elapsed, processor, peak) in zip(("`keytrail check`", "Python"), rows):
            ratio, growth = f"{elapsed / ours:.1f}", f"{elapsed / base:.1f}"
            print(f"| {label} | {who} | {elapsed:.2f} s | {processor:.2f} s | {peak:.0f} MB | {ratio} | {growth} |",
                  flush=True)


if __name__ == "__main__":
    main()
