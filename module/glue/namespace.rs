// SPDX-License-Identifier: GPL-2.0
//! What a network namespace has: its rules, its hooks, and the one writer at a time that changes
//! them.

use super::bindings;
#[cfg(all(CONFIG_NF_CONNTRACK, CONFIG_SYSCTL))]
use super::conntrack::Sysctl;
#[cfg(CONFIG_NF_CONNTRACK)]
use super::conntrack::Tracker;
use super::hook::{Hooks, Unregistered};
use super::machine::Here;
use super::rcu::{RcuArc, Reader};
use super::refusal::Refusal;
use super::ruleset::{Base, Ruleset};
use super::staging::Staging;
use super::usage::InUse;
use crate::alloc::{AllocError, Arc, KVVec, GFP_KERNEL};
#[cfg(CONFIG_NF_CONNTRACK)]
use crate::engine::conntrack::Settings;
use crate::engine::packet::{DropReason, Family};
use crate::engine::rules::{transaction, Counters, Model, Op, Policy};
use crate::uapi::message::Select;
use kernel::prelude::*;
use kernel::sync::{new_mutex, Mutex, MutexGuard};

/// The state of one network namespace.
#[pin_data]
pub(super) struct Namespace {
    net: *mut bindings::net,
    /// What packets are judged by; nothing before the first commit. The writer has it too.
    published: RcuArc<Ruleset>,
    /// How connections are tracked, once they are.
    #[cfg(CONFIG_NF_CONNTRACK)]
    settings: Arc<Settings>,
    #[pin]
    writer: Mutex<Writer>,
    #[pin]
    staging: Mutex<Staging>,
}

// SAFETY: The pointer to the namespace is only given to functions that may be called on any thread.
unsafe impl Send for Namespace {}
// SAFETY: As above.
unsafe impl Sync for Namespace {}

/// What belongs to whoever changes the rules. Packets know nothing of it, and never wait for its
/// lock.
pub(super) struct Writer {
    /// How many commits there have been.
    generation: u64,
    /// The rules in force, as a person wrote them.
    model: Arc<Model>,
    /// What is published; nothing before the first commit.
    ruleset: Option<Arc<Ruleset>>,
    base: Base,
    /// The settings as files, as long as connections are tracked.
    #[cfg(all(CONFIG_NF_CONNTRACK, CONFIG_SYSCTL))]
    sysctl: Option<Sysctl>,
    /// The connections, from the first rules on that asked for any.
    #[cfg(CONFIG_NF_CONNTRACK)]
    tracker: Option<Arc<Tracker>>,
    hooks: Hooks,
    /// Hooks of a namespace that is going away, kept until no packet is inside.
    leaving: Option<Unregistered>,
    /// Held while there is something that unloading the module would lose.
    in_use: Option<InUse>,
}

impl Namespace {
    /// The state of a new network namespace.
    pub(super) fn new(net: *mut bindings::net) -> impl PinInit<Self, Error> {
        let writer = || -> Result<Writer> {
            Ok(Writer {
                generation: 0,
                model: Arc::new(Model::default(), GFP_KERNEL)?,
                ruleset: None,
                base: Base::default(),
                #[cfg(all(CONFIG_NF_CONNTRACK, CONFIG_SYSCTL))]
                sysctl: None,
                #[cfg(CONFIG_NF_CONNTRACK)]
                tracker: None,
                hooks: Hooks::default(),
                leaving: None,
                in_use: None,
            })
        };
        try_pin_init!(Self {
            net,
            published: RcuArc::empty(),
            #[cfg(CONFIG_NF_CONNTRACK)]
            settings: Arc::new(Settings::default(), GFP_KERNEL)?,
            writer <- new_mutex!(writer()?, "oxtables::writer"),
            staging <- new_mutex!(Staging::default(), "oxtables::staging"),
        })
    }

