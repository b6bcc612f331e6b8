//! The one integration program: every test that needs more than one room.

#![allow(clippy::unwrap_used, reason = "a test fails by unwrapping")]

mod ingest;
mod sandbox;
mod stores;
