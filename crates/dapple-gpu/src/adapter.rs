//! The adapters of this machine and their names.

use burn_tensor::DeviceKind;
use burn_tensor::wgpu::{WgpuBackend, wgpu};

/// The interfaces to cards that there are, best first, with their names.
const INTERFACES: [(&str, wgpu::Backend, WgpuBackend); 3] = [
    ("metal", wgpu::Backend::Metal, WgpuBackend::Metal),
    ("vulkan", wgpu::Backend::Vulkan, WgpuBackend::Vulkan),
    ("dx12", wgpu::Backend::Dx12, WgpuBackend::Dx12),
];

/// A card, or a software renderer, behind one interface.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// As `--device` takes it, for instance `vulkan:0`.
    pub name: String,
    /// The card's own name with its driver's.
    pub description: String,
    /// Whether it is a software renderer, such as Mesa's llvmpipe: correct, but slow.
    pub software: bool,
    /// Bytes of the largest buffer, so of the largest map.
    pub largest_buffer: u64,
    card: String,
    rank: u8,
    pub(crate) kind: DeviceKind,
    pub(crate) interface: WgpuBackend,
}

/// An adapter that was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// A name that is not a card's.
    #[error("a card is gpu, vulkan, metal or dx12, each with an optional :N")]
    Name,
    /// A number that is not one.
    #[error("`{number}` is not the number of an adapter; write {interface}:0")]
    Number {
        /// The text behind the colon.
        number: String,
        /// The text before it.
        interface: String,
    },
    /// A number above those of the adapters that were found, so many.
    #[error("{0} adapters were found, numbered from 0; `dapple devices` lists them")]
    Beyond(usize),
    /// No adapter, through any interface or through this one.
    #[error(
        "no {}; install the card's driver (without a card, Debian's mesa-vulkan-drivers has a software renderer)",
        .0.as_ref().map_or("graphics adapter was found".into(), |name| format!("adapter was found through {name}"))
    )]
    None(Option<String>),
}

/// All adapters, interface by interface; those of an interface with cards before software renderers.
pub fn adapters() -> Vec<Adapter> {
    INTERFACES.into_iter().flat_map(of_interface).collect()
}

fn of_interface((name, api, interface): (&str, wgpu::Backend, WgpuBackend)) -> Vec<Adapter> {
    if !wgpu::Instance::enabled_backend_features().contains(api.into()) {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: api.into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let found = burn_tensor::read_sync(instance.enumerate_adapters(api.into()));
    let mut counts = [0; 4];
    let mut adapters: Vec<Adapter> = found
        .iter()
        .filter_map(|adapter| {
            let info = adapter.get_info();
            // Burn counts the adapters of each kind by themselves, knows no others, and one software renderer at most.
            let rank: u8 = match info.device_type {
                wgpu::DeviceType::DiscreteGpu => 0,
                wgpu::DeviceType::IntegratedGpu => 1,
                wgpu::DeviceType::VirtualGpu => 2,
                wgpu::DeviceType::Cpu => 3,
                wgpu::DeviceType::Other => return None,
            };
            let number = counts[usize::from(rank)];
            counts[usize::from(rank)] += 1;
            let kind = match rank {
                0 => DeviceKind::DiscreteGpu(number),
                1 => DeviceKind::IntegratedGpu(number),
                2 => DeviceKind::VirtualGpu(number),
                _ if number == 0 => DeviceKind::Cpu,
                _ => return None,
            };
            let limits = adapter.limits();
            Some(Adapter {
                name: String::new(),
                description: format!("{} ({} {})", info.name, info.driver, info.driver_info),
                software: rank == 3,
                largest_buffer: limits.max_buffer_size.min(limits.max_storage_buffer_binding_size),
                card: info.name,
                rank,
                kind,
                interface,
            })
        })
        .collect();
    adapters.sort_by_key(|adapter| adapter.rank);
    for (index, adapter) in adapters.iter_mut().enumerate() {
        adapter.name = format!("{name}:{index}");
    }
    adapters
}

impl Adapter {
    /// The adapter of a name: `vulkan`, `metal`, `dx12`, or `gpu` for the best of all, each with an optional `:N` for
    /// the others.
    ///
    /// # Errors
    /// If there is no such adapter, or the name is not one.
    pub fn find(device: &str) -> Result<Self, AdapterError> {
        let (interface, number) = device.split_once(':').unwrap_or((device, "0"));
        let number: usize = number
            .parse()
            .map_err(|_| AdapterError::Number { number: number.into(), interface: interface.into() })?;
        let mut all = adapters();
        if interface == "gpu" {
            // A card may be there through several interfaces; the first of them counts.
            let listed = all.clone();
            let first = |card: &str| listed.iter().find(|a| a.card == card).map(|a| a.interface);
            all.retain(|adapter| first(&adapter.card) == Some(adapter.interface));
            all.sort_by_key(|adapter| adapter.rank);
        } else if INTERFACES.iter().any(|(name, ..)| *name == interface) {
            all.retain(|adapter| adapter.name.starts_with(&format!("{interface}:")));
        } else {
            return Err(AdapterError::Name);
        }
        let count = all.len();
        if let Some(adapter) = all.into_iter().nth(number) {
            return Ok(adapter);
        }
        if count > 0 {
            return Err(AdapterError::Beyond(count));
        }
        Err(AdapterError::None((interface != "gpu").then(|| interface.to_owned())))
    }
}
