//! The pace of a client: how long it may take to send a request and to take its answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// The pace that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes a second, at least one.
    pub min_rate: u64,
    /// The longest time without any.
    pub patience: Duration,
}

/// The time for which a client is still waited for. Waiting uses it up, bytes earn it again at the least rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pace: Pace,
    left: Duration,
}

impl Patience {
    pub fn new(pace: Pace) -> Self {
        Self { pace, left: pace.patience }
    }

    /// The time left.
    pub fn left(&self) -> Duration {
        self.left
    }

    /// Counts time that was waited, and the bytes that then came.
    pub fn count(&mut self, waited: Duration, bytes: usize) {
        let earned = Duration::from_secs_f64(bytes as f64 / self.pace.min_rate.max(1) as f64);
        self.left = (self.left.saturating_sub(waited) + earned).min(self.pace.patience);
    }
}

/// A connection that ends when its peer does not take what is written.
pub(crate) struct Paced {
    stream: TcpStream,
    patience: Patience,
    /// Since the stream takes nothing.
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Paced {
    pub fn new(stream: TcpStream, pace: Pace) -> Self {
        Self { stream, patience: Patience::new(pace), blocked: None }
    }

    fn written(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(result) => {
                let waited = self.blocked.take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
                self.patience.count(waited, *result.as_ref().unwrap_or(&0));
                Poll::Ready(result)
            }
            Poll::Pending => {
                let left = self.patience.left();
                let (_, end) = self.blocked.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
                ready!(end.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
            }
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_uses_patience_up_and_a_steady_stream_does_not() {
        let pace = Pace { min_rate: 1000, patience: Duration::from_secs(10) };
        let mut trickle = Patience::new(pace);
        (0..5).for_each(|_| trickle.count(Duration::from_secs(2), 1));
        assert!(trickle.left() < Duration::from_millis(100));
        let mut steady = Patience::new(pace);
        (0..100).for_each(|_| steady.count(Duration::from_secs(2), 2000));
        assert_eq!(steady.left(), pace.patience);
        // Bytes in advance do not buy more than the patience.
        steady.count(Duration::ZERO, 1 << 30);
        assert_eq!(steady.left(), pace.patience);
    }
}
