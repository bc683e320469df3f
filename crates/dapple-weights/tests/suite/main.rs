//! Tests of the store against a local HTTP server.

mod downloads;
mod hub;
mod server;
