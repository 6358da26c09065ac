// SPDX-License-Identifier: GPL-2.0
//! The generic netlink family: how rules come into the kernel and are read from it.
//!
//! The core of netlink checks permissions and policies first. Requests may come at the same time on
//! several CPUs (`parallel_ops`), since the lock that would hold them apart is one for all families
//! and namespaces; those to one namespace are held apart by its writer's lock.
//!
//! Handlers are not inlined into their callers: decoding rules takes a good part of the kernel's
//! stack of 16 KiB, and what the other handlers need would lie below it for nothing.

mod closing;
mod dump;
mod info;
mod message;
mod policy;
mod request;
mod transaction;

use super::bindings;
use super::refusal::Refusal;
use crate::alloc::{AllocError, KBox, GFP_KERNEL};
use crate::uapi::{self, message as attributes, Command};
use closing::Closing;
use core::ptr::NonNull;
use dump::Dump;
use kernel::error::{to_result, Result};
use kernel::ffi::c_int;
use kernel::prelude::ThisModule;
use kernel::types::Opaque;
use policy::Policies;
use request::Request;

/// The family's structure and what it points to, in one place on the heap.
struct Parts {
    family: bindings::genl_family,
    operations: [bindings::genl_split_ops; 6],
    groups: [bindings::genl_multicast_group; 1],
}

/// The registration of the family. While it lives, requests come in.
pub(crate) struct Family {
    parts: KBox<Opaque<Parts>>,
    _policies: Policies,
    _closing: Closing,
}

