// SPDX-License-Identifier: GPL-2.0
//! Events: who listens is told what becomes of connections. Called with nothing locked.

use super::connection::Connection;
use super::{found, Tracker};
use crate::glue::genl;
use crate::uapi::event::Event;
use kernel::sync::atomic::ordering::Relaxed;

impl Tracker {
    /// Tells of an event, if someone listens. Does not sleep; what can't be told is lost, and the listeners know that it
    /// was.
    #[cold]
    #[inline(never)]
    pub(super) fn tell(&self, event: Event, connection: &Connection) {
        let make = || {
            let before = self.events.fetch_add(1, Relaxed);
            (before.wrapping_add(1), found(connection))
        };
        // SAFETY: The namespace stays until the tracker is dropped, which tells of nothing.
        unsafe { genl::events::tell(self.net, event, make) };
    }
}
