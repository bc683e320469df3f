//! Events, as long as a page listens.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{Stream, unfold};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::answers::Asked;
use super::app::App;
use super::state::Tab;
use crate::events::Message;

/// A page that listens; dropping it tells the others.
struct Listener {
    app: Arc<App>,
    tab: String,
    messages: Receiver<Message>,
    closing: watch::Receiver<bool>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.count_tab(&self.tab, false);
    }
}

impl Listener {
    /// The next event; `None` when the studio ends.
    async fn hear(&mut self) -> Option<Event> {
        let message = tokio::select! {
            message = self.messages.recv() => message,
            _ = self.closing.changed() => return None,
        };
        match message {
            Ok(Message { name, data }) => Some(Event::default().event(name).data(data)),
            // A slow page has missed some: it asks for the state again.
            Err(RecvError::Lagged(_)) => Some(Event::default().event("images").data("{}")),
            Err(RecvError::Closed) => None,
        }
    }
}

/// `GET /api/events`
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Asked(Tab { tab }): Asked<Tab>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (messages, closing) = (app.events.listen(), app.closing.clone());
    app.count_tab(&tab, true);
    let listener = Listener { app, tab, messages, closing };
    let stream = unfold(listener, |mut listener| async move {
        let event = listener.hear().await?;
        Some((Ok(event), listener))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
