//! Interline: Segment-spec calls in, Intercom actions out, nothing lost.
//!
//! # The corridor
//!
//! An event walks through six rooms, in one direction.
//!
//! ```text
//!   POST /v1/track
//!     receive   http/ingest/              whose is it, is it an event?             400 · 401
//!     accept    store  accept()           written durably, once per message id     200 only now
//!   ──────────────────────────────────  the caller has left  ────────────────────────────────────
//!     match     mapping/trigger/          which mappings want it?
//!     map       mapping/expression.rs     event + mapping → payload of one action
//!     act       destination/intercom/actions/track_event.rs     payload → requests
//!     settle    store  settle()           delivered · skipped · again at … · parked · dead letter
//! ```
//!
//! `router/route.rs` does match and map for one event. `router/attempt.rs` does act and says what to settle, for one
//! delivery. `router/conductor.rs` alone decides what goes when, and does nothing itself; `router/stage.rs` does what it
//! says.
//!
//! What the corridor keeps true: after 200 nothing is lost; a delivery is attempted at least once, so an action may run
//! twice and must come to the same end; one person's events keep their order.
//!
//! # The rows
//!
//! A room imports from rows below its own, never from its own row or above (`tests/it/house.rs` draws the graph).
//!
//! ```text
//!   8  cli                      the list of commands, one file each
//!   7  app  generate            builds and runs every room; everything that is written from code
//!   6  settings                 the rooms' own settings in one
//!   5  http  router  sandbox    the doors; the engine; the stand-in Intercom
//!      import                   another product's configuration → destination files
//!   4  store  destination       the durable queue; third parties
//!   3  mapping  delivery        what authors write, compiled; what is owed to a destination
//!   2  event  action  sample    what comes in; what an action is made with; a stream to try things with
//!   1  instant  yaml            dates; files with places
//!   0  json  metrics  telemetry
//! ```
//!
//! Deliberately absent: a crate-wide error (each room has its own), a configuration that everyone reads (each room owns
//! its `Settings`), metrics that know the measured types (labels are text), and a room for odds and ends.
//!
//! # Where the outside world ends
//!
//! actix in `http/` and `sandbox/`; SQL in `store/sqlite/`; reqwest in `destination/http.rs`; YAML in `yaml/`; prometheus
//! in `metrics.rs` and `http/ops.rs`. Files are read by `cli/`; time comes from `app.rs` and is passed in.

pub mod json;
pub mod metrics;
pub mod telemetry;

pub mod instant;
pub mod yaml;

pub mod action;
pub mod event;
pub mod sample;

pub mod delivery;
pub mod mapping;

pub mod destination;
pub mod store;

pub mod http;
pub mod import;
pub mod router;
pub mod sandbox;

pub mod settings;

pub mod app;
pub mod generate;

pub mod cli;
