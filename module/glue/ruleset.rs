// SPDX-License-Identifier: GPL-2.0
//! A ruleset as it is published to packets, with all that they need in order to follow it.

use super::bindings;
#[cfg(CONFIG_NF_CONNTRACK)]
use super::conntrack::Tracker;
use super::log::{Logger, To};
use super::machine::Here;
use super::percpu::PerCpu;
use super::refusal::Refusal;
use super::reject::Senders;
use super::tee::Duplicators;
use crate::alloc::{AllocError, Arc, KVVec, GFP_KERNEL};
use crate::engine::packet::{DropReason, Family};
use crate::engine::rules::{Counters, Model, Program, Target};

/// Rules of all tables and both families, immutable from its publication on but for the counters.
pub(super) struct Ruleset {
    pub(super) program: Program,
    /// The slots of the program, and after them one for each [`DropReason`].
    pub(super) counters: PerCpu,
    pub(super) senders: Senders,
    pub(super) duplicators: Duplicators,
    #[cfg(CONFIG_NF_CONNTRACK)]
    tracker: Option<Arc<Tracker>>,
    /// The number of these rules.
    pub(super) generation: u64,
    _loggers: [Loggers; Family::ALL.len()],
}

/// The loggers of a family that the rules use.
#[derive(Default)]
struct Loggers {
    log: Option<Logger>,
    listeners: Option<Logger>,
}

impl Ruleset {
    /// Compiles a model, and finds what its matches need of the kernel and its targets of other modules. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// Says which rule is to blame; memory is short; another module can't be loaded.
    #[inline(never)]
    pub(super) fn new(model: &Model, machine: &Here, generation: u64) -> Result<Self, Refusal> {
        let program = Program::compile_for(model, machine)?;
        let counters = PerCpu::new(program.slots().len() + DropReason::COUNT)?;
        let mut ruleset = Self {
            program,
            counters,
            senders: Senders::default(),
            duplicators: Duplicators::default(),
            #[cfg(CONFIG_NF_CONNTRACK)]
            tracker: None,
            generation,
            _loggers: Default::default(),
        };
        ruleset.require(model)?;
        Ok(ruleset)
    }

    /// Whether it asks for connections.
    #[cfg(CONFIG_NF_CONNTRACK)]
    pub(super) fn tracks(&self) -> bool {
        Family::ALL
            .into_iter()
            .any(|family| self.program.tracks(family))
    }

    /// The same, with the connections that it asks for.
    #[cfg(CONFIG_NF_CONNTRACK)]
    pub(super) fn with_tracker(self, tracker: Arc<Tracker>) -> Self {
        Self {
            tracker: Some(tracker),
            ..self
        }
    }

    /// The connections, where rules for the family ask for them.
    #[cfg(CONFIG_NF_CONNTRACK)]
    #[inline]
    pub(super) fn tracker_of(&self, family: Family) -> Option<&Tracker> {
        self.tracker
            .as_deref()
            .filter(|_| self.program.tracks(family))
    }

    /// Finds what its targets need of other modules, loading these where they are not there. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// One of them can't be loaded.
    fn require(&mut self, model: &Model) -> Result<(), Refusal> {
        let rules = model.tables.iter().flat_map(|table| {
            let chains = table.chains.iter();
            chains
                .flat_map(|chain| chain.rules.iter())
                .map(|entry| (table.family, &entry.rule.target))
        });
        for (family, target) in rules {
            match target {
                Target::Reject(_) => {
                    let missing = |error| {
                        Refusal::failed(error, "REJECT needs nf_reject_ipv4 or nf_reject_ipv6")
                    };
                    self.senders.require(family).map_err(missing)?;
                }
                Target::Log(_) | Target::Nflog(_) => {
                    let [v4, v6] = &mut self._loggers;
                    let loggers = if family == Family::V4 { v4 } else { v6 };
                    let (logger, to, missing) = match target {
                        Target::Log(_) => (&mut loggers.log, To::Log, "LOG needs nf_log_syslog"),
                        _ => (
                            &mut loggers.listeners,
                            To::Listeners,
                            "NFLOG needs nfnetlink_log",
                        ),
                    };
                    if logger.is_none() {
                        let missing = |error| Refusal::failed(error, missing);
                        *logger = Some(Logger::get(family, to).map_err(missing)?);
                    }
                }
                Target::Tee(_) => {
                    let missing =
                        |error| Refusal::failed(error, "TEE needs nf_dup_ipv4 or nf_dup_ipv6");
                    self.duplicators.require(family).map_err(missing)?;
                }
                Target::Audit(_) if cfg!(not(CONFIG_AUDIT)) => {
                    return Err(without("AUDIT needs a kernel with CONFIG_AUDIT"));
                }
                Target::Trace if !bindings::CONST_SKB_HAS_TRACE => {
                    return Err(without("TRACE needs a kernel with nf_tables or xt_TRACE"));
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// How many counters there are.
    pub(super) fn slots(&self) -> usize {
        self.program.slots().len() + DropReason::COUNT
    }

    /// The counter of packets dropped for a reason.
    #[inline]
    pub(super) fn drop_slot(&self, reason: DropReason) -> usize {
        self.program.slots().len() + reason as usize
    }
}

/// The refusal of what this kernel was built without.
fn without(what: &str) -> Refusal {
    Refusal::new(bindings::EOPNOTSUPP, what)
}

/// What the counters of a published ruleset have to be added to: the packets before its
/// publication, less those that were zeroed. Belongs to the writer, so that packets write nothing
/// but their CPU's counters.
///
/// Numbers wrap around, here as in all counters: what was zeroed may be more than what was before.
#[derive(Default)]
pub(super) struct Base(KVVec<Counters>);

impl Base {
    /// The counters of `ruleset` as its rules begin with them.
    pub(super) fn beginning(ruleset: &Ruleset) -> Result<Self, AllocError> {
        let mut base = KVVec::with_capacity(ruleset.slots(), GFP_KERNEL)?;
        for slot in ruleset.program.slots() {
            base.push(slot.initial, GFP_KERNEL)?;
        }
        for _ in DropReason::ALL {
            base.push(Counters::default(), GFP_KERNEL)?;
        }
        Ok(Self(base))
    }

    /// Takes over the counters of `old`, the ruleset before, for the rules and policies that were
    /// there already, and the counters of dropped packets. No packet may be counted in it any more.
    pub(super) fn carry(&mut self, new: &Ruleset, base: &Self, old: &Ruleset) {
        for (place, slot) in self.0.iter_mut().zip(new.program.slots()) {
            if let Some(before) = slot.previous {
                *place = base.read(old, before as usize);
            }
        }
        for reason in DropReason::ALL {
            if let Some(place) = self.0.get_mut(new.drop_slot(reason)) {
                *place = base.read(old, old.drop_slot(reason));
            }
        }
    }

    /// What a counter of the ruleset reads.
    pub(super) fn read(&self, ruleset: &Ruleset, slot: usize) -> Counters {
        let base = self.0.get(slot).copied().unwrap_or_default();
        let sum = ruleset.counters.sum(slot);
        Counters {
            packets: base.packets.wrapping_add(sum.packets),
            bytes: base.bytes.wrapping_add(sum.bytes),
        }
    }

    /// Sets a counter that reads `read` to zero. Packets counted since then stay counted.
    pub(super) fn zero(&mut self, slot: usize, read: Counters) {
        if let Some(base) = self.0.get_mut(slot) {
            base.packets = base.packets.wrapping_sub(read.packets);
            base.bytes = base.bytes.wrapping_sub(read.bytes);
        }
    }
}
