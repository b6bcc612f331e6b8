//! Another product's configuration, as destination files.

pub mod segment;
