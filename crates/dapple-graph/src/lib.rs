//! Operations, shapes, parameters, initialisation and the engine interface of dapple; no arithmetic.