    /// The namespace as C wants it.
    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.net
    }

    /// What packets are judged by.
    #[inline]
    pub(super) fn published<'a>(&'a self, reader: &'a Reader<'_>) -> Option<&'a Ruleset> {
        self.published.get(reader)
    }

    /// How connections are tracked, once they are. Anybody may change it at any time.
    #[cfg(CONFIG_NF_CONNTRACK)]
    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Waits until nobody else reads or changes the rules other than as packets do. May sleep.
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    /// The transactions that are being collected. May sleep, though never for as long as a commit
    /// takes.
    pub(super) fn staging(&self) -> MutexGuard<'_, Staging> {
        self.staging.lock()
    }

    /// Changes the rules: all operations happen, or none. Packets see the rules before or those
    /// after, never a mixture. May sleep.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and with which rule; the rules in force stay.
    #[inline(never)]
    pub(super) fn commit(&self, writer: &mut Writer, ops: KVVec<Op>) -> Result<(), Refusal> {
        // SAFETY: The namespace's state goes before the namespace does (`Namespaces`).
        let here = unsafe { Here::new(self.net) };
        // All that can fail comes first ...
        // SAFETY: The namespace goes after its state, and the state after its hooks.
        let next = unsafe { writer.prepare(ops, &here, self) }?;
        let (ruleset, mut base) = (next.ruleset, next.base);
        // SAFETY: Namespaces leave their memory only after `leave` and a grace period
        // (`Namespaces`).
        let hooks = unsafe { writer.hooks.register_missing(self, &ruleset.program) }
            .map_err(|error| Refusal::failed(error, "netfilter can't register a hook"))?;

        // ... and from here on nothing does.
        writer.hooks.add(hooks);
        let retired = self.published.replace(Some(ruleset.clone()));
        let unneeded = writer.hooks.unregister(self, Some(&ruleset.program));
        retired.wait();
        drop(unneeded);

        // No packet counts in the old counters any more.
        if let Some(old) = &writer.ruleset {
            base.carry(&ruleset, &writer.base, old);
        }
        writer.base = base;
        writer.model = next.model;
        writer.ruleset = Some(ruleset);
        writer.in_use = next.in_use;
        writer.generation = writer.next_generation();
        Ok(())
    }

    /// Takes the hooks off, because the namespace goes away. A grace period must pass before it may
    /// be dropped. May sleep.
    pub(super) fn leave(&self) {
        let mut writer = self.writer();
        let unregistered = writer.hooks.unregister(self, None);
        writer.leaving = Some(unregistered);
    }
}

/// Whether something would be lost if the rules were: all but empty chains that let everything
/// pass.
fn worth_keeping(model: &Model) -> bool {
    model
        .tables
        .iter()
        .flat_map(|table| table.chains.iter())
        .any(|chain| {
            !chain.rules.is_empty() || chain.base.is_some_and(|base| base.policy != Policy::Accept)
        })
}

/// Whether `select` means the counters of a slot, for all slots in their order: the one of
/// [`Program::slots`](crate::engine::rules::Program::slots).
fn selection<'a>(model: &'a Model, select: &'a Select) -> impl Iterator<Item = bool> + 'a {
    let chains = model
        .tables
        .iter()
        .flat_map(|table| table.chains.iter().map(move |chain| (table, chain)));
    chains.flat_map(move |(table, chain)| {
        let includes =
            move |number| select.includes(table.family, &table.name, &chain.name, number);
        let policy = chain.base.iter().map(move |_| includes(0));
        let rules = (1..)
            .zip(&chain.rules)
            .map(move |(number, _)| includes(number));
        Iterator::chain(policy, rules)
    })
}

/// What a commit publishes, when all that can fail has been done but for registering hooks.
struct Prepared {
    model: Arc<Model>,
    ruleset: Arc<Ruleset>,
    /// With the counters as new rules begin.
    base: Base,
    in_use: Option<InUse>,
}

