//! Trails as a flow from where they end to the hosts, with its dominators: what lies on every trail of a host.

use super::graph::{Node, Role, TrailGraph, Who};
use crate::inventory::{GroupId, Inventory};
use petgraph::algo::dominators::simple_fast;
use petgraph::graph::DiGraph;
use petgraph::visit::{Dfs, Walker};

/// The dominator tree of the trails. Its root is no host: trusted hosts with a source of time hang below it.
#[derive(Debug, Clone)]
pub struct Flow {
    /// By node of the flow: immediate dominator; itself for the root; `end` where no trail leads.
    above: Vec<Node>,
    /// By node of the flow: hosts it stands for.
    own: Vec<u64>,
    /// By node of the flow: hosts in its subtree, itself included.
    sum: Vec<u64>,
    /// By node of the flow: its interval in the tree's order. A node's interval holds those of its subtree.
    interval: Vec<(u32, u32)>,
    root: Node,
    hosts: usize,
}

impl Flow {
    /// The flow over all trails, without one host if it is to fail.
    pub fn new(graph: &TrailGraph, without: Option<Node>) -> Self {
        let hosts = graph.graph().node_count();
        let mut flow = DiGraph::with_capacity(hosts + 1, graph.graph().edge_count());
        for _ in 0..=hosts {
            flow.add_node(());
        }
        let root = Node::new(hosts);
        for node in graph.nodes().filter(|&node| Some(node) != without) {
            if graph.member(node).root {
                flow.add_edge(root, node, ());
            }
            for (_, server, edge) in graph.lines(node) {
                if edge.role == Role::Trail && Some(server) != without {
                    flow.add_edge(server, node, ());
                }
            }
        }
        Self::of(graph, &flow, root, hosts)
    }

    /// The flow in which everything reaches the trusted hosts of a group through one node for the group.
    pub fn by_group(inventory: &Inventory, graph: &TrailGraph) -> Self {
        let hosts = graph.graph().node_count();
        let groups = inventory.groups.len();
        let mut flow = DiGraph::with_capacity(hosts + groups + 1, graph.graph().edge_count());
        for _ in 0..=hosts + groups {
            flow.add_node(());
        }
        let root = Node::new(hosts + groups);
        let gate = |node: Node| match failing_group(inventory, graph, node) {
            Some(group) => Node::new(hosts + group.0 as usize),
            None => node,
        };
        for node in graph.nodes() {
            let entrance = gate(node);
            if entrance != node {
                flow.add_edge(entrance, node, ());
            }
            if graph.member(node).root {
                flow.add_edge(root, entrance, ());
            }
            for (_, server, edge) in graph.lines(node) {
                if edge.role == Role::Trail {
                    flow.add_edge(server, entrance, ());
                }
            }
        }
        Self::of(graph, &flow, root, hosts)
    }

    fn of(graph: &TrailGraph, flow: &DiGraph<(), (), u32>, root: Node, hosts: usize) -> Self {
        let count = flow.node_count();
        let tree = simple_fast(flow, root);
        let mut above = vec![Node::end(); count];
        // In the order of a depth-first walk a dominator comes before what it dominates.
        let order: Vec<Node> = Dfs::new(flow, root).iter(flow).collect();
        let mut own = vec![0u64; count];
        for &node in &order {
            above[node.index()] = tree.immediate_dominator(node).unwrap_or(root);
            if node.index() < hosts {
                let member = graph.member(node);
                let is_host = matches!(member.who, Who::Hosts { .. });
                own[node.index()] = if is_host { u64::from(member.count) } else { 0 };
            }
        }
        let mut sum = own.clone();
        let mut size = vec![1u32; count];
        for &node in order.iter().rev().filter(|&&node| node != root) {
            let parent = above[node.index()].index();
            sum[parent] += sum[node.index()];
            size[parent] += size[node.index()];
        }
        let mut interval = vec![(0u32, 0u32); count];
        let mut taken = vec![0u32; count];
        for &node in &order {
            let at = node.index();
            let begin = if node == root {
                0
            } else {
                let parent = above[at].index();
                let begin = interval[parent].0 + 1 + taken[parent];
                taken[parent] += size[at];
                begin
            };
            interval[at] = (begin, begin + size[at]);
        }
        Self {
            above,
            own,
            sum,
            interval,
            root,
            hosts,
        }
    }

    /// Whether a trail leads to the node.
    pub fn reaches(&self, node: Node) -> bool {
        self.above[node.index()] != Node::end()
    }

    /// The nearest host on every trail of a node, if there is one.
    pub fn dominator(&self, node: Node) -> Option<Node> {
        let above = self.above[node.index()];
        (above != Node::end() && above != self.root && above.index() < self.hosts).then_some(above)
    }

    /// Whether `server` is on every trail of `node` (or is it).
    pub fn dominates(&self, server: Node, node: Node) -> bool {
        let (begin, end) = self.interval[server.index()];
        let at = self.interval[node.index()].0;
        self.reaches(server) && self.reaches(node) && begin <= at && at < end
    }

    /// Other hosts that depend on a node.
    pub fn below(&self, node: Node) -> u64 {
        if self.reaches(node) {
            self.sum[node.index()] - self.own[node.index()]
        } else {
            0
        }
    }

    /// Hosts that depend on a node, itself included.
    pub fn weight(&self, node: Node) -> u64 {
        if self.reaches(node) {
            self.sum[node.index()]
        } else {
            0
        }
    }

    /// Hosts a node stands for, if a trail leads to it.
    pub fn own_weight(&self, node: Node) -> u64 {
        if self.reaches(node) {
            self.own[node.index()]
        } else {
            0
        }
    }

    /// Hosts that depend on a group, its trusted hosts included; of a flow made by [`Flow::by_group`].
    pub fn below_group(&self, group: usize) -> u64 {
        self.below(Node::new(self.hosts + group))
    }

    /// Whether a node depends on a group; of a flow made by [`Flow::by_group`].
    pub fn group_dominates(&self, group: usize, node: Node) -> bool {
        self.dominates(Node::new(self.hosts + group), node)
    }
}

/// The group a node fails with: that of trusted hosts and of external servers.
pub fn failing_group(inventory: &Inventory, graph: &TrailGraph, node: Node) -> Option<GroupId> {
    let member = graph.member(node);
    let fails = member.trusted || matches!(member.who, Who::External(..));
    graph.group(inventory, node).filter(|_| fails)
}
