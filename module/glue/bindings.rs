// SPDX-License-Identifier: GPL-2.0
//! What bindgen made of `module/bindings.h`; see `Kbuild`.
#![allow(clippy::all, missing_docs, non_camel_case_types, non_snake_case, non_upper_case_globals)]
#![allow(dead_code, improper_ctypes, unreachable_pub, unsafe_op_in_unsafe_fn)]
#![allow(clippy::undocumented_unsafe_blocks, clippy::ptr_as_ptr)]

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("OXTABLES_BINDINGS"));
