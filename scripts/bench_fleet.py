"""Prints an inventory of a given size: a trusted host, 1 % intermediate servers, leaves with two servers each.

    bench_fleet.py HOSTS spelled|ranges

Spelled out, every host has lines of its own; by ranges, leaves that share their servers share one entry.
"""

import sys

HEAD = """\
version: 1
groups:
  fleet: { identity: gq, trusted: [top] }
hosts:
  top: { group: fleet, reference_clock: true }
"""


def pair(rack, middles):
    """The two intermediate servers of a rack."""
    return f"mid{rack:05}", f"mid{(rack + 1) % middles:05}"


def spelled(hosts, out):
    middles = max(2, hosts // 100)
    for i in range(middles):
        out.write(f"  mid{i:05}:\n    group: fleet\n    address: mid{i:05}.example.org\n    servers: [top]\n")
    for i in range(hosts - middles - 1):
        rack = i % middles
        one, other = pair(rack, middles)
        out.write(
            f"  leaf{i:07}:\n    group: fleet\n    address: leaf{i:07}.rack{rack:05}.example.org\n"
            f"    servers: [{one}, {other}]\n"
        )


def ranges(hosts, out):
    middles = max(2, hosts // 100)
    out.write(f"  'mid[00000-{middles - 1:05}]': {{ group: fleet, address: '{{host}}.example.org', servers: [top] }}\n")
    leaves, racks = hosts - middles - 1, 100
    for rack in range(racks):
        size = leaves // racks + (rack < leaves % racks)
        one, other = pair(rack, middles)
        out.write(
            f"  'rack{rack:05}-leaf[00000-{size - 1:05}]':\n    group: fleet\n    address: '{{host}}.example.org'\n"
            f"    servers: [{one}, {other}]\n"
        )


if __name__ == "__main__":
    sys.stdout.write(HEAD)
    {"spelled": spelled, "ranges": ranges}[sys.argv[2]](int(sys.argv[1]), sys.stdout)
