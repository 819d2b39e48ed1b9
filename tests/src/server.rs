//! The real server as a child process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::{Response, request, within};

/// What the server prints for a person once it accepts connections, before its address.
const LISTENING: &str = "Rejoin is listening on http://";

/// How a server is started: flags and, if not empty, a configuration file.
#[derive(Clone, Debug)]
pub struct Profile {
    flags: Vec<String>,
    config: String,
    listen: SocketAddr,
}

impl Profile {
    /// The test profile of the acceptance scenarios: ping 500 ms, deadline 1,250 ms, windows of a few hundred ms,
    /// a free port, test hooks on, and `shards` threads.
    pub fn test(shards: usize) -> Self {
        let bare = Self::bare();
        bare.flag("--test-hooks")
            .set("--shards", &shards.to_string())
            .set("--connection-ping", "500ms")
            .set("--connection-grace", "750ms")
            .set("--connection-retry-window", "0ms,500ms")
            .set("--connection-restart-window", "0ms,300ms")
            .set("--connection-reinit-window", "0ms,300ms")
    }

    /// Defaults and a free port.
    pub fn bare() -> Self {
        Self {
            flags: Vec::new(),
            config: String::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// Adds a flag without value.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Adds a flag with its value; replaces an earlier value.
    pub fn set(mut self, flag: &str, value: &str) -> Self {
        if let Some(at) = self.flags.iter().position(|known| known == flag) {
            self.flags[at + 1] = value.to_owned();
            return self;
        }
        self.flag(flag).flag(value)
    }

    /// Uses `toml` as the configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.config);
        self
    }

    /// Listens here instead of on a free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }
}

/// A signal to the server process.
#[derive(Clone, Copy, Debug)]
pub enum Signal {
    /// SIGTERM: stop politely.
    Term,
    /// SIGINT: the same, from a terminal.
    Int,
    /// SIGHUP.
    Hup,
    /// SIGUSR1: announce a reinit.
    Usr1,
    /// SIGKILL: no chance to say anything.
    Kill,
    /// SIGSTOP: frozen, sockets stay open.
    Stop,
    /// SIGCONT: go on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Hup => "HUP",
            Self::Usr1 => "USR1",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// A running server. Dropping it kills the process; if the test is failing, its log is printed first.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    profile: Profile,
    log: Arc<Mutex<String>>,
    _config: Option<ConfigFile>,
}

impl Server {
    /// A server with the test profile on `shards` threads.
    pub async fn test(shards: usize) -> Self {
        Self::start(Profile::test(shards)).await
    }

    /// Starts a server and waits until it says that it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(profile: Profile) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let (mut child, config) = spawn(&profile);
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let (told, listening) = oneshot::channel();
        collect(stderr, log.clone(), None);
        collect(stdout, log.clone(), Some(told));
        let address = match within("the server to listen", listening).await {
            Ok(address) => address,
            Err(_) => panic!(
                "the server ended before it listened:\n{}",
                log.lock().expect("no test panics with the log held")
            ),
        };
        Self {
            child,
            address,
            profile,
            log,
            _config: config,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its socket.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Everything it has logged and printed so far.
    pub fn log(&self) -> String {
        self.log
            .lock()
            .expect("no test panics with the log held")
            .clone()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the server still runs");
        // The shell's own `kill`: a bare system has no other.
        let status = StdCommand::new("sh")
            .args(["-c", &format!("kill -{} {id}", signal.name())])
            .status()
            .expect("a shell");
        assert!(status.success(), "kill -{} {id}: {status}", signal.name());
    }

    /// Waits for it to end.
    pub async fn exit(&mut self) -> ExitStatus {
        within("the server to end", self.child.wait())
            .await
            .expect("a child can be waited for")
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// `kill -9`, and a new process on the same port.
    pub async fn kill_and_restart(&mut self) {
        self.signal(Signal::Kill);
        self.exit().await;
        self.start_again().await;
    }

    /// After [`Server::exit`]: a new process with the same profile on the same port.
    pub async fn start_again(&mut self) {
        *self = Self::start(self.profile.clone().listen(self.address)).await;
    }

    /// `POST path` with a JSON body (`Value::Null`: none).
    pub async fn post(&self, path: &str, body: Value) -> Response {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        request(
            self.address,
            "POST",
            path,
            &[("Content-Type", "application/json")],
            &body,
        )
        .await
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Response {
        request(self.address, "GET", path, &[], "").await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}---", self.log());
        }
    }
}

/// How a server refused to start.
#[derive(Debug)]
pub struct Refusal {
    /// Exit code.
    pub code: Option<i32>,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Refusal {
    /// Runs the server with `arguments` alone and waits for its end.
    pub async fn of(arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).kill_on_drop(true);
        let output = within("the server to refuse", command.output())
            .await
            .expect("the server's binary runs");
        Self {
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn spawn(profile: &Profile) -> (Child, Option<ConfigFile>) {
    let config = (!profile.config.is_empty()).then(|| ConfigFile::new(&profile.config));
    let mut command = Command::new(binary());
    if let Some(file) = &config {
        command.arg("--config").arg(&file.0);
    }
    let child = command
        .args(&profile.flags)
        .args(["--listen", &profile.listen.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the server's binary runs");
    (child, config)
}

/// Appends every line of `stream` to `log`; tells the address from the line that names it.
fn collect(
    stream: impl AsyncRead + Unpin + Send + 'static,
    log: Arc<Mutex<String>>,
    mut told: Option<oneshot::Sender<SocketAddr>>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let address = line
                .strip_prefix(LISTENING)
                .and_then(|rest| rest.trim_end_matches('/').parse().ok());
            if let (Some(address), Some(told)) = (address, told.take_if(|_| address.is_some())) {
                let _ = told.send(address);
            }
            let mut log = log.lock().expect("no test panics with the log held");
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// A configuration file that lives as long as its server.
#[derive(Debug)]
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn new(toml: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "rejoin-test-{}-{}.toml",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, toml).expect("the temporary directory can be written");
        Self(path)
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The server's binary: `REJOIN_SERVER_BIN`, or else built beside this test's own binary, once.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("REJOIN_SERVER_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its binary");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("a test lies in target/<profile>/deps");
    let target = profile
        .parent()
        .expect("a profile lies in the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = StdCommand::new(cargo);
    command
        .args(["build", "--quiet", "--package", "rejoin-server", "--bin"])
        .arg("rejoin-server")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "the server does not build: {status}");
    profile.join("rejoin-server")
}
