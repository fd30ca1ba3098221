//! Pictures of the trails: text, DOT, Mermaid and SVG, all drawn from one [`Picture`].

mod colour;
mod dot;
mod fold;
mod label;
mod layout;
mod mark;
mod mermaid;
mod route;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use dot::dot;
pub use fold::picture;
pub use mermaid::mermaid;
pub use svg::svg;
pub use text::text;

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Boxes from which on hosts are folded together.
    pub most: usize,
    /// Mark hosts on which at least this many others depend.
    pub single_points: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            most: 60,
            single_points: 3,
        }
    }
}

/// What is to be drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Groups that have a box, in the order written.
    pub groups: Vec<Area>,
    /// Boxes.
    pub spots: Vec<Spot>,
    /// Lines between them.
    pub arrows: Vec<Arrow>,
    /// Hosts in all.
    pub hosts: u64,
}

impl Picture {
    /// The boxes of a group, by its number, or those outside all groups, each with its own number.
    fn spots_of(&self, group: Option<usize>) -> impl Iterator<Item = (usize, &Spot)> {
        self.spots
            .iter()
            .enumerate()
            .filter(move |(_, spot)| spot.group == group)
    }
}

/// A secure group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// Its scheme (`GQ`, `TC`).
    pub scheme: String,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Trusted hosts.
    Trusted,
    /// Hosts with clients.
    Server,
    /// Hosts without.
    Client,
    /// A server outside the fleet.
    External,
}

/// What is wrong with a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Nothing.
    None,
    /// So many hosts depend on it alone.
    SinglePoint(u64),
    /// On a cycle, or without a trail.
    NoTrail,
}

/// A box: a host or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Name.
    pub label: String,
    /// Hosts it stands for.
    pub hosts: u64,
    /// Index into [`Picture::groups`].
    pub group: Option<usize>,
    /// Row: how far from where trails end.
    pub layer: u32,
    /// Stratum, where known.
    pub stratum: Option<u32>,
    /// What it is.
    pub kind: Kind,
    /// Has a reference clock.
    pub clock: bool,
    /// What is wrong with it.
    pub trouble: Trouble,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Style {
    /// Part of a trail.
    Trail,
    /// Autokey for monitoring and backup.
    Backup,
    /// Symmetric key.
    Keyed,
    /// Not authenticated.
    Plain,
    /// Cannot work.
    Dead,
}

/// A line from client to server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// Client: index into [`Picture::spots`].
    pub from: usize,
    /// Server.
    pub to: usize,
    /// Scheme or key (`GQ`, `key 7`).
    pub text: String,
    /// How to draw it.
    pub style: Style,
    /// Part of a cycle.
    pub cyclic: bool,
    /// There is the same line the other way round.
    pub both_ways: bool,
}
