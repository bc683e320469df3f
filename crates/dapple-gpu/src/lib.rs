//! Graphics cards as an engine, over Vulkan, Metal and DirectX 12.
