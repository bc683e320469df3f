//! Files of quantized models: integers with scales, and faults in them.

use super::model_files::small;
use dapple_graph::{Affine, Network, Quantization, Shape};
use dapple_nets::checkpoint::{Ensemble, ModelFile, Storage, init_from_file};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A model whose convolutions all compute in integers.
fn quantized() -> ModelFile {
    let mut model = small();
    let graph = model.card.network.build(Shape::new(1, 32, 32, 1)).unwrap();
    let weights = graph.nodes().iter().filter_map(|node| Quantization::weight_of(&graph, node));
    let affine = Affine { scale: 0.1, zero: 3 };
    let inputs = weights.map(|weight| (graph.param(weight).name.clone(), affine)).collect();
    let quantization = Quantization { inputs };
    model.state = quantization.rounded(&model.state);
    model.card.network.quantization = Some(quantization);
    model
}

#[test]
fn quantized_models_are_stored_in_integers_and_come_back_to_the_bit() {
    let model = quantized();
    let bytes = model.to_bytes().unwrap();
    let read = ModelFile::from_bytes(&bytes).unwrap();
    assert_eq!(read, model);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(ModelFile::from_bytes(&model.to_bytes_as(Storage::Half).unwrap()).unwrap(), model);
    let ensemble = Ensemble { members: vec![model.clone(), model.clone()], scores: serde_json::Map::new() };
    assert_eq!(Ensemble::from_bytes(&ensemble.to_bytes().unwrap()).unwrap(), ensemble);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for name in model.card.network.quantization.unwrap().inputs.keys() {
        assert_eq!(file.tensor(name).unwrap().dtype(), Dtype::I8);
        let shape = file.tensor(name).unwrap().shape().to_vec();
        assert_eq!(file.tensor(&format!("{name}.int8_scale")).unwrap().shape(), [shape[0]]);
    }
    // Programs that know version 1 only say so.
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert!(header.metadata().as_ref().unwrap()["dapple"].starts_with("{\"version\":2,"));
}

#[test]
fn weights_stored_in_integers_are_near_and_stay_as_they_are_when_stored_again() {
    let model = small();
    let bytes = model.to_bytes_as(Storage::Integers).unwrap();
    let whole = model.to_bytes().unwrap();
    assert!(bytes.len() < whole.len() * 2 / 3, "{} of {}", bytes.len(), whole.len());
    let read = ModelFile::from_bytes(&bytes).unwrap();
    assert_eq!(read.card, model.card, "it is no quantized model");
    for (index, spec) in model.state.specs.iter().enumerate() {
        let (wanted, found) = (model.state.slice(index), read.state.slice(index));
        if !spec.role.is_weight() {
            assert_eq!(found, wanted, "{}", spec.name);
            continue;
        }
        let run = wanted.len() / spec.shape[0];
        for (wanted, found) in wanted.chunks(run).zip(found.chunks(run)) {
            let largest = wanted.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= largest * 0.51 / 127.0;
            assert!(wanted.iter().zip(found).all(near), "{}", spec.name);
        }
    }
    assert_eq!(ModelFile::from_bytes(&read.to_bytes_as(Storage::Integers).unwrap()).unwrap(), read);
    let ensemble = Ensemble { members: vec![read.clone(), model], scores: serde_json::Map::new() };
    let again = Ensemble::from_bytes(&ensemble.to_bytes_as(Storage::Integers).unwrap()).unwrap();
    assert_eq!(again.members, [read.clone(), read]);
}

#[test]
fn quantized_models_that_contradict_themselves_are_refused() {
    let mut model = quantized();
    let name = model.card.network.quantization.as_ref().unwrap().inputs.keys().next().unwrap().clone();
    let index = model.state.specs.iter().position(|spec| spec.name == name).unwrap();
    model.state.slice_mut(index)[0] += 1e-3;
    let error = model.to_bytes().unwrap_err().to_string();
    assert!(error.contains(&name) && error.contains("quantized"), "{error}");

    let mut model = quantized();
    let inputs = &mut model.card.network.quantization.as_mut().unwrap().inputs;
    inputs.insert("outc.conv.bias".into(), Affine { scale: 1.0, zero: 0 });
    let error = model.to_bytes().unwrap_err().to_string();
    assert!(error.contains("outc.conv.bias"), "{error}");

    let bytes = quantized().to_bytes().unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    // Without its scales, and with an integer that was changed.
    let rewritten = |is_left_out: &dyn Fn(&str) -> bool, changed: &str| {
        let tensors: Vec<_> = file
            .iter()
            .filter(|(tensor, _)| !is_left_out(tensor))
            .map(|(tensor, view)| {
                let mut data = view.data().to_vec();
                data[0] ^= u8::from(tensor == changed);
                (tensor.to_owned(), view.dtype(), view.shape().to_vec(), data)
            })
            .collect();
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
        let bytes = safetensors::serialize(views, header.metadata().clone()).unwrap();
        ModelFile::from_bytes(&bytes).unwrap_err().to_string()
    };
    let scale = format!("{name}.int8_scale");
    assert_eq!(rewritten(&|tensor| tensor == scale, ""), format!("parameter `{scale}`: missing"));
    assert!(rewritten(&|_| false, &name).contains("damaged"));
    assert!(rewritten(&|_| false, &scale).contains("damaged"));
}

#[test]
fn integers_are_no_weights_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("int8.safetensors");
    let model = quantized();
    model.save(&path).unwrap();
    let mut state = model.state.clone();
    let error = init_from_file(&mut state, &model.card.network, &path).unwrap_err().to_string();
    assert!(error.contains("quantized"), "{error}");
}
