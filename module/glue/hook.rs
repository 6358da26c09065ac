// SPDX-License-Identifier: GPL-2.0
//! Hooks of netfilter: registering them, and what happens to a packet in one.

#[cfg(CONFIG_AUDIT)]
use super::audit;
use super::bindings;
use super::clock;
#[cfg(CONFIG_NF_CONNTRACK)]
use super::conntrack::{self, Defragmented, Tracker};
use super::genl;
use super::log;
use super::metadata;
use super::namespace::Namespace;
use super::queue;
use super::rcu::Reader;
use super::routes;
use super::ruleset::Ruleset;
use super::skb::{self, Packet};
use super::transforms;
use crate::alloc::{KBox, GFP_KERNEL};
use crate::engine::conntrack::Tuple;
use crate::engine::packet::{
    AddressTypes, Answer, Body, Bridge, Clock, Connection, ControlGroup, DeviceName, Direction,
    DropReason, Family, Frame, Hook, Input, Interface, PacketType, Socket, Source, Tracking,
    Transform, Transport, WayBack,
};
use crate::engine::rules::targets::Effect;
use crate::engine::rules::trace::Step;
use crate::engine::rules::{Env, Program, Verdict};
use crate::engine::text::Name;
use crate::uapi::range::Range;
use crate::uapi::trace::{Head, Trace};
use core::net::IpAddr;
use core::ptr::NonNull;
use kernel::error::{to_result, Result};
use kernel::ffi::{c_int, c_uint, c_void};
use kernel::types::Opaque;

/// What a function of ours does at a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    /// It judges packets by all tables.
    Judge,
    /// It takes the connections that packets begin into the table, when these have come through everything.
    #[cfg(CONFIG_NF_CONNTRACK)]
    Confirm,
}

impl Task {
    /// Where in the order of netfilter's functions this one stands: where iptables has its filter table, or behind all.
    const fn priority(self) -> c_int {
        match self {
            Self::Judge => bindings::nf_ip_hook_priorities_NF_IP_PRI_FILTER,
            #[cfg(CONFIG_NF_CONNTRACK)]
            Self::Confirm => bindings::nf_ip_hook_priorities_NF_IP_PRI_CONNTRACK_CONFIRM,
        }
    }

    /// Whether `program` needs this at a hook.
    fn is_needed(self, program: &Program, family: Family, hook: Hook) -> bool {
        match self {
            Self::Judge => program.hooked(family, hook),
            #[cfg(CONFIG_NF_CONNTRACK)]
            Self::Confirm => {
                program.tracks(family) && matches!(hook, Hook::LocalIn | Hook::PostRouting)
            }
        }
    }
}

/// A place for a function of ours: a hook of a family, and what it does there.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    family: Family,
    hook: Hook,
    task: Task,
}

impl Place {
    const COUNT: usize = Family::ALL.len() * Hook::ALL.len() + Family::ALL.len() * 2;

    /// All places.
    fn all() -> impl Iterator<Item = Self> {
        let hooks = || {
            Family::ALL
                .into_iter()
                .flat_map(|family| Hook::ALL.into_iter().map(move |hook| (family, hook)))
        };
        let at = |task| move |(family, hook)| Self { family, hook, task };
        let places = hooks().map(at(Task::Judge));
        #[cfg(CONFIG_NF_CONNTRACK)]
        let places = places.chain(hooks().map(at(Task::Confirm)));
        places
    }

    /// Whether `program` needs a function here.
    pub(super) fn is_needed(self, program: &Program) -> bool {
        self.task.is_needed(program, self.family, self.hook)
    }
}

/// A function of ours that netfilter calls.
///
/// # Invariants
///
/// The ops are registered in the namespace until `unregister` is called.
struct Registration {
    place: Place,
    ops: KBox<Opaque<bindings::nf_hook_ops>>,
}

/// The hooks of one namespace: one registration a (family, hook), so that the packet is parsed once
/// for all tables, and only those where rules want packets, so that the others cost nothing.
#[derive(Default)]
pub(super) struct Hooks([Option<Registration>; Place::COUNT]);

/// Registrations that packets no longer find, though some may still be inside, and listings may
/// read them: to be dropped after a grace period.
#[must_use = "readers may still use it until a grace period has passed"]
pub(super) struct Unregistered {
    _hooks: Hooks,
}

impl Hooks {
    fn has(&self, place: Place) -> bool {
        self.0.iter().flatten().any(|found| found.place == place)
    }

