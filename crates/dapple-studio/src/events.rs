//! Events for the pages that are open.

use serde::Serialize;
use tokio::sync::broadcast;

/// Events that wait for a page that is slow; it then misses the oldest and asks for the state again.
const WAITING: usize = 256;

/// An event: its name, and its content as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub name: &'static str,
    pub data: String,
}

/// Tells events to all pages that are open. Clones tell the same pages.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Message>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }
}

impl Events {
    /// Tells an event.
    pub(crate) fn tell(&self, name: &'static str, content: &impl Serialize) {
        let data = serde_json::to_string(content).expect("structures of numbers and words become JSON");
        // Without a page, nobody hears it.
        let _ = self.0.send(Message { name, data });
    }

    /// The events from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Message> {
        self.0.subscribe()
    }
}
