//! Certificate trails: the graph of authenticated associations, its proof, and what follows from it.

pub mod needs;
