// SPDX-License-Identifier: GPL-2.0
//! Protocols that nothing more is known of: what goes between two addresses is one connection.

use super::{Judgement, Setting, Settings};

/// See [`Machine::packet`](super::Machine::packet). The connection is never assured, so that it goes first where room is
/// needed.
pub(super) fn packet(settings: &Settings) -> Judgement {
    Judgement::refreshed(settings.get(Setting::GenericTimeout), false)
}
