// SPDX-License-Identifier: GPL-2.0
//! `unload`

use nix::errno::Errno;
use nix::kmod::{delete_module, DeleteModuleFlags};

use oxtables_engine::engine::rules::transaction::{Action, Op};
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi;

use super::{Failure, TRIES};
use crate::netlink::{Connection, Count, Error};

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
    // The name has no zero byte, so this is never empty.
    let name = std::ffi::CString::new(uapi::FAMILY).unwrap_or_default();
    delete_module(&name, DeleteModuleFlags::O_NONBLOCK).map_err(|errno| {
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
