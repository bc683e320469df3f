//! What the routes share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::watch;

use super::listed::listed;
use crate::events::Events;
use crate::learn::Learner;
use crate::store::LabelStore;
use crate::train::{Models, Trainings};

/// The largest body of a request, in bytes.
pub(super) const BODY_BYTES: usize = 64 << 20;

/// The parts of the studio.
pub(crate) struct App {
    pub store: Arc<LabelStore>,
    pub events: Events,
    pub learner: Option<Arc<Learner>>,
    pub trainings: Option<Arc<Trainings>>,
    pub models: Option<Models>,
    /// Name of the encoder that the learner stands on.
    pub encoder: Option<String>,
    /// The key of this session.
    pub token: String,
    /// The name of the cookie that holds it: cookies are shared by all ports of a machine.
    pub cookie: String,
    /// Why the folder cannot be read at the moment.
    pub trouble: Mutex<Option<String>>,
    /// The tabs that listen for events, and how often.
    pub tabs: Mutex<HashMap<String, usize>>,
    /// True when the studio ends.
    pub closing: watch::Receiver<bool>,
}

impl App {
    /// The labels or the classes have changed.
    pub fn labels_changed(&self) {
        if let Some(learner) = &self.learner {
            learner.changed();
        }
    }

    /// Tells the pages of other classes, first with what shows whether the numbers in masks mean others than before.
    pub fn tell_classes(&self) {
        let classes = listed(&self.store.classes());
        self.events.tell("numbering", &json!({ "numbering": self.store.numbering(), "classes": classes }));
        self.events.tell("classes", &classes);
    }

    /// Tells the pages of new masks.
    pub fn tell_masks(&self, masks: &[(String, u64)]) {
        for (image, revision) in masks {
            self.events.tell("changed", &json!({ "image": image, "revision": revision }));
        }
    }

    /// Keeps why the folder cannot be read, and gives whether that is new.
    pub fn is_new_trouble(&self, trouble: Option<String>) -> bool {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *known != trouble;
        *known = trouble;
        is_new
    }

    /// Things that the person should know of the folder.
    pub fn notes(&self) -> Vec<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        trouble.into_iter().chain(self.store.notes()).collect()
    }

    /// A tab begins to listen, or ends.
    pub fn count_tab(&self, tab: &str, listens: bool) {
        let count = {
            let mut tabs = self.tabs.lock().unwrap_or_else(PoisonError::into_inner);
            let own = tabs.entry(tab.to_owned()).or_insert(0);
            *own = if listens { *own + 1 } else { own.saturating_sub(1) };
            tabs.retain(|_, count| *count > 0);
            tabs.len()
        };
        self.events.tell("tabs", &json!({ "count": count }));
    }

    /// Whether another tab listens.
    pub fn is_second(&self, tab: &str) -> bool {
        self.tabs.lock().unwrap_or_else(PoisonError::into_inner).keys().any(|other| other != tab)
    }
}