    /// Registers the hooks at which `program` wants packets, as far as they are not among `self`.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// None is registered then.
    ///
    /// # Safety
    ///
    /// `namespace` stays until all of these are unregistered and a grace period has passed.
    pub(super) unsafe fn register_missing(
        &self,
        namespace: &Namespace,
        program: &Program,
    ) -> Result<Self> {
        let mut missing = Self::default();
        let mut places = missing.0.iter_mut();
        for place in Place::all() {
            if !place.is_needed(program) || self.has(place) {
                continue;
            }
            // SAFETY: The caller keeps the namespace.
            match unsafe { register(namespace, place) } {
                Ok(registration) => {
                    if let Some(place) = places.next() {
                        *place = Some(registration);
                    }
                }
                Err(error) => {
                    let undone = missing.unregister(namespace, None);
                    super::rcu::synchronize();
                    drop(undone);
                    return Err(error);
                }
            }
        }
        Ok(missing)
    }

    /// Takes over the registrations of `other`.
    pub(super) fn add(&mut self, other: Self) {
        let mut places = self.0.iter_mut().filter(|place| place.is_none());
        for registration in other.0.into_iter().flatten() {
            // There is a place for every (family, hook), and none of these was registered before.
            if let Some(place) = places.next() {
                *place = Some(registration);
            }
        }
    }

    /// Unregisters the hooks that `needed` does not need. May sleep.
    pub(super) fn unregister(
        &mut self,
        namespace: &Namespace,
        needed: Option<&Program>,
    ) -> Unregistered {
        let mut gone = Self::default();
        for (place, gone) in self.0.iter_mut().zip(&mut gone.0) {
            if let Some(registration) =
                place.take_if(|found| needed.is_none_or(|program| !found.place.is_needed(program)))
            {
                // SAFETY: By the invariants these ops are registered in this namespace.
                unsafe {
                    bindings::nf_unregister_net_hook(namespace.as_ptr(), registration.ops.get())
                };
                *gone = Some(registration);
            }
        }
        Unregistered { _hooks: gone }
    }
}

/// # Safety
///
/// `namespace` stays until this is unregistered and a grace period has passed.
unsafe fn register(namespace: &Namespace, place: Place) -> Result<Registration> {
    let function = match (place.task, place.family) {
        (Task::Judge, Family::V4) => enter::<{ Family::V4 as u8 }>,
        (Task::Judge, Family::V6) => enter::<{ Family::V6 as u8 }>,
        #[cfg(CONFIG_NF_CONNTRACK)]
        (Task::Confirm, _) => confirm,
    };
    let ops = bindings::nf_hook_ops {
        hook: Some(function),
        priv_: core::ptr::from_ref(namespace).cast_mut().cast(),
        pf: place.family as u8,
        hooknum: c_uint::from(place.hook as u8),
        priority: place.task.priority(),
        ..Default::default()
    };
    let ops = KBox::new(Opaque::new(ops), GFP_KERNEL)?;
    // SAFETY: `ops` is on the heap, and is freed only a grace period after it was unregistered;
    // what `enter` relies on, namely the namespace behind `priv_`, the caller vouches for.
    to_result(unsafe { bindings::nf_register_net_hook(namespace.as_ptr(), ops.get()) })?;
    // INVARIANT: The ops have just been registered.
    Ok(Registration { place, ops })
}

