//! What goes wrong at Intercom between two kills.

use interline::sandbox::{Control, Effect, Fault};

/// Forgets the faults of before and plants new ones: errors, closed connections, now and then a rate limit.
pub fn plant(intercom: &Control, luck: &mut fastrand::Rng) {
    intercom.clear_faults();
    for _ in 0..6 {
        let on = ["*", "POST /events", "POST /contacts", "PUT /contacts/{id}", "POST /companies"];
        let mut fault = Fault::new(on[luck.usize(..on.len())], effect(luck));
        fault.nth = luck.u64(1..40);
        fault.count = luck.u64(1..3);
        intercom.fault(fault);
    }
}

fn effect(luck: &mut fastrand::Rng) -> Effect {
    use interline::sandbox::Close;
    match luck.u32(..20) {
        0 => Effect::status(429),
        1..6 => Effect::status(500),
        6..9 => Effect::status_after(503),
        9..12 => Effect::Close(Close::Before),
        12..15 => Effect::Close(Close::During),
        15..18 => Effect::Close(Close::After),
        _ => Effect::SlowReply(luck.u64(1..60)),
    }
}