// SAFETY: The core keeps its accesses apart by its own locks, and this may be dropped on any
// thread.
unsafe impl Send for Family {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Family {}

impl Family {
    /// Registers the family. With `user_namespaces`, whoever has CAP_NET_ADMIN in the user
    /// namespace that owns a network namespace may use it there; without, only who has it in the
    /// initial one. May sleep.
    ///
    /// # Safety
    ///
    /// The states of namespaces are there as long as this.
    pub(crate) unsafe fn register(
        module: &'static ThisModule,
        user_namespaces: bool,
    ) -> Result<Self> {
        let permission = if user_namespaces {
            bindings::GENL_UNS_ADMIN_PERM
        } else {
            bindings::GENL_ADMIN_PERM
        };
        let mut policies = Policies::default();
        let mut operation = |command: Command| -> Result<_, AllocError> {
            let takes: &[u16] = match command {
                Command::Begin => &[attributes::GENERATION],
                Command::Chunk => &[attributes::OP],
                Command::GetRules => &[attributes::COUNTERS, attributes::ZERO, attributes::SELECT],
                _ => &[],
            };
            let policy = policies.taking(&attributes::MESSAGE, takes)?;
            let mut operation = bindings::genl_split_ops {
                cmd: command as u8,
                policy: policy.attributes,
                maxattr: policy.highest,
                ..Default::default()
            };
            let capability = if command == Command::GetRules {
                operation.__bindgen_anon_1.__bindgen_anon_2 =
                    bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_2 {
                        start: Some(dump_start),
                        dumpit: Some(dump_fill),
                        done: Some(dump_done),
                    };
                bindings::GENL_CMD_CAP_DUMP
            } else {
                operation.__bindgen_anon_1.__bindgen_anon_1.doit = Some(answer);
                bindings::GENL_CMD_CAP_DO
            };
            operation.flags = (permission | capability) as u8;
            Ok(operation)
        };
        // The core wants them in the order of their numbers.
        let operations = [
            operation(Command::GetInfo)?,
            operation(Command::Begin)?,
            operation(Command::Chunk)?,
            operation(Command::Commit)?,
            operation(Command::Abort)?,
            operation(Command::GetRules)?,
        ];

        let mut group = bindings::genl_multicast_group {
            flags: bindings::CONST_GENL_MCAST_CAP_NET_ADMIN as u8,
            ..Default::default()
        };
        name(&mut group.name, uapi::GROUP_RULES);
        let mut family = bindings::genl_family {
            version: uapi::VERSION.into(),
            module: module.as_ptr().cast(),
            ..Default::default()
        };
        name(&mut family.name, uapi::FAMILY);
        family.set_netnsok(1);
        family.set_parallel_ops(1);

        let parts = Parts {
            family,
            operations,
            groups: [group],
        };
        let parts = KBox::new(Opaque::new(parts), GFP_KERNEL)?;
        let place = parts.get();
        // SAFETY: The parts are ours alone until they are registered.
        unsafe {
            (*place).family.split_ops = (&raw const (*place).operations).cast();
            (*place).family.n_split_ops = (*place).operations.len() as u8;
            (*place).family.mcgrps = (&raw const (*place).groups).cast();
            (*place).family.n_mcgrps = (*place).groups.len() as u8;
        }
        // SAFETY: The caller keeps the states of namespaces.
        let closing = unsafe { Closing::watch() }?;
        // SAFETY: All that the family points to is on the heap and stays there until `drop` has
        // undone this; what requests need the caller vouches for.
        to_result(unsafe { bindings::genl_register_family(&raw mut (*place).family) })?;
        Ok(Self {
            parts,
            _policies: policies,
            _closing: closing,
        })
    }
}

impl Drop for Family {
    /// Waits for requests that are being handled, and drops all transactions. May sleep.
    fn drop(&mut self) {
        // SAFETY: `register` registered it. The module's use count keeps dumps from being in
        // progress.
        unsafe { bindings::genl_unregister_family(&raw const (*self.parts.get()).family) };
    }
}

/// Fills in a name. Netlink's names have 15 bytes at most and end with a zero byte; ours are
/// shorter.
fn name(place: &mut [u8; 16], name: &str) {
    for (to, from) in place.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
}

/// Called by the core for all requests but dumps. Tells the sender what is wrong by an extended
/// ACK.
///
/// # Safety
///
/// Called by the core only, with a request to this family.
unsafe extern "C" fn answer(_skb: *mut bindings::sk_buff, info: *mut bindings::genl_info) -> c_int {
    // SAFETY: The core keeps the information during the call, and does not change it.
    let request = unsafe { Request::new(&*info) };
    let command = Command::ALL
        .into_iter()
        .find(|command| *command as u8 == request.command());
    let answered = match command {
        Some(Command::GetInfo) => info::get(&request),
        Some(Command::Begin) => transaction::begin(&request),
        Some(Command::Chunk) => transaction::chunk(&request),
        Some(Command::Commit) => transaction::commit(&request),
        Some(Command::Abort) => transaction::abort(&request),
        _ => Err(Refusal::new(bindings::EOPNOTSUPP, "command is not known")),
    };
    match answered {
        Ok(()) => 0,
        Err(refusal) => request.refuse(&refusal),
    }
}

/// Where the core keeps what a dump needs between its calls.
///
/// # Safety
///
/// `callback` is a dump of this family.
unsafe fn dump_place(callback: *mut bindings::netlink_callback) -> *mut *mut Dump {
    // SAFETY: The caller vouches for the callback; its `ctx` is aligned for pointers and holds
    // some.
    unsafe { (&raw mut (*callback).__bindgen_anon_1.ctx).cast() }
}

/// What the core tells of a dump's request.
///
/// # Safety
///
/// `callback` is a dump of this family, and the core's call lasts for `'a`.
unsafe fn dump_request<'a>(callback: *mut bindings::netlink_callback) -> Request<'a> {
    // SAFETY: For dumps of generic netlink `data` is this (genl_dumpit_info()).
    let info = unsafe { &(*(*callback).data.cast::<bindings::genl_dumpit_info>()).info };
    // SAFETY: The caller vouches for the core's call; the request is kept as long as the dump.
    unsafe { Request::new(info) }
}

/// Called by the core when a dump begins.
///
/// # Safety
///
/// Called by the core only, with a dump of this family.
unsafe extern "C" fn dump_start(callback: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: The core's call lasts as long as this.
    let request = unsafe { dump_request(callback) };
    match Dump::start(&request) {
        Ok(dump) => {
            // SAFETY: The callback is that of our dump, which begins, so nothing is there yet.
            unsafe { dump_place(callback).write(KBox::into_raw(dump)) };
            0
        }
        Err(refusal) => request.refuse(&refusal),
    }
}

/// Called by the core with one buffer after the other.
///
/// # Safety
///
/// Called by the core only, between `dump_start` and `dump_done`.
unsafe extern "C" fn dump_fill(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: The core's call lasts as long as this.
    let request = unsafe { dump_request(callback) };
    // SAFETY: `dump_start` put it there, and the core makes one call at a time for a dump.
    let dump = unsafe { &mut **dump_place(callback) };
    // SAFETY: As above, the callback is ours during the call.
    let least_buffer = unsafe { &mut (*callback).min_dump_alloc };
    let Some(skb) = NonNull::new(skb) else {
        return 0;
    };
    // SAFETY: The core called us with a buffer to fill.
    match unsafe { dump.fill(&request, skb, least_buffer) } {
        Ok(more) => more,
        Err(refusal) => request.refuse(&refusal),
    }
}

/// Called by the core when a dump is over, or its socket closed.
///
/// # Safety
///
/// Called by the core only, once for each `dump_start` that succeeded.
unsafe extern "C" fn dump_done(callback: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: `dump_start` put it there, and nobody uses it any more.
    drop(unsafe { KBox::from_raw(dump_place(callback).read()) });
    0
}
