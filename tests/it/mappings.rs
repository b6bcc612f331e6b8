//! Destination files, and Segment's recorded cases.

mod explain;
mod mistakes;
mod paths;
mod segment;
mod shipped;
mod testing;
mod triggers;