/// Netfilter's way in.
///
/// # Safety
///
/// Called by netfilter as a hook function only: `namespace` is the `priv_` of our registration,
/// `skb` a packet of `FAMILY` that this call owns, `state` valid during the call, and the RCU read
/// lock is held.
unsafe extern "C" fn enter<const FAMILY: u8>(
    namespace: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    let family = if FAMILY == Family::V4 as u8 {
        Family::V4
    } else {
        Family::V6
    };
    // SAFETY: The namespace stays for a grace period longer than the registration, and we are in a
    // read-side critical section.
    let namespace = unsafe { &*namespace.cast::<Namespace>() };
    // SAFETY: Netfilter keeps the state on the stack during the call.
    let state = unsafe { &*state };
    // SAFETY: nf_hook() calls hook functions with the RCU read lock held, until they have returned.
    let reader = unsafe { Reader::assume_held() };
    let (Some(skb), Some(hook)) = (NonNull::new(skb), Hook::from_number(state.hook)) else {
        return bindings::NF_ACCEPT;
    };
    let Some(ruleset) = namespace.published(&reader) else {
        return bindings::NF_ACCEPT;
    };

    // SAFETY: The packet is this call's until it returns NF_ACCEPT, NF_DROP or NF_QUEUE, and it has
    // no other way out.
    let packet = unsafe { Packet::new(skb) };
    #[cfg(CONFIG_NF_CONNTRACK)]
    if let Some(tracker) = ruleset.tracker_of(family).filter(|_| hook.tracks()) {
        let by_interface = ruleset.program.has_zones(family);
        match tracker.defragment(&packet, family, hook, state, by_interface) {
            Defragmented::Whole => (),
            Defragmented::Kept => return bindings::NF_STOLEN,
            Defragmented::Damaged => {
                let slot = ruleset.drop_slot(DropReason::MalformedExtensions);
                ruleset.counters.count(slot, packet.len());
                return bindings::NF_DROP;
            }
        }
    }
    let mark = packet.mark();
    let verdict = match judge(ruleset, family, hook, &packet, state, &reader) {
        Verdict::Accept => bindings::NF_ACCEPT,
        Verdict::Queue(target) => queue::verdict(target, family, &packet),
        Verdict::Drop(_) => return bindings::NF_DROP,
        Verdict::Reject(with) => {
            ruleset.senders.send(family, with, &packet, state);
            return bindings::NF_DROP;
        }
    };
    if hook == Hook::LocalOut && packet.mark() != mark {
        reroute(family, &packet, state).unwrap_or(verdict)
    } else {
        verdict
    }
}

/// Netfilter's way in for packets that have come through everything else.
///
/// # Safety
///
/// As for [`enter`].
#[cfg(CONFIG_NF_CONNTRACK)]
unsafe extern "C" fn confirm(
    namespace: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: Netfilter keeps the state on the stack during the call.
    let state = unsafe { &*state };
    let (Some(skb), Some(hook)) = (NonNull::new(skb), Hook::from_number(state.hook)) else {
        return bindings::NF_ACCEPT;
    };
    // SAFETY: The device that the hook is told of stays during the call.
    if hook == Hook::PostRouting && unsafe { bindings::shim_is_vrf(state.out) } {
        // The packet comes again, on its way out of one of the device's interfaces, and may be dropped until then.
        return bindings::NF_ACCEPT;
    }
    // SAFETY: The packet is this call's until it returns.
    let packet = unsafe { Packet::new(skb) };
    let Err(reason) = conntrack::confirm(&packet) else {
        if hook == Hook::LocalIn {
            conntrack::deliver(&packet, state.pf);
        }
        return bindings::NF_ACCEPT;
    };
    // SAFETY: As in `enter`.
    let namespace = unsafe { &*namespace.cast::<Namespace>() };
    // SAFETY: As in `enter`.
    let reader = unsafe { Reader::assume_held() };
    if let Some(ruleset) = namespace.published(&reader) {
        ruleset
            .counters
            .count(ruleset.drop_slot(reason), packet.len());
    }
    bindings::NF_DROP
}

/// Walks the packet through the rules.
#[inline(always)]
fn judge(
    ruleset: &Ruleset,
    family: Family,
    hook: Hook,
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
    reader: &Reader<'_>,
) -> Verdict {
    let counters = &ruleset.counters;
    let seen = Seen {
        packet,
        state,
        #[cfg(CONFIG_NF_CONNTRACK)]
        tracker: ruleset.tracker_of(family),
        #[cfg(CONFIG_NF_CONNTRACK)]
        reader,
    };
    let input = Input {
        hook,
        linear: packet.linear(),
        source: &seen,
        len: packet.len(),
        mark: packet.mark(),
        // Without a rule that has packets traced there is nobody to ask for it.
        traced: ruleset.program.traces(family) && packet.traced(),
        // Nor, without one that asks for connections, to ask for them.
        tracking: if ruleset.program.tracks(family) {
            tracking(packet)
        } else {
            Tracking::Invalid
        },
    };
    let mut effects = Effects {
        ruleset,
        seen: &seen,
        family,
        hook,
        reader,
    };
    let verdict = ruleset.program.evaluate(family, &input, &mut effects);
    if let Verdict::Drop(reason) = verdict {
        counters.count(ruleset.drop_slot(reason), packet.len());
    }
    verdict
}

/// A packet where it is seen.
struct Seen<'a, 'b> {
    packet: &'a Packet<'b>,
    state: &'a bindings::nf_hook_state,
    #[cfg(CONFIG_NF_CONNTRACK)]
    tracker: Option<&'a Tracker>,
    #[cfg(CONFIG_NF_CONNTRACK)]
    reader: &'a Reader<'b>,
}

