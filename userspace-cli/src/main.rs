// SPDX-License-Identifier: GPL-2.0
//! The `oxtables` command. Exits with 0 when all went well, 1 when something failed, 2 when it was called
//! wrongly.

use std::process::ExitCode;

use clap::Parser;
use oxtables::cli::Cli;
use oxtables::commands;

fn main() -> ExitCode {
    let cli = Cli::parse();
    commands::set_color(cli.global);
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}
