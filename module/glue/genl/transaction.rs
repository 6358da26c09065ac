// SPDX-License-Identifier: GPL-2.0
//! Changing the rules: a transaction is collected in as many messages as it takes, and then carried
//! out at once.

use super::message::{Header, Message};
use super::request::Request;
use super::Group;
use crate::glue::bindings;
use crate::glue::refusal::Refusal;
use crate::glue::staging::Transaction;
use crate::uapi::attr::Writer;
use crate::uapi::field::Field;
use crate::uapi::{message, Command};

/// Opens a transaction.
#[inline(never)]
pub(super) fn begin(request: &Request<'_>) -> Result<(), Refusal> {
    let generation = request.attribute(message::GENERATION)?;
    let expected = generation.as_ref().map(u64::get).transpose()?;
    let mut staging = request.namespace().staging();
    staging.begin(request.port(), Transaction::new(expected))
}

/// Adds operations to the transaction. If they can't be added, there is none afterwards.
#[inline(never)]
pub(super) fn chunk(request: &Request<'_>) -> Result<(), Refusal> {
    request
        .namespace()
        .staging()
        .add(request.port(), request.attributes())
}

/// Drops the transaction.
#[inline(never)]
pub(super) fn abort(request: &Request<'_>) -> Result<(), Refusal> {
    request.namespace().staging().take(request.port()).map(drop)
}

/// Carries the transaction out, all or nothing, and tells the sender and all who listen.
#[inline(never)]
pub(super) fn commit(request: &Request<'_>) -> Result<(), Refusal> {
    let namespace = request.namespace();
    let transaction = namespace.staging().take(request.port())?;
    let count = request.attribute(message::COUNT)?;
    let count = count.as_ref().map(u64::get).transpose()?;
    let ops = transaction.len() as u64;
    if count.is_some_and(|count| count != ops) {
        return Err(Refusal::new(
            bindings::EINVAL,
            "the transaction lacks operations that were sent",
        ));
    }
    let mut writer = namespace.writer();
    if !transaction.fits(writer.generation()) {
        return Err(Refusal::new(
            bindings::ESTALE,
            "the rules changed since they were read",
        ));
    }

    // What is sent afterwards is made before, so that a commit does not happen and then seem to
    // fail.
    let mut attributes = Writer::new(64);
    writer
        .next_generation()
        .put(message::GENERATION, &mut attributes)?;
    let answer = request.answer(attributes.bytes())?;
    request.port().put(message::PORT, &mut attributes)?;
    let family = request.family();
    let news = Header::news(family, Command::RulesChanged);
    let news = Message::new(news, attributes.bytes(), bindings::CONST_GFP_KERNEL)?;

    namespace.commit(&mut writer, transaction.into_ops())?;
    answer.unicast(namespace, request.port());
    // Under the lock still, so that news come in the order of the commits.
    let (net, flags) = (namespace.as_ptr(), bindings::CONST_GFP_KERNEL);
    // SAFETY: The socket of the request keeps its namespace alive.
    unsafe { news.multicast(family, net, Group::Rules, flags) };
    Ok(())
}
