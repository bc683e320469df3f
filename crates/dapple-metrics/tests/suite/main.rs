//! The tests of the public interface, one module a subject, in one program that links once.

mod boundary_f1;
mod boundary_iou;
mod evaluation;
mod golden;
