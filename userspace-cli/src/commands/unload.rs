// SPDX-License-Identifier: GPL-2.0
//! `unload`

use std::ffi::CString;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::kmod::{delete_module, DeleteModuleFlags};

use oxtables_engine::engine::rules::transaction::{Action, Op};
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi;

use super::{Failure, TRIES};
use crate::netlink::{Connection, Count, Error};

/// How long the module may be held after the rules are gone until that counts as in use.
const PATIENCE: Duration = Duration::from_secs(3);

/// Empties all tables in one transaction, and removes the module.
pub fn unload(keep_module: bool) -> Result<(), Failure> {
    let mut kernel = Connection::open()?;
    let mut tries = 0;
    loop {
        let snapshot = kernel.rules(Count::Without)?;
        let ops: Vec<_> = snapshot
            .model
            .tables
            .iter()
            .map(|table| Op {
                family: table.family,
                table: table.name,
                chain: Name::default(),
                action: Action::DeleteTable,
            })
            .collect();
        if ops.is_empty() {
            break;
        }
        match kernel.commit(ops, Some(snapshot.generation)) {
            Err(Error::Changed) if tries < TRIES => tries += 1,
            result => {
                result?;
                break;
            }
        }
    }
    // An open dump or transaction would hold the module.
    drop(kernel);
    if keep_module {
        return Ok(());
    }
    remove_module().map_err(|errno| {
        Failure::Other(match errno {
            Errno::EAGAIN | Errno::EBUSY => {
                "the module is still in use: another network namespace has rules, or a program is \
                 talking to it; the rules of this namespace are gone"
                    .to_owned()
            }
            Errno::EPERM => {
                "not permitted: removing a module needs root (CAP_SYS_MODULE); the rules \
                             are gone"
                    .to_owned()
            }
            other => format!("the module can't be removed: {}", other.desc()),
        })
    })
}

/// Removes the module, as soon as nothing holds it any more.
fn remove_module() -> Result<(), Errno> {
    // The name has no zero byte, so this is never empty.
    let name = CString::new(uapi::FAMILY).unwrap_or_default();
    let start = Instant::now();
    loop {
        match delete_module(&name, DeleteModuleFlags::O_NONBLOCK) {
            // What the last transaction and the socket held is let go of a moment after them.
            Err(Errno::EAGAIN | Errno::EBUSY) if start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}
