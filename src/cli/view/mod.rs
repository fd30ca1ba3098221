//! Values as text and tables, for people.

pub mod outcome;
