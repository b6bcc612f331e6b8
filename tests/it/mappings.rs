//! Destination files, and Segment's recorded cases.

mod explain;
mod mistakes;
mod triggers;
