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
#[cfg(CONFIG_NF_CONNTRACK)]
mod connections;
mod dump;
#[cfg(CONFIG_NF_CONNTRACK)]
pub(super) mod events;
mod info;
mod message;
mod policy;
mod request;
#[cfg(CONFIG_NF_CONNTRACK)]
mod settings;
pub(super) mod trace;
mod transaction;

use super::bindings;
use super::rcu;
use super::refusal::Refusal;
use crate::alloc::{AllocError, KBox, GFP_KERNEL};
use crate::uapi::{self, message as attributes, Command};
use closing::Closing;
use core::ptr::NonNull;
use dump::Dump;
use kernel::error::{to_result, Result};
use kernel::ffi::c_int;
use kernel::prelude::ThisModule;
use kernel::sync::atomic::ordering::Release;
use kernel::sync::atomic::Atomic;
use kernel::types::Opaque;
use policy::Policies;
use request::Request;

/// The family while it is registered: packets that are traced find it here.
static FAMILY: Atomic<*mut bindings::genl_family> = Atomic::new(core::ptr::null_mut());

/// The family's groups of listeners, in the order in which they are registered.
#[derive(Clone, Copy)]
pub(super) enum Group {
    /// Those who want to hear of changed rules.
    Rules = 0,
    /// Those who want to hear of traced packets.
    Trace = 1,
    /// Those who want to hear what becomes of connections.
    #[cfg_attr(not(CONFIG_NF_CONNTRACK), expect(dead_code))]
    Connections = 2,
}

/// The registration of the family. While it lives, requests come in.
pub(crate) struct Family {
    family: KBox<Opaque<bindings::genl_family>>,
    _operations: KBox<[bindings::genl_split_ops; 12]>,
    _groups: KBox<[bindings::genl_multicast_group; 3]>,
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
                Command::Commit => &[attributes::COUNT],
                Command::GetRules => &[attributes::COUNTERS, attributes::ZERO, attributes::SELECT],
                Command::GetConnections | Command::DeleteConnections => &[attributes::FILTER],
                Command::SetSettings => &[attributes::SETTING],
                _ => &[],
            };
            let policy = policies.taking(&attributes::MESSAGE, takes)?;
            let mut operation = bindings::genl_split_ops {
                cmd: command as u8,
                policy: policy.attributes,
                maxattr: policy.highest,
                ..Default::default()
            };
            let capability = if matches!(
                command,
                Command::GetRules | Command::GetConnections | Command::GetFlows
            ) {
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
            operation(Command::GetConnections)?,
            operation(Command::DeleteConnections)?,
            operation(Command::GetConnectionStats)?,
            operation(Command::GetFlows)?,
            operation(Command::GetSettings)?,
            operation(Command::SetSettings)?,
        ];

        let groups = [
            uapi::GROUP_RULES,
            uapi::GROUP_TRACE,
            uapi::GROUP_CONNECTIONS,
        ]
        .map(|title| {
            let mut group = bindings::genl_multicast_group {
                flags: bindings::CONST_GENL_MCAST_CAP_NET_ADMIN as u8,
                ..Default::default()
            };
            name(&mut group.name, title);
            group
        });
        let operations = KBox::new(operations, GFP_KERNEL)?;
        let groups = KBox::new(groups, GFP_KERNEL)?;
        let mut family = bindings::genl_family {
            version: uapi::VERSION.into(),
            module: module.as_ptr().cast(),
            split_ops: operations.as_ptr(),
            n_split_ops: operations.len() as u8,
            mcgrps: groups.as_ptr(),
            n_mcgrps: groups.len() as u8,
            ..Default::default()
        };
        name(&mut family.name, uapi::FAMILY);
        family.set_netnsok(1);
        family.set_parallel_ops(1);
        let family = KBox::new(Opaque::new(family), GFP_KERNEL)?;

        // SAFETY: The caller keeps the states of namespaces.
        let closing = unsafe { Closing::watch() }?;
        // SAFETY: The family and all that it points to is on the heap, and stays there until `drop`
        // has undone this; what requests need the caller vouches for.
        to_result(unsafe { bindings::genl_register_family(family.get()) })?;
        FAMILY.store(family.get(), Release);
        Ok(Self {
            family,
            _operations: operations,
            _groups: groups,
            _policies: policies,
            _closing: closing,
        })
    }
}

