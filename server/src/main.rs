//! `rejoin-server`: reads the configuration, starts the server, and obeys signals.

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use rejoin_server::config::KEYS;
use rejoin_server::{Config, Pages, Raw, Running, Server};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// A mistake in flags, environment or file.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            print!("{error}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(MISTAKE, &one_line(&error.to_string())),
    };
    let config = match configure(&matches) {
        Ok(config) => config,
        Err(error) => return fail(MISTAKE, &format!("{error:#}")),
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("{error:#}")),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("rejoin-server: {message}");
    ExitCode::from(code)
}

/// What is wrong and the tip, without the usage.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let parts: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    format!(
        "{} (--help lists the flags)",
        parts.join("; ").trim_start_matches("error: ")
    )
}

fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("Configuration file, in TOML [env: REJOIN_CONFIG]");
    let hooks = Arg::new("test-hooks")
        .long("test-hooks")
        .action(ArgAction::SetTrue)
        .help("Lets /api/test/* make faults to order. Never in production");
    let keys = KEYS.iter().map(|key| {
        Arg::new(key.name)
            .long(key.flag())
            .value_name("VALUE")
            .help(format!("{} [env: {}]", key.help, key.env()))
    });
    Command::new("rejoin-server")
        .about("The Rejoin server: live channels that come back by themselves")
        .version(env!("CARGO_PKG_VERSION"))
        .args(
            [config, hooks]
                .into_iter()
                .chain(keys)
                .map(|arg| arg.global(true)),
        )
        .subcommand(
            Command::new("serve").about("Serves; this is what it does without a command too"),
        )
}

fn configure(matches: &ArgMatches) -> anyhow::Result<Config> {
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    let mut raw = Raw::default();
    let path = matches
        .get_one::<String>("config")
        .cloned()
        .or_else(|| std::env::var("REJOIN_CONFIG").ok());
    if let Some(path) = path {
        let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        raw.read_toml(&path, &text)?;
    }
    raw.read_env(|name| std::env::var(name).ok());
    for key in KEYS {
        if let Some(text) = matches.get_one::<String>(key.name) {
            raw.set_flag(key.name, text.clone());
        }
    }
    let mut config = Config::try_from(raw)?;
    config.test_hooks = matches.get_flag("test-hooks");
    if let Some(pages) = &config.pages {
        anyhow::ensure!(
            Path::new(pages).is_dir(),
            "pages: {} is not a directory",
            pages.display()
        );
    }
    EnvFilter::try_new(&config.log)
        .with_context(|| format!("log: {:?} is not a log filter", config.log))?;
    Ok(config)
}

fn serve(config: Config) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let descriptors = raise_descriptors();
    let pages = config
        .pages
        .clone()
        .map_or(Pages::BuiltIn(PAGES), Pages::Directory);
    let hooks = config.test_hooks;
    let shards = config.shards;
    let server = Server::bind(config, pages, descriptors)?;
    tracing::info!(address = %server.address(), shards, descriptors, "listening");
    if hooks {
        tracing::warn!(
            "--test-hooks: this machine can make faults to order; never use it in production"
        );
    }
    // The runtime of this thread only waits for signals; connections have threads of their own.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            // Before anybody is told that the server is there, or an early signal would end it rudely.
            let signals = Signals::new()?;
            let running = server.start()?;
            let mut out = std::io::stdout();
            writeln!(out, "Rejoin is listening on http://{}", running.address())
                .and_then(|()| out.flush())
                .ok();
            signals.obey(running).await;
            anyhow::Ok(())
        })
}

/// The signals that mean something.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reinit: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reinit: signal(SignalKind::user_defined1())?,
        })
    }

    async fn obey(mut self, running: Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hangup.recv() => tracing::info!("SIGHUP: reloading the configuration comes with a later version"),
                _ = self.reinit.recv() => {
                    let epoch = running.reinit().await;
                    tracing::info!(%epoch, "reinit announced");
                }
            }
        }
        tracing::info!("stopping");
        running.stop().await;
    }
}

/// Allows as many open files as the system lets: each connection is one. Returns how many.
fn raise_descriptors() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ); // What was had before is enough to go on.
    let now = getrlimit(Resource::Nofile).current;
    tracing::debug!(before = current, now, "open files allowed");
    now.unwrap_or(u64::MAX)
}
