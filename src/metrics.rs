//! Every metric, in one table. Labels are words from closed sets; nothing of an event is ever a label.

/// One gauge of a table, for who sets it often and finds it once.
pub use prometheus::IntGauge;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Names start with this.
pub const PREFIX: &str = "interline_";

macro_rules! metrics {
    ($( $(#[doc = $doc:literal])+ $name:ident: $kind:ident $([$($label:literal),*])? $(in $buckets:ident)?; )+) => {
        /// The metrics of one running service. Each service has its own registry.
        #[derive(Clone)]
        pub struct Metrics {
            registry: Registry,
            $( $(#[doc = $doc])+ pub $name: $kind, )+
        }

        impl Metrics {
            /// Registers all of them.
            pub fn new() -> Metrics {
                let registry = Registry::new();
                Metrics {
                    $( $name: register(&registry, make!($kind, stringify!($name), concat!($($doc),+)
                        $(, [$($label),*])? $(, $buckets)?)), )+
                    registry,
                }
            }

            /// Name, kind, labels and meaning of each, in the order of the corridor: what docs, dashboards and their
            /// tests are made from.
            pub fn table() -> Vec<Row> {
                vec![ $( Row {
                    name: concat!("interline_", stringify!($name)),
                    kind: stringify!($kind),
                    labels: &[$($($label),*)?],
                    help: concat!($($doc),+).trim(),
                }, )+ ]
            }
        }
    };
}

macro_rules! make {
    (IntGauge, $name:expr, $help:expr) => {
        IntGauge::with_opts(opts($name, $help))
    };
    (IntCounterVec, $name:expr, $help:expr, $labels:expr) => {
        IntCounterVec::new(opts($name, $help), &$labels)
    };
    (IntGaugeVec, $name:expr, $help:expr, $labels:expr) => {
        IntGaugeVec::new(opts($name, $help), &$labels)
    };
    (Histogram, $name:expr, $help:expr, $buckets:expr) => {
        Histogram::with_opts(timing($name, $help, $buckets))
    };
    (HistogramVec, $name:expr, $help:expr, $labels:expr, $buckets:expr) => {
        HistogramVec::new(timing($name, $help, $buckets), &$labels)
    };
}

/// Seconds of a request to a third party.
const REQUEST: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds of a write to the local disk.
const DISK: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Seconds from accepted to settled: a tenth to a day and more.
const LAG: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0, 259_200.0];

metrics! {
    /// Events that arrived and were good, repeats included.
    events_received_total: IntCounterVec["source", "type"];
    /// Events that are on stable storage.
    events_accepted_total: IntCounterVec["source", "type"];
    /// Events that had been accepted before.
    events_duplicate_total: IntCounterVec["source"];
    /// Calls and events that were refused; `source` is empty where no write key was known.
    events_rejected_total: IntCounterVec["source", "code"];
    /// Seconds from the end of a tracking request's head to its answer, the durable write included.
    ingest_duration_seconds: Histogram in DISK;
    /// Events that no mapping of the destination wanted.
    events_unmatched_total: IntCounterVec["destination"];
    /// Deliveries that were recorded.
    deliveries_created_total: IntCounterVec["destination", "mapping", "action"];
    /// Attempts, by how they ended.
    attempts_total: IntCounterVec["destination", "action", "outcome", "code"];
    /// Requests to the destination, by endpoint and status; status 0: no reply.
    requests_total: IntCounterVec["destination", "endpoint", "status"];
    /// Seconds of a request to the destination.
    request_duration_seconds: HistogramVec["destination"] in REQUEST;
    /// Deliveries that ended, by how.
    deliveries_total: IntCounterVec["destination", "mapping", "action", "status", "code"];
    /// Seconds from accepted to settled.
    delivery_lag_seconds: HistogramVec["destination"] in LAG;
    /// Deliveries that have not ended.
    deliveries_pending: IntGaugeVec["destination"];
    /// Deliveries that wait for a time, by why.
    deliveries_waiting: IntGaugeVec["destination", "reason"];
    /// Seconds since the oldest delivery that has not ended was accepted.
    oldest_pending_seconds: IntGaugeVec["destination"];
    /// Dead letters that are kept.
    dead_letters: IntGauge;
    /// Requests left in the destination's present rate-limit window, as it last said.
    rate_limit_remaining: IntGaugeVec["destination"];
    /// 1 while nothing is sent to the destination: `off`, `operator`, `unauthorized`, `breaker` or `throttled`.
    destination_paused: IntGaugeVec["destination", "reason"];
    /// Attempts that may be under way at once, as the destination bears them.
    concurrency_limit: IntGaugeVec["destination"];
    /// Metadata keys that were cut because a destination takes only so many.
    metadata_keys_trimmed_total: IntCounterVec["destination"];
    /// Look-ups of ids that were answered from memory.
    cache_hits_total: IntCounterVec["destination", "cache"];
    /// Requests that did not have to be made, by why.
    requests_saved_total: IntCounterVec["destination", "reason"];
    /// Seconds of one group commit.
    store_commit_duration_seconds: Histogram in DISK;
    /// Accepted events that are not routed, and deliveries that have not ended.
    store_backlog: IntGaugeVec["source"];
    /// Bytes of the store on disk.
    store_bytes: IntGauge;
    /// Records put aside because their checksum did not hold.
    store_quarantined: IntGauge;
    /// Events that are missing from the store although nobody removed them.
    store_lost_events: IntGauge;
    /// 1 when every destination file is in force as it was last read, 0 when one is refused.
    config_last_reload_successful: IntGauge;
    /// When the destination files were last read and none was refused, in Unix seconds.
    config_last_reload_success_timestamp_seconds: IntGauge;
    /// 1, with the version.
    build_info: IntGaugeVec["version"];
}

/// A metric's facts.
pub struct Row {
    /// Its full name.
    pub name: &'static str,
    /// The type that counts it.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

impl Metrics {
    /// All metrics in Prometheus' text format 0.0.4, with those of the process.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut families = self.registry.gather();
        families.extend(prometheus::process_collector::ProcessCollector::for_self().collect());
        // Writing to a string fails only on a malformed family, which registering has excluded.
        let _ = prometheus::TextEncoder::new().encode_utf8(&families, &mut text);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("{PREFIX}{name}"), help.trim())
}

fn timing(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(format!("{PREFIX}{name}"), help.trim()).buckets(buckets.to_vec())
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let metric = made.expect("the table holds valid names and labels");
    registry.register(Box::new(metric.clone())).expect("the table holds no name twice");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_rendered_under_its_name() {
        let metrics = Metrics::new();
        metrics.events_received_total.with_label_values(&["website", "track"]).inc();
        let text = metrics.render();
        assert!(text.contains("interline_events_received_total{source=\"website\",type=\"track\"} 1"), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }
}
