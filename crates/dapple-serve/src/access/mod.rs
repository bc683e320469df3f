//! Who may ask: the key, and the origins of web pages.

pub(crate) mod key;
pub(crate) mod origin;
