//! Runs the command line and turns its answer into an exit code.

/// An event is a few hundred small pieces of memory, and the system's own keeper of them took a seventh of the processor's
/// time.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    interline::cli::run()
}