impl Drop for Family {
    /// Waits for requests that are being handled, and drops all transactions. May sleep.
    fn drop(&mut self) {
        FAMILY.store(core::ptr::null_mut(), Release);
        // Whoever tells of a connection may have found it just before.
        rcu::synchronize();
        // SAFETY: `register` registered it. The module's use count keeps dumps from being in
        // progress.
        unsafe { bindings::genl_unregister_family(self.family.get()) };
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
    let info = unsafe { &*info };
    // SAFETY: The request is not used after the core's call.
    let request = unsafe { Request::new(info) };
    let command = Command::ALL
        .into_iter()
        .find(|command| *command as u8 == request.command());
    let answered = match command {
        Some(Command::GetInfo) => info::get(&request),
        Some(Command::Begin) => transaction::begin(&request),
        Some(Command::Chunk) => transaction::chunk(&request),
        Some(Command::Commit) => transaction::commit(&request),
        Some(Command::Abort) => transaction::abort(&request),
        #[cfg(CONFIG_NF_CONNTRACK)]
        Some(Command::DeleteConnections) => connections::delete(&request),
        #[cfg(CONFIG_NF_CONNTRACK)]
        Some(Command::GetConnectionStats) => connections::stats(&request),
        #[cfg(CONFIG_NF_CONNTRACK)]
        Some(Command::GetSettings) => settings::get(&request),
        #[cfg(CONFIG_NF_CONNTRACK)]
        Some(Command::SetSettings) => settings::set(&request),
        _ => Err(Refusal::new(bindings::EOPNOTSUPP, "command is not known")),
    };
    match answered {
        Ok(()) => 0,
        Err(refusal) => request.refuse(&refusal),
    }
}

/// What the core tells of a dump's request.
///
/// # Safety
///
/// `callback` is a dump of this family, and the core's call lasts for `'a`.
unsafe fn dump_request<'a>(callback: &bindings::netlink_callback) -> Request<'a> {
    let data = callback.data.cast::<bindings::genl_dumpit_info>();
    // SAFETY: This is what `data` is for dumps of generic netlink (genl_dumpit_info()).
    let data = unsafe { &*data };
    // SAFETY: The caller vouches for the core's call; the request is kept as long as the dump.
    unsafe { Request::new(&data.info) }
}

/// Where the core keeps a pointer of ours between its calls.
fn dump_place(callback: &mut bindings::netlink_callback) -> *mut *mut Dump {
    // The union's other members are for those who keep something else.
    (&raw mut callback.__bindgen_anon_1).cast()
}

/// Called by the core when a dump begins.
///
/// # Safety
///
/// Called by the core only, with a dump of this family.
unsafe extern "C" fn dump_start(callback: *mut bindings::netlink_callback) -> c_int {
    // SAFETY: The core leaves the callback to us during its call.
    let callback = unsafe { &mut *callback };
    // SAFETY: The request is not used after the core's call.
    let request = unsafe { dump_request(callback) };
    match Dump::start(&request) {
        Ok(dump) => {
            // SAFETY: The place has room for some pointers, and nothing is there yet.
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
/// Called by the core only, between `dump_start` and `dump_done`, with a buffer to fill.
unsafe extern "C" fn dump_fill(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
) -> c_int {
    // SAFETY: The core leaves the callback to us during its call.
    let callback = unsafe { &mut *callback };
    // SAFETY: The request is not used after the core's call.
    let request = unsafe { dump_request(callback) };
    // SAFETY: `dump_start` put a pointer there.
    let dump = unsafe { dump_place(callback).read() };
    // SAFETY: It points to our dump until `dump_done`; the core makes one call at a time.
    let dump = unsafe { &mut *dump };
    let Some(skb) = NonNull::new(skb) else {
        return 0;
    };
    // SAFETY: The core called us with a buffer to fill.
    match unsafe { dump.fill(&request, skb, &mut callback.min_dump_alloc) } {
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
    // SAFETY: The core leaves the callback to us during its call.
    let callback = unsafe { &mut *callback };
    // SAFETY: `dump_start` put a pointer there.
    let dump = unsafe { dump_place(callback).read() };
    // SAFETY: It came from a box, and nobody uses it any more.
    drop(unsafe { KBox::from_raw(dump) });
    0
}
