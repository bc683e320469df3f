#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (dapple_fuzz::target("hub").expect("a target").run)(bytes));
