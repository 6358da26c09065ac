// SPDX-License-Identifier: GPL-2.0
//! Hooks of netfilter: registering them, and what happens to a packet in one.

#[cfg(CONFIG_AUDIT)]
use super::audit;
use super::bindings;
use super::clock;
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
use crate::engine::packet::{
    AddressTypes, Answer, Bridge, Clock, ControlGroup, DeviceName, Direction, Family, Frame, Hook,
    Input, Interface, PacketType, Socket, Source, Transform, WayBack,
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

/// Where in the order of netfilter's functions ours stand: where iptables has its filter table.
const PRIORITY: c_int = bindings::nf_ip_hook_priorities_NF_IP_PRI_FILTER;

/// A function of ours that netfilter calls, at one hook for one family.
///
/// # Invariants
///
/// The ops are registered in the namespace until `unregister` is called.
struct Registration {
    family: Family,
    hook: Hook,
    ops: KBox<Opaque<bindings::nf_hook_ops>>,
}

/// The hooks of one namespace: one registration a (family, hook), so that the packet is parsed once
/// for all tables, and only those where rules want packets, so that the others cost nothing.
#[derive(Default)]
pub(super) struct Hooks([Option<Registration>; Family::ALL.len() * Hook::ALL.len()]);

/// Registrations that packets no longer find, though some may still be inside, and listings may
/// read them: to be dropped after a grace period.
#[must_use = "readers may still use it until a grace period has passed"]
pub(super) struct Unregistered {
    _hooks: Hooks,
}

impl Hooks {
    fn has(&self, family: Family, hook: Hook) -> bool {
        self.0
            .iter()
            .flatten()
            .any(|found| found.family == family && found.hook == hook)
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
        for (family, hook) in all() {
            if !program.hooked(family, hook) || self.has(family, hook) {
                continue;
            }
            // SAFETY: The caller keeps the namespace.
            match unsafe { register(namespace, family, hook) } {
                Ok(registration) => {
                    if let Some(place) = places.next() {
                        *place = Some(registration);
                    }
                }
                Err(error) => {
                    let undone = missing.unregister(namespace, |_, _| true);
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

    /// Unregisters the hooks that `which` is true for. May sleep.
    pub(super) fn unregister(
        &mut self,
        namespace: &Namespace,
        which: impl Fn(Family, Hook) -> bool,
    ) -> Unregistered {
        let mut gone = Self::default();
        for (place, gone) in self.0.iter_mut().zip(&mut gone.0) {
            if let Some(registration) = place.take_if(|found| which(found.family, found.hook)) {
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

/// All pairs of family and hook.
fn all() -> impl Iterator<Item = (Family, Hook)> {
    Family::ALL
        .into_iter()
        .flat_map(|family| Hook::ALL.into_iter().map(move |hook| (family, hook)))
}

/// # Safety
///
/// `namespace` stays until this is unregistered and a grace period has passed.
unsafe fn register(namespace: &Namespace, family: Family, hook: Hook) -> Result<Registration> {
    let function = match family {
        Family::V4 => enter::<{ Family::V4 as u8 }>,
        Family::V6 => enter::<{ Family::V6 as u8 }>,
    };
    let ops = bindings::nf_hook_ops {
        hook: Some(function),
        priv_: core::ptr::from_ref(namespace).cast_mut().cast(),
        pf: family as u8,
        hooknum: c_uint::from(hook as u8),
        priority: PRIORITY,
        ..Default::default()
    };
    let ops = KBox::new(Opaque::new(ops), GFP_KERNEL)?;
    // SAFETY: `ops` is on the heap, and is freed only a grace period after it was unregistered;
    // what `enter` relies on, namely the namespace behind `priv_`, the caller vouches for.
    to_result(unsafe { bindings::nf_register_net_hook(namespace.as_ptr(), ops.get()) })?;
    // INVARIANT: The ops have just been registered.
    Ok(Registration { family, hook, ops })
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
    let mark = packet.mark();
    let verdict = match judge(ruleset, family, hook, &packet, state) {
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

/// Walks the packet through the rules.
#[inline(always)]
fn judge(
    ruleset: &Ruleset,
    family: Family,
    hook: Hook,
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
) -> Verdict {
    let counters = &ruleset.counters;
    let seen = Seen { packet, state };
    let input = Input {
        hook,
        linear: packet.linear(),
        source: &seen,
        len: packet.len(),
        mark: packet.mark(),
        // Without a rule that has packets traced there is nobody to ask for it.
        traced: ruleset.program.traces(family) && packet.traced(),
    };
    let mut effects = Effects {
        ruleset,
        seen: &seen,
        family,
        hook,
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

    fn monotonic(&self) -> u64 {
        // SAFETY: The function may be called in any context of a system that is not suspended, which
        // filters no packets.
        let now = unsafe { bindings::ktime_get() };
        // Nanoseconds since the machine started.
        now.unsigned_abs()
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
}

impl Env for Effects<'_> {
    #[inline]
    fn count(&mut self, slot: u32, bytes: u32) {
        self.ruleset.counters.count(slot as usize, bytes);
    }

    fn effect(&mut self, effect: &Effect) {
        let Seen { packet, state } = self.seen;
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
