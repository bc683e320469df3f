//! libtorch as an engine: CUDA cards and, to compare with, the CPU.