impl Source for Seen<'_, '_> {
    fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        self.packet.copy(offset, to)
    }

    fn input(&self) -> DeviceName {
        // SAFETY: The devices that a hook is told of stay during the call.
        unsafe { skb::device_name(self.state.in_) }
    }

    fn output(&self) -> DeviceName {
        // SAFETY: As above.
        unsafe { skb::device_name(self.state.out) }
    }

    fn frame(&self) -> Frame {
        metadata::frame(self.packet)
    }

    fn packet_type(&self) -> PacketType {
        metadata::packet_type(self.packet)
    }

    fn input_group(&self) -> Option<u32> {
        // SAFETY: The devices that a hook is told of stay during the call.
        unsafe { metadata::device_group(self.state.in_) }
    }

    fn output_group(&self) -> Option<u32> {
        // SAFETY: As above.
        unsafe { metadata::device_group(self.state.out) }
    }

    fn realm(&self) -> u32 {
        metadata::realm(self.packet)
    }

    fn processor(&self) -> u32 {
        metadata::processor()
    }

    fn in_control_group(&self, group: ControlGroup) -> Option<bool> {
        metadata::in_control_group(self.packet, self.state, group)
    }

    fn class(&self) -> Option<u32> {
        metadata::class(self.packet, self.state)
    }

    fn socket(&self) -> Option<Socket> {
        metadata::socket(self.packet, self.state)
    }

    fn opener_has_group(&self, range: Range<u32>) -> bool {
        metadata::opener_has_group(self.packet, self.state, range)
    }

    fn bridge(&self) -> Option<Bridge> {
        metadata::bridge(self.packet, self.state)
    }

    fn clock(&self) -> Clock {
        clock::now()
    }

    fn address_types(&self, address: IpAddr, interface: Option<Interface>) -> AddressTypes {
        let device = match interface {
            None => core::ptr::null(),
            Some(Interface::Input) => self.state.in_.cast_const(),
            Some(Interface::Output) => self.state.out.cast_const(),
        };
        // SAFETY: The devices that a hook is told of stay during the call.
        unsafe { routes::address_types(self.state.net, address, device) }
    }

    fn looped_back(&self) -> bool {
        // SAFETY: As above.
        unsafe { routes::looped_back(self.packet, self.state.in_) }
    }

    fn way_back(&self, answer: &Answer) -> WayBack {
        // SAFETY: As above.
        unsafe { routes::way_back(self.state.net, self.packet, self.state.in_, answer) }
    }

    fn transform(&self, direction: Direction, index: usize) -> Option<Transform> {
        transforms::transform(self.packet, direction, index)
    }

    fn connection(&self) -> Option<Connection> {
        #[cfg(CONFIG_NF_CONNTRACK)]
        let connection = conntrack::facts(self.packet);
        #[cfg(not(CONFIG_NF_CONNTRACK))]
        let connection = None;
        connection
    }

    fn is_open(&self, flow: &Tuple, zone: u16) -> bool {
        #[cfg(CONFIG_NF_CONNTRACK)]
        let open = self
            .tracker
            .is_some_and(|tracker| tracker.is_open(flow, zone, self.reader));
        #[cfg(not(CONFIG_NF_CONNTRACK))]
        let open = false;
        open
    }

    fn connection_mark(&self) -> Option<u32> {
        #[cfg(CONFIG_NF_CONNTRACK_MARK)]
        let mark = conntrack::mark(self.packet);
        #[cfg(not(CONFIG_NF_CONNTRACK_MARK))]
        let mark = None;
        mark
    }

    fn checksum_known_good(&self, transport: Transport) -> bool {
        metadata::checksum_known_good(self.packet, self.state, transport)
    }

    fn monotonic(&self) -> u64 {
        clock::monotonic()
    }

    fn random(&self) -> u32 {
        // SAFETY: The function has no requirement.
        unsafe { bindings::get_random_u32() }
    }
}

/// What rules do on a packet's way through them.
struct Effects<'a> {
    ruleset: &'a Ruleset,
    seen: &'a Seen<'a, 'a>,
    family: Family,
    hook: Hook,
    reader: &'a Reader<'a>,
}

