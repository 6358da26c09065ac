// SPDX-License-Identifier: GPL-2.0
//! Commands that go on until a person ends them, or nobody reads what they print any more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;

/// Waits until there is something to do, or to end.
pub struct Waiting {
    signals: SignalFd,
}

/// Why waiting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There is something to read.
    Ready,
    /// The time has passed.
    Late,
    /// The command is to end.
    End,
}

impl Waiting {
    /// From here on SIGINT and SIGTERM do not kill the command, but end its waiting.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn new() -> io::Result<Self> {
        let mut ends = SigSet::empty();
        ends.add(Signal::SIGINT);
        ends.add(Signal::SIGTERM);
        ends.thread_block()?;
        let signals = SignalFd::new(&ends)?;
        Ok(Self { signals })
    }

    /// Waits until there is something to read from `source`.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn for_input(&self, source: BorrowedFd<'_>) -> io::Result<Woken> {
        self.wait(Some(source), PollTimeout::NONE)
    }

    /// Waits for so long.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn for_time(&self, time: Duration) -> io::Result<Woken> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // Rounded up, so that it is not asked for again and again at the end.
            let milliseconds = left.as_nanos().div_ceil(1_000_000);
            let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
            match self.wait(None, timeout)? {
                Woken::Late if Instant::now() < end => (),
                woken => return Ok(woken),
            }
        }
    }

    fn wait(&self, source: Option<BorrowedFd<'_>>, timeout: PollTimeout) -> io::Result<Woken> {
        let stdout = io::stdout();
        let mut ends = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            // Nothing is asked of it, so it tells only that a pipe has no reader any more.
            PollFd::new(stdout.as_fd(), PollFlags::empty()),
        ];
        ends.extend(source.map(|source| PollFd::new(source, PollFlags::POLLIN)));
        loop {
            match poll(&mut ends, timeout) {
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(Woken::Late),
                Ok(_) => (),
            }
            let is_woken = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
            return Ok(match ends.iter().take(2).any(is_woken) {
                true => Woken::End,
                false => Woken::Ready,
            });
        }
    }
}
