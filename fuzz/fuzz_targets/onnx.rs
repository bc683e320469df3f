#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (dapple_fuzz::target("onnx").expect("a target").run)(bytes));
