//! Values between the host and the device.

use dapple_graph::{Shape, Tensor as Map};
use tch::{Device, Kind, TchError, Tensor};

/// Extents as libtorch has them.
pub(crate) fn extent(value: usize) -> i64 {
    // An extent is that of something in memory.
    i64::try_from(value).expect("no more than there are addresses")
}

/// A batch `[n, h, w, c]` as libtorch takes it: `[n, c, h, w]` with the strides of channels-last.
pub(crate) fn upload_map(map: &Map, device: Device) -> Result<Tensor, TchError> {
    let Shape { n, h, w, c } = map.shape;
    let tensor = upload(&map.data, device)?.f_view_([n, h, w, c].map(extent))?;
    tensor.f_permute([0, 3, 1, 2])
}

/// The values of a map `[n, c, h, w]` as a batch `[n, h, w, c]` in single precision.
pub(crate) fn download_map(tensor: &Tensor, shape: Shape) -> Result<Map, TchError> {
    Ok(Map::new(shape, download(&tensor.f_permute([0, 2, 3, 1])?)?))
}

/// Values on the device.
pub(crate) fn upload(values: &[f32], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_to_device(device)
}

/// Values on the host, row-major.
pub(crate) fn download(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0.0; tensor.numel()];
    let count = values.len();
    tensor.f_copy_data(&mut values, count)?;
    Ok(values)
}
