//! Prints the reference page of all settings:
//!
//! ```text
//! cargo run -p dapple-train --example settings > docs/guide/src/settings.md
//! ```

fn main() {
    print!("{}", dapple_train::settings::page());
}
