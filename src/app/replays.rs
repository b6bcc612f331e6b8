//! What the admin API asks about replays, answered by the engine's desk.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::Reloader;
use crate::http::admin::{Refused, ReplayAsk, Replays};
use crate::router::replay::{Desk, Wish};

/// Answers for a desk.
pub(super) fn answerer(desk: Desk, reloader: Reloader) -> Replays {
    Arc::new(move |ask| {
        let (desk, reloader) = (desk.clone(), reloader.clone());
        Box::pin(async move {
            match ask {
                ReplayAsk::Start(wish) => start(&desk, &reloader, wish).await,
                ReplayAsk::List => Ok(data(desk.list().await)),
                ReplayAsk::Show(id) => Ok(data(desk.show(id).await)),
                ReplayAsk::Cancel(id) => desk.cancel(id).await.map(data).map_err(Refused::Store),
            }
        })
    })
}

async fn start(desk: &Desk, reloader: &Reloader, wish: Value) -> Result<Value, Refused> {
    let wish: Wish = serde_json::from_value(wish).map_err(|error| Refused::Wish(error.to_string()))?;
    let connections = reloader.connections();
    let names: Vec<&str> = connections.iter().map(|connection| &*connection.name).collect();
    wish.check(&names).map_err(Refused::Wish)?;
    if wish.dry_run {
        let count = desk.count(&wish).await.map_err(Refused::Store)?;
        return Ok(json!({ "dry_run": true, "events": count.events, "deliveries": count.deliveries }));
    }
    desk.start(wish).await.map(data).map_err(Refused::Store)
}

fn data(answer: impl Serialize) -> Value {
    serde_json::to_value(answer).expect("jobs are plain data")
}
