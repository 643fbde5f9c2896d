//! Arguments in, exit code out; everything else is in the library.

use std::process::ExitCode;

use mono_demo::process::reaper;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == reaper::SUBCOMMAND) {
        return reaper::main(args);
    }
    ExitCode::SUCCESS
}
