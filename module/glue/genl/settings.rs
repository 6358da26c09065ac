// SPDX-License-Identifier: GPL-2.0
//! Settings of connection tracking: reading and setting them. They are a namespace's before connections are tracked in it
//! already, and outlive its rules.

use super::request::Request;
use crate::engine::conntrack::Setting;
use crate::glue::conntrack;
use crate::glue::refusal::Refusal;
use crate::uapi::attr::Writer;
use crate::uapi::field::Field;
use crate::uapi::message;
use crate::uapi::settings::{Changes, SettingValue};

/// Answers with all settings, in one message.
#[inline(never)]
pub(super) fn get(request: &Request<'_>) -> Result<(), Refusal> {
    let namespace = request.namespace();
    let mut attributes = Writer::new(8192);
    for setting in Setting::ALL {
        let told = SettingValue::of(setting, namespace.settings());
        told.put(message::SETTING, &mut attributes)?;
    }
    request
        .answer(attributes.bytes())?
        .unicast(namespace, request.port());
    Ok(())
}

/// Sets all that the request names, or nothing.
#[inline(never)]
pub(super) fn set(request: &Request<'_>) -> Result<(), Refusal> {
    let settings = request.namespace().settings();
    for (setting, value) in Changes::decode(request.attributes())?.each() {
        // `decode` takes no value that is out of range.
        let _ = settings.set(setting, value);
        if setting == Setting::LogInvalid && value != 0 {
            conntrack::prepare_log();
        }
    }
    Ok(())
}
