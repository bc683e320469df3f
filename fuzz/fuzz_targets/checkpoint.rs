//! Whatever bytes a file of weights has (safetensors, `torch.save` old and new, a model file), reading it ends with
//! tensors that hold what their shapes say, or with an error; what was read can be written and read again.
#![no_main]

use dapple_nets::checkpoint::{NamedTensor, ModelFile, parse_state_dict, write_state_dict};
use libfuzzer_sys::fuzz_target;

/// Fewest bytes of a file to each element that is read from it; views may share storage.
const ELEMENTS_PER_BYTE: usize = 1;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = ModelFile::from_bytes(bytes) {
        let written = model.to_bytes().expect("what could be read can be written");
        assert_eq!(ModelFile::from_bytes(&written).ok().map(|again| again.card), Some(model.card));
    }
    let Ok(entries) = parse_state_dict(bytes, &|_| true) else { return };
    let mut elements = 0;
    for entry in &entries {
        assert_eq!(entry.shape.iter().product::<usize>(), entry.values.len(), "{}", entry.name);
        elements += entry.values.len();
    }
    assert!(elements <= ELEMENTS_PER_BYTE * bytes.len());
    // Keys may occur twice in a pickle, but not in a safetensors file.
    let Ok(written) = write_state_dict(&entries) else { return };
    let mut again = parse_state_dict(&written, &|_| true).expect("what was written can be read");
    let mut entries = entries;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    again.sort_by(|a, b| a.name.cmp(&b.name));
    if entries.windows(2).all(|pair| pair[0].name != pair[1].name) {
        assert!(entries.len() == again.len() && entries.iter().zip(&again).all(|(a, b)| same(a, b)));
    }
});

/// Equal, and equally not a number.
fn same(a: &NamedTensor, b: &NamedTensor) -> bool {
    let bits = |entry: &NamedTensor| entry.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    a.name == b.name && a.shape == b.shape && bits(a) == bits(b)
}