impl Writer {
    /// Makes what follows on the operations. May sleep.
    ///
    /// # Errors
    ///
    /// See [`Namespace::commit`].
    ///
    /// # Safety
    ///
    /// `namespace` is the one that this is the writer of, and stays as long as its rules.
    #[inline(never)]
    unsafe fn prepare(
        &mut self,
        ops: KVVec<Op>,
        here: &Here,
        namespace: &Namespace,
    ) -> Result<Prepared, Refusal> {
        let model = transaction::apply(&self.model, ops).map_err(|(_, error)| error)?;
        let ruleset = Ruleset::new(&model, here, self.next_generation())?;
        #[cfg(CONFIG_NF_CONNTRACK)]
        let ruleset = if ruleset.tracks() {
            // SAFETY: The caller vouches for it.
            let tracker = unsafe { self.tracker(namespace) }?;
            let tracked = |family| {
                let before = self.ruleset.as_ref();
                before.is_some_and(|before| before.program.tracks(family))
            };
            for family in Family::ALL {
                if ruleset.program.tracks(family) && !tracked(family) {
                    tracker.resume(family);
                }
            }
            ruleset.with_tracker(tracker)
        } else {
            ruleset
        };
        let ruleset = Arc::new(ruleset, GFP_KERNEL)?;
        let base = Base::beginning(&ruleset)?;
        let being_unloaded = |error| Refusal::failed(error, "the module is being unloaded");
        let in_use = worth_keeping(&model)
            .then(InUse::get)
            .transpose()
            .map_err(being_unloaded)?;
        Ok(Prepared {
            model: Arc::new(model, GFP_KERNEL)?,
            ruleset,
            base,
            in_use,
        })
    }

    /// The connections of the namespace, which are tracked from now on.
    ///
    /// # Safety
    ///
    /// See [`Writer::prepare`].
    #[cfg(CONFIG_NF_CONNTRACK)]
    unsafe fn tracker(&mut self, namespace: &Namespace) -> Result<Arc<Tracker>, Refusal> {
        if let Some(tracker) = &self.tracker {
            return Ok(tracker.clone());
        }
        // SAFETY: The caller vouches for it.
        let tracker = unsafe { Tracker::new(namespace.net, namespace.settings.clone()) }?;
        #[cfg(CONFIG_SYSCTL)]
        {
            // SAFETY: As above; the files go before the namespace's state has gone.
            self.sysctl = Some(unsafe { Sysctl::register(namespace.net, &tracker) }?);
        }
        Ok(self.tracker.insert(tracker).clone())
    }

    /// The connections of the namespace, if it ever had rules that ask for any.
    #[cfg(CONFIG_NF_CONNTRACK)]
    pub(super) fn connections(&self) -> Option<Arc<Tracker>> {
        self.tracker.clone()
    }

    /// The number of the rules in force, which grows with every commit.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The number that the next commit gives them.
    pub(super) fn next_generation(&self) -> u64 {
        self.generation.wrapping_add(1)
    }

    /// The rules in force.
    pub(super) fn model(&self) -> Arc<Model> {
        self.model.clone()
    }

    /// Reads all counters, in the order of the model, and sets those to zero that `zero` names. A
    /// packet is either in what was read or still counted afterwards.
    pub(super) fn counters(
        &mut self,
        zero: Option<&Select>,
    ) -> Result<KVVec<Counters>, AllocError> {
        let Some(ruleset) = &self.ruleset else {
            return Ok(KVVec::new());
        };
        let slots = ruleset.program.slots().len();
        let mut counters = KVVec::with_capacity(slots, GFP_KERNEL)?;
        for slot in 0..slots {
            counters.push(self.base.read(ruleset, slot), GFP_KERNEL)?;
        }
        if let Some(select) = zero {
            for (slot, (read, selected)) in counters
                .iter()
                .zip(selection(&self.model, select))
                .enumerate()
            {
                if selected {
                    self.base.zero(slot, *read);
                }
            }
        }
        Ok(counters)
    }

    /// How many packets were dropped for a reason.
    pub(super) fn drops(&self, reason: DropReason) -> u64 {
        self.ruleset.as_ref().map_or(0, |ruleset| {
            self.base.read(ruleset, ruleset.drop_slot(reason)).packets
        })
    }
}
