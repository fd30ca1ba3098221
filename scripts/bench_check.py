"""The yardstick of `make bench`: what a short script does of `keytrail check`, with good libraries.

Reads an inventory with PyYAML on libyaml, expands ranges, builds the graph from servers to clients with
networkx, and says whether it has a cycle and which hosts no trusted host reaches. It checks no types, no
spelling and no other rule, and knows no lines.
"""

import re
import sys

import networkx
import yaml

RANGE = re.compile(r"\[(\d+)-(\d+)\]")


def expand(name):
    """The names a pattern stands for."""
    found = RANGE.search(name)
    if not found:
        yield name
        return
    first, last = found.groups()
    for number in range(int(first), int(last) + 1):
        yield from expand(f"{name[:found.start()]}{number:0{len(first)}}{name[found.end():]}")


def main():
    with open(sys.argv[1], "rb") as file:
        inventory = yaml.load(file, Loader=yaml.CSafeLoader)
    defaults = inventory.get("defaults") or {}
    graph = networkx.DiGraph()
    hosts = {}
    for pattern, entry in inventory["hosts"].items():
        for name in expand(pattern):
            hosts[name] = {**defaults, **entry}
    graph.add_nodes_from(hosts)
    for name, host in hosts.items():
        for server in host.get("servers", ()):
            server = server["host"] if isinstance(server, dict) else server
            graph.add_edges_from((up, name) for up in expand(server))
    unknown = len(graph) - len(hosts)
    cyclic = not networkx.is_directed_acyclic_graph(graph)
    if cyclic:
        print("a cycle:", networkx.find_cycle(graph))
    trusted = [name for group in inventory["groups"].values() for name in group["trusted"]]
    reached = set(trusted).union(*(networkx.descendants(graph, name) for name in trusted))
    lost = len(hosts) - len(reached)
    print(f"{len(hosts)} hosts, {graph.number_of_edges()} edges, {unknown} unknown, {lost} without a trail")
    sys.exit(1 if cyclic or unknown or lost else 0)


if __name__ == "__main__":
    main()
