//! The parent of every broker: it ends the broker when the test is gone, whatever ended the test.

fn main() -> std::process::ExitCode {
    // The first argument is the program, the second says that it is to be a reaper.
    mono_demo::process::reaper::main(std::env::args_os().skip(2))
}
