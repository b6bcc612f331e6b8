//! The command line: the list of commands, one file each.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::telemetry::printable;

mod bar;
mod cases;
mod check;
mod connect;
mod dead_letters;
mod delete_user;
mod deliveries;
mod demo;
mod destinations;
mod events;
mod explain;
mod files;
mod filters;
mod import;
mod intercom;
mod local;
mod reading;
mod remote;
mod replay;
mod report;
mod sandbox;
mod schema;
mod serve;
mod table;
mod tail;
mod terminal;
mod test;
mod watch;

/// A self-hosted event router: Segment-spec calls in, Intercom actions out, nothing lost.
#[derive(Debug, Parser)]
#[command(name = "interline", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the router.
    Serve(serve::Serve),
    /// Try everything on this machine: the router and a stand-in Intercom, no file or account needed.
    Demo(demo::Demo),
    /// Find every mistake in settings and destination files.
    Check(check::Check),
    /// Run the tests that stand in destination files. Sends nothing.
    Test(test::Test),
    /// Show what one event would become, and the requests it would cause. Sends nothing.
    Explain(explain::Explain),
    /// Bring another product's configuration over as destination files.
    Import(import::Import),
    /// Sign in to a destination, or show whose token it has.
    Connect(connect::Connect),
    /// Perform any action of Intercom by hand.
    Intercom(intercom::Intercom),
    /// Delete a person at every destination and in the queue, and print a receipt.
    DeleteUser(delete_user::DeleteUser),
    /// Watch events and deliveries of a running router as they happen.
    Tail(tail::Tail),
    /// List deliveries of a running router, or show the whole story of one.
    Deliveries(deliveries::Deliveries),
    /// Look at what could not be delivered, attempt it again, or discard it.
    DeadLetters(dead_letters::DeadLetters),
    /// Show how the destinations of a running router stand; pause one, or let it go on.
    Destinations(destinations::Destinations),
    /// Deliver retained events again through the mappings as they are now.
    Replay(replay::Replay),
    /// Run the stand-in Intercom alone.
    Sandbox(sandbox::Sandbox),
    /// Print the JSON Schemas that editors use.
    Schema(schema::Schema),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  interline completions bash > /etc/bash_completion.d/interline")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// How a command ended, when it could run at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// All is well.
    Fine,
    /// It found problems.
    Problems,
}

/// Runs the command line. Exit codes: 0 fine, 1 problems found, 2 could not run.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let styled = terminal::Look::of_stderr().styled;
            let text = if styled { error.render().ansi().to_string() } else { error.render().to_string() };
            complain(text.trim_end());
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    // Fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Connect(command) => command.run(),
        Command::Intercom(command) => command.run(),
        Command::DeleteUser(command) => command.run(),
        Command::Tail(command) => command.run(),
        Command::Deliveries(command) => command.run(),
        Command::DeadLetters(command) => command.run(),
        Command::Destinations(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Sandbox(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "interline", &mut std::io::stdout());
            Ok(Verdict::Fine)
        }
    };
    match ended {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Problems) => ExitCode::from(1),
        Err(error) => {
            complain(format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Prints lines to stdout, whatever stands in them; a reader that has gone away is no error.
fn print(line: impl std::fmt::Display) {
    use std::io::Write;
    let line = printable(&line.to_string(), terminal::Look::of_stdout().styled);
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Prints lines to stderr, whatever stands in them.
fn complain(line: impl std::fmt::Display) {
    eprintln!("{}", printable(&line.to_string(), terminal::Look::of_stderr().styled));
}

/// Asks a person; `None` when nobody is there to answer.
fn confirm(question: &str) -> anyhow::Result<Option<bool>> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(Some(matches!(line.trim().to_lowercase().as_str(), "y" | "yes")))
}

/// SIGTERM and SIGINT, as a service manager or a person at the keyboard sends them.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// From here on these signals do not end the process by themselves.
    fn listen() -> std::io::Result<Stop> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The runtime of commands that talk to the network.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
