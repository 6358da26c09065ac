// SPDX-License-Identifier: GPL-2.0
//! Functions of other modules, which are looked up when a ruleset needs them.
//!
//! A dependency on those modules would mean that `insmod oxtables.ko` fails on a machine where nothing else has
//! loaded them.

use super::bindings;
use core::mem::{size_of, transmute_copy};
use core::ptr::NonNull;
use kernel::error::{code::ENOENT, Result};
use kernel::ffi::c_void;
use kernel::str::{CStr, CStrExt as _};

/// A function of another module, which is not unloaded as long as this exists.
///
/// # Invariants
///
/// A reference to the symbol of this name is held, and `function` is what it stands for.
pub(super) struct Symbol<F> {
    name: &'static CStr,
    pub(super) function: F,
}

impl<F> Symbol<F> {
    /// Takes a reference to a symbol, after loading `module` if nothing has it. May sleep.
    ///
    /// # Safety
    ///
    /// `F` is the type of a pointer to the function that has this name.
    pub(super) unsafe fn get(name: &'static CStr, module: &'static CStr) -> Result<Self> {
        const { assert!(size_of::<F>() == size_of::<NonNull<c_void>>()) };
        let find = || {
            // SAFETY: The name ends with a zero byte.
            NonNull::new(unsafe { bindings::__symbol_get(name.as_char_ptr()) })
        };
        let address = find().or_else(|| {
            super::request_module(module);
            find()
        });
        let address = address.ok_or(ENOENT)?;
        // SAFETY: The caller vouches for the type, which is as large as the address.
        let function = unsafe { transmute_copy::<NonNull<c_void>, F>(&address) };
        // INVARIANT: The reference was just taken.
        Ok(Self { name, function })
    }
}

impl<F> Drop for Symbol<F> {
    fn drop(&mut self) {
        // SAFETY: By the invariants a reference is held, which is given back once.
        unsafe { bindings::__symbol_put(self.name.as_char_ptr()) };
    }
}