impl Env for Effects<'_> {
    #[inline]
    fn count(&mut self, slot: u32, bytes: u32) {
        self.ruleset.counters.count(slot as usize, bytes);
    }

    fn effect(&mut self, effect: &Effect) {
        let Seen { packet, state, .. } = self.seen;
        match effect {
            Effect::Log(log) => log::write(log, packet, state),
            Effect::Nflog(nflog) => log::hand(nflog, packet, state),
            #[cfg(CONFIG_AUDIT)]
            Effect::Audit => audit::record(packet, state),
            // No ruleset with it was published.
            #[cfg(not(CONFIG_AUDIT))]
            Effect::Audit => (),
            Effect::Tee(tee) => self.ruleset.duplicators.send(tee, packet, state),
        }
    }

    fn set_mark(&mut self, mark: u32) {
        self.seen.packet.set_mark(mark);
    }

    fn set_traced(&mut self) {
        self.seen.packet.set_traced();
    }

    #[cfg(CONFIG_NF_CONNTRACK)]
    fn track(&mut self, body: &Body<'_>) -> core::result::Result<Tracking, DropReason> {
        match self.ruleset.tracker_of(self.family) {
            Some(tracker) => {
                let count = self.ruleset.program.counts_connections();
                tracker.track(body, self.seen.packet, self.seen.state, self.reader, count)
            }
            None => Ok(Tracking::Invalid),
        }
    }

    // No ruleset that asks for it was published.
    #[cfg(not(CONFIG_NF_CONNTRACK))]
    fn track(&mut self, _: &Body<'_>) -> core::result::Result<Tracking, DropReason> {
        Ok(Tracking::Invalid)
    }

    fn untrack(&mut self) {
        #[cfg(CONFIG_NF_CONNTRACK)]
        conntrack::untrack(self.seen.packet);
    }

    #[cfg(CONFIG_NF_CONNTRACK_MARK)]
    fn set_connection_mark(&mut self, mark: u32) {
        conntrack::set_mark(self.seen.packet, mark);
    }

    // No ruleset that does was published.
    #[cfg(not(CONFIG_NF_CONNTRACK_MARK))]
    fn set_connection_mark(&mut self, _: u32) {}

    fn trace(&mut self, step: &Step<'_>) {
        let seen = self.seen;
        let make = || {
            let length = seen.packet.len();
            let device = |name: DeviceName| Some(name).filter(|name| !name.text().is_empty());
            Trace {
                id: seen.packet.trace_id(),
                family: self.family,
                hook: self.hook,
                table: *step.table,
                chain: *step.chain,
                met: step.met,
                number: step.number,
                next: step.next,
                to: step.to.copied(),
                reason: step
                    .reason
                    .and_then(|reason| Name::new(reason.name().as_bytes())),
                input: device(seen.input()),
                output: device(seen.output()),
                mark: seen.packet.mark(),
                length,
                packet: Head::new(length as usize, |to| seen.copy(0, to)),
            }
        };
        // SAFETY: The namespace is the hook's. Only where rules have packets traced does this run; they
        // hold a use of the module, and so the family, until no packet can meet them any more.
        unsafe { genl::trace::tell(seen.state.net, self.ruleset.generation, make) };
    }
}

/// What a packet is to its connection.
#[inline]
fn tracking(packet: &Packet<'_>) -> Tracking {
    #[cfg(CONFIG_NF_CONNTRACK)]
    let tracking = conntrack::tracking(packet);
    #[cfg(not(CONFIG_NF_CONNTRACK))]
    let tracking = Tracking::Invalid;
    tracking
}

/// Routes a packet of this machine's own anew, after its mark changed: routing may go by marks, and
/// had happened before. The verdict of a packet that can't be routed, if it can't.
#[cold]
#[inline(never)]
fn reroute(family: Family, packet: &Packet<'_>, state: &bindings::nf_hook_state) -> Option<c_uint> {
    let error = match family {
        // SAFETY: Namespace, socket and packet are those of the hook that we are in, which is
        // LOCAL_OUT.
        Family::V4 => unsafe {
            bindings::ip_route_me_harder(
                state.net,
                state.sk,
                packet.as_ptr(),
                bindings::CONST_RTN_UNSPEC,
            )
        },
        #[cfg(CONFIG_IPV6)]
        // SAFETY: As above.
        Family::V6 => unsafe {
            bindings::ip6_route_me_harder(state.net, state.sk, packet.as_ptr())
        },
        #[cfg(not(CONFIG_IPV6))]
        Family::V6 => 0,
    };
    // NF_DROP_ERR(): the sender gets this error instead of EPERM.
    (error < 0).then(|| error.unsigned_abs() << bindings::NF_VERDICT_QBITS | bindings::NF_DROP)
}
