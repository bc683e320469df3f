//! Aligned memory and the few pointer types that kernels work with.

use std::alloc::{GlobalAlloc, Layout, System, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A zeroed buffer of `f32`, aligned to cache lines, kept for the life of its owner.
pub(crate) struct Buffer {
    ptr: *mut f32,
    len: usize,
}

// SAFETY: the buffer owns its memory like a Box<[f32]>.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads (through `as_slice`); writing needs `&mut self` or goes through `base`,
// whose users partition the buffer.
unsafe impl Sync for Buffer {}

impl Buffer {
    const ALIGN: usize = 64;

    /// A buffer of that many values.
    pub fn zeroed(len: usize) -> Self {
        Self::try_zeroed(len).unwrap_or_else(|| {
            let layout = Self::layout(len.max(1)).unwrap_or(Layout::new::<f32>());
            ExplainingAllocator::failed(layout.size());
            handle_alloc_error(layout)
        })
    }

    /// A buffer of that many values, or none if the system does not give as much memory.
    pub fn try_zeroed(len: usize) -> Option<Self> {
        let len = len.max(1);
        let layout = Self::layout(len)?;
        MAY_FAIL.set(true);
        // SAFETY: the layout's size is not zero.
        let ptr = unsafe { alloc_zeroed(layout) }.cast::<f32>();
        MAY_FAIL.set(false);
        (!ptr.is_null()).then_some(Self { ptr, len })
    }

    fn layout(len: usize) -> Option<Layout> {
        Layout::from_size_align(len.checked_mul(size_of::<f32>())?, Self::ALIGN).ok()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: `len` initialized values; no one writes while the shared borrow lives.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: `len` initialized values, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.ptr, self.len) }
    }

    /// The address that kernels count their offsets from.
    pub fn base(&mut self) -> Base {
        Base { ptr: self.ptr, len: self.len }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this layout.
        unsafe {
            dealloc(self.ptr.cast(), Self::layout(self.len).expect("the buffer was allocated with it"));
        }
    }
}

/// The start of a buffer that the tasks of one kernel share; each task writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct Base {
    ptr: *mut f32,
    len: usize,
}

// SAFETY: only an address; what is read and written through it is argued where it is done.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

impl Base {
    /// `len` values from `offset` on, as a buffer of their own.
    ///
    /// # Panics
    /// If they reach past the buffer.
    pub fn part(self, offset: usize, len: usize) -> Self {
        Self { ptr: self.at(offset, len), len }
    }

    /// The address of `offset`, from which `len` values will be used.
    ///
    /// # Panics
    /// If they reach past the buffer: this is the bounds check of every kernel.
    #[inline]
    pub fn at(self, offset: usize, len: usize) -> *mut f32 {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "kernel range {offset}+{len} of {}",
            self.len
        );
        self.ptr.wrapping_add(offset)
    }
}

/// The memory in bytes that can be had, where the system tells. Systems that promise more memory than they have end the
/// program when it is used, so that a plan larger than this must be refused beforehand.
pub(crate) fn obtainable_bytes() -> Option<usize> {
    dapple_base::machine::memory_limit().and_then(|bytes| usize::try_from(bytes).ok())
}

/// The system's allocator. Once [`ExplainingAllocator::explain`] was called, it ends the program with one message and code 1
/// where the system gives no more memory; without, Rust aborts it with a backtrace. A program names it as its
/// `#[global_allocator]`.
pub struct ExplainingAllocator;

/// Whether failures are explained, and the limit of addresses (`ulimit -v`), 0 without one.
static EXPLAINED: AtomicU64 = AtomicU64::new(u64::MAX);

thread_local! {
    /// Whether this thread takes a failed allocation for an answer.
    static MAY_FAIL: Cell<bool> = const { Cell::new(false) };
}

impl ExplainingAllocator {
    /// Explains failures from now on.
    pub fn explain() {
        let limit = dapple_base::machine::address_limit().unwrap_or(0);
        EXPLAINED.store(limit, Ordering::Relaxed);
    }

    /// Ends the program, unless nothing is to be explained. Allocates nothing.
    fn failed(size: usize) {
        let limit = EXPLAINED.load(Ordering::Relaxed);
        if limit == u64::MAX || MAY_FAIL.try_with(Cell::get).unwrap_or(true) {
            return;
        }
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        let more = size as f64 / 1e6;
        match limit {
            0 => eprintln!(
                "error: the system gives no more memory ({more:.1} MB were asked for); use a smaller size or batch, fewer \
                 threads, or --memory-limit where a network is trained"
            ),
            limit => eprintln!(
                "error: the limit of {:.2} GB of memory (ulimit -v) is reached ({more:.1} MB more were asked for); raise it, \
                 or use a smaller size or batch, or fewer threads",
                gigabytes(limit)
            ),
        }
        process::exit(1);
    }
}

// SAFETY: all memory is the system's; what is added returns the same pointers or does not return.
unsafe impl GlobalAlloc for ExplainingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let ptr = unsafe { System.alloc(layout) };
        if ptr.is_null() {
            Self::failed(layout.size());
        }
        ptr
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let ptr = unsafe { System.alloc_zeroed(layout) };
        if ptr.is_null() {
            Self::failed(layout.size());
        }
        ptr
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let ptr = unsafe { System.realloc(ptr, layout, size) };
        if ptr.is_null() {
            Self::failed(size);
        }
        ptr
    }
}
