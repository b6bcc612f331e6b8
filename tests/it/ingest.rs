//! The tracking API from outside.

mod accepting;
mod admin;
mod bodies;
mod browsers;
mod keys;
mod refusals;
mod routes;
pub mod service;
