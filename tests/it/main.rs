//! The one integration program: every test that needs more than one room.

#![allow(clippy::unwrap_used, reason = "a test fails by unwrapping")]

mod acceptance;
mod actions;
mod corridor;
mod crash;
mod economy;
mod generated;
mod house;
mod import;
mod ingest;
mod mappings;
mod operator;
mod privacy;
mod reload;
mod sandbox;
mod stores;
mod support;
