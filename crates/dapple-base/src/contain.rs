//! Panics of libraries, as errors: a bug in a decoder costs one file, not the batch or the service around it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Work of the whole process that is contained.
static CONTAINED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Work of this thread that is contained.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// The place of this thread's last panic, which the payload of a panic does not carry.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic that was contained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default())]
pub struct Panicked {
    /// The message of the panic.
    pub message: String,
    /// File and line of the source, if the program's panic hook asks [`panic_place`].
    pub place: Option<String>,
}

/// Runs work whose panics become errors. Callers use nothing afterwards that the work may have left half changed.
///
/// # Errors
/// [`Panicked`].
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let here = Here::enter();
    PLACE.take();
    let result = catch_unwind(AssertUnwindSafe(work));
    drop(here);
    result.map_err(|payload| Panicked { message: message(payload.as_ref()), place: PLACE.take() })
}

/// How a panic hook is to take a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicPlace {
    /// In contained work: it is reported as an error of that work.
    Contained,
    /// In a thread of its own while other work is contained, which may wait for the thread: the program must go on.
    BesideContained,
    /// Anywhere else.
    Open,
}

/// For panic hooks: where a panic happened. Remembers its source line for the error.
pub fn panic_place(info: &PanicHookInfo<'_>) -> PanicPlace {
    if DEPTH.get() > 0 {
        PLACE.set(info.location().map(|at| format!("{}:{}", within_crate(at.file()), at.line())));
        PanicPlace::Contained
    } else if CONTAINED.load(Ordering::SeqCst) > 0 {
        PanicPlace::BesideContained
    } else {
        PanicPlace::Open
    }
}

/// A source file from its crate on: the folders above are those of the machine that built the program.
fn within_crate(file: &str) -> &str {
    let Some(source) = file.rfind("/src/") else { return file };
    file[..source].rfind('/').map_or(file, |above| &file[above + 1..])
}

/// The message that a panic carries.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

/// Contained work of this thread, counted until it is dropped.
struct Here;

impl Here {
    fn enter() -> Self {
        CONTAINED.fetch_add(1, Ordering::SeqCst);
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        CONTAINED.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_begin_with_the_crate() {
        assert_eq!(
            within_crate("/home/a/.cargo/x/tiff-0.11.3/src/decoder/image.rs"),
            "tiff-0.11.3/src/decoder/image.rs"
        );
        for whole in ["src/lib.rs", "crate/src/lib.rs", "build.rs"] {
            assert_eq!(within_crate(whole), whole);
        }
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        assert_eq!(contain(|| 3), Ok(3));
        let error = contain(|| -> u8 { panic!("row {} of 2", 7) }).expect_err("it panicked");
        assert_eq!(error.message, "row 7 of 2");
        // Contained work in contained work.
        let error = contain(|| contain(|| -> u8 { panic!("inner") }).expect_err("it panicked").message);
        assert_eq!(error.as_deref(), Ok("inner"));
        assert_eq!(DEPTH.get(), 0);
    }
}
