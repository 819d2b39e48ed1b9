//! Configuration: a TOML file, the environment over it, flags over those; read into a raw form, then checked once.
//!
//! **Invariant:** a [`Config`] is valid. Past [`Config::try_from`] nothing is looked at again.

pub mod limits;
mod raw;
mod value;

pub use raw::{KEYS, Key, Raw};
pub use value::ConfigError;

use rejoin_protocol::Limits;
use rejoin_protocol::reply::Window;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use value::{Value, at_least, boolean, duration, integer, listen, origin, text, window};

/// Everything that can be configured. Durations are exact to a millisecond.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Default `127.0.0.1:8575`; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Directory of the pages; without it those built into the binary are served.
    pub pages: Option<PathBuf>,
    /// Threads that serve connections, 1–64. Default: 1 on one or two cores, else cores − 1.
    pub shards: usize,
    /// What is logged, in the notation of `tracing`. Default `info`.
    pub log: String,
    /// Origins whose pages may connect. Default: none listed, which allows every loopback origin.
    pub origins: Vec<String>,
    /// Whether faults can be made to order by `/api/test/*`. Default: no.
    pub test_hooks: bool,
    /// `[connection]`.
    pub connection: Connection,
    /// `[limits]`, as told to clients.
    pub limits: Limits,
    /// `[limits] connections`: above it upgrades are refused with 503. Default: 90 % of the file descriptors allowed.
    pub connections_max: Option<usize>,
    /// `[[channel]]`, in order: the first pattern that matches.
    pub channels: Vec<ChannelRule>,
}

/// Timing of connections.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Between pings, ± 10 %. Default 25 s. Shorter finds silence sooner and costs a frame each way.
    pub ping: Duration,
    /// Silence beyond `ping + grace` ends a connection. Default 10 s.
    pub grace: Duration,
    /// The first attempt after an unannounced drop. Default: computed from the number of connections.
    pub retry_window: RetryWindow,
    /// When clients come back after a polite stop, ms. Default 0–12 s.
    pub restart_window: Window,
    /// When clients come back after a reinit, ms. Default 0–10 s.
    pub reinit_window: Window,
    /// From the handshake to `hello`. Default 5 s.
    pub hello_timeout: Duration,
    /// For the head of an HTTP request. Default 5 s.
    pub handshake_timeout: Duration,
}

/// The standing retry window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryWindow {
    /// About 1 ms per connection held, from 200 ms to 30 s.
    Auto,
    /// Always this.
    Fixed(Window),
}

impl RetryWindow {
    /// The window to tell while `connections` are held.
    pub fn told(self, connections: usize) -> Window {
        match self {
            Self::Auto => [
                0,
                (connections as u64).clamp(limits::RETRY_MIN_MS, limits::RETRY_MAX_MS),
            ],
            Self::Fixed(window) => window,
        }
    }
}

/// What channels whose name matches a pattern are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRule {
    /// A channel name in which each `*` stands for any run of characters.
    pub pattern: String,
    /// What they are like.
    pub settings: ChannelSettings,
}

/// What a channel is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Messages kept, 0–100,000. Default 1,000. Costs their bytes, at most 64 MiB a channel.
    pub history: usize,
    /// How long they are kept. Default 1 h.
    pub history_ttl: Duration,
    /// Whether members are counted and told. Default: yes.
    pub presence: bool,
    /// How long a lost member stays. Default 15 s.
    pub presence_grace: Duration,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            history: 1000,
            history_ttl: Duration::from_secs(3600),
            presence: true,
            presence_grace: Duration::from_secs(15),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8575)),
            pages: None,
            shards: default_shards(),
            log: "info".into(),
            origins: Vec::new(),
            test_hooks: false,
            connection: Connection::default(),
            limits: Limits {
                publish_window: crate::clock::as_millis(limits::PUBLISH_WINDOW),
                publishes_kept: limits::PUBLISHES_KEPT as u64,
                ..Limits::default()
            },
            connections_max: None,
            channels: Vec::new(),
        }
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(25),
            grace: Duration::from_secs(10),
            retry_window: RetryWindow::Auto,
            restart_window: [0, 12_000],
            reinit_window: [0, 10_000],
            hello_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
        }
    }
}

fn default_shards() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores <= 2 {
        1
    } else {
        (cores - 1).min(crate::broker::ShardSet::MAX)
    }
}

impl Config {
    /// What the channel `name` is like.
    pub fn channel(&self, name: &str) -> &ChannelSettings {
        static DEFAULT: std::sync::LazyLock<ChannelSettings> =
            std::sync::LazyLock::new(ChannelSettings::default);
        let rule = self
            .channels
            .iter()
            .find(|rule| matches(&rule.pattern, name));
        rule.map_or(&DEFAULT, |rule| &rule.settings)
    }
}

/// Whether `name` matches `pattern`, in which `*` stands for any run of characters. Cost: O(length of both) for one `*`.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    true
}

impl TryFrom<Raw> for Config {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (key, value) in &raw.values {
            config.set(key, value)?;
        }
        for rule in &raw.channels {
            config.channels.push(channel_rule(rule)?);
        }
        Ok(config)
    }
}

impl Config {
    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConfigError> {
        let connection = &mut self.connection;
        match key {
            "listen" => self.listen = value.parse(listen)?,
            "pages" => self.pages = Some(value.parse(text)?.into()),
            "shards" => self.shards = value.parse(shards)?,
            "log" => self.log = value.parse(text)?,
            "origins" => self.origins = value.parse_list(origin)?,
            "connection.ping" => connection.ping = value.parse(positive)?,
            "connection.grace" => connection.grace = value.parse(duration)?,
            "connection.retry_window" => connection.retry_window = retry_window(value)?,
            "connection.restart_window" => connection.restart_window = window(value)?,
            "connection.reinit_window" => connection.reinit_window = window(value)?,
            "connection.hello_timeout" => connection.hello_timeout = value.parse(positive)?,
            "connection.handshake_timeout" => {
                connection.handshake_timeout = value.parse(positive)?;
            }
            "limits.frame" => self.limits.frame = value.parse(|t| integer(t, 1024, 64 << 20))?,
            "limits.channels" => self.limits.channels = value.parse(|t| integer(t, 1, 10_000))?,
            "limits.queue" => self.limits.queue = value.parse(|t| integer(t, 64 << 10, 1 << 30))?,
            "limits.info" => self.limits.info = value.parse(|t| integer(t, 2, 64 << 10))?,
            "limits.nesting" => self.limits.nesting = value.parse(|t| integer(t, 1, 1000))?,
            "limits.connections" => {
                self.connections_max = Some(value.parse(|t| integer(t, 1, 10_000_000))? as usize);
            }
            _ => return Err(value.wrong("is not a known key")),
        }
        Ok(())
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    at_least(duration(text)?, Duration::from_millis(10), "10ms")
}

fn shards(text: &str) -> Result<usize, String> {
    if text == "auto" {
        return Ok(default_shards());
    }
    Ok(integer(text, 1, crate::broker::ShardSet::MAX as u64)? as usize)
}

fn retry_window(value: &Value) -> Result<RetryWindow, ConfigError> {
    if value.as_text() == Some("auto") {
        Ok(RetryWindow::Auto)
    } else {
        window(value).map(RetryWindow::Fixed)
    }
}

fn channel_rule(values: &[(String, Value)]) -> Result<ChannelRule, ConfigError> {
    let mut rule = ChannelRule {
        pattern: "*".into(),
        settings: ChannelSettings::default(),
    };
    for (key, value) in values {
        let settings = &mut rule.settings;
        match key.as_str() {
            "pattern" => rule.pattern = value.parse(pattern)?,
            "history" => settings.history = value.parse(|t| integer(t, 0, 100_000))? as usize,
            "history_ttl" => settings.history_ttl = value.parse(positive)?,
            "presence" => settings.presence = value.parse(boolean)?,
            "presence_grace" => settings.presence_grace = value.parse(duration)?,
            _ => return Err(value.wrong("is not a known key")),
        }
    }
    Ok(rule)
}

fn pattern(text: &str) -> Result<String, String> {
    let name = text.replace('*', "x");
    if rejoin_protocol::position::is_channel_name(&name) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} matches no channel name; use A-Z a-z 0-9 _ : . - / and *"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(file: &str) -> Result<Config, String> {
        let mut raw = Raw::default();
        raw.read_toml("rejoin.toml", file)
            .map_err(|error| error.to_string())?;
        Config::try_from(raw).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = load(
            r#"
listen = "0.0.0.0:0"
origins = ["https://example.org"]
[connection]
ping = "500ms"
retry_window = ["0s", "1.5s"]
[limits]
channels = 7
[[channel]]
pattern = "private:*"
history = 0
presence = false
[[channel]]
history_ttl = "2m"
"#,
        )
        .unwrap();
        assert_eq!(config.connection.ping, Duration::from_millis(500));
        assert_eq!(
            config.connection.retry_window,
            RetryWindow::Fixed([0, 1500])
        );
        assert_eq!(config.limits.channels, 7);
        assert_eq!(config.channel("private:a").history, 0);
        assert_eq!(
            config.channel("other").history_ttl,
            Duration::from_secs(120)
        );
    }

    #[test]
    fn mistakes_name_file_line_and_field() {
        let cases = [
            ("listen = 7\n", "rejoin.toml:1: listen: "),
            (
                "\n[connection]\nping = \"abc\"\n",
                "rejoin.toml:3: connection.ping: \"abc\" is not a duration; write for example \"25s\"",
            ),
            (
                "[connection]\nping = 25\n",
                "rejoin.toml:2: connection.ping: \"25\" is not a duration",
            ),
            (
                "[connection]\npign = \"1s\"\n",
                "rejoin.toml:2: connection.pign: is not a known key; did you mean \"connection.ping\"?",
            ),
            (
                "[conection]\nping = \"1s\"\n",
                "rejoin.toml:1: conection: is not a known key; did you mean \"connection\"?",
            ),
            (
                "[[channel]]\n\nhistroy = 1\n",
                "rejoin.toml:3: channel.histroy: is not a known key; did you mean \"channel.history\"?",
            ),
            (
                "[connection]\nretry_window = [\"2s\", \"1s\"]\n",
                "rejoin.toml:2: connection.retry_window: ",
            ),
            ("[channel]\nhistory = 1\n", "rejoin.toml:1: channel: "),
            ("connection = 3\n", "rejoin.toml:1: connection: "),
            ("a = \n", "rejoin.toml:1: "),
        ];
        for (file, expected) in cases {
            let error = load(file).unwrap_err();
            assert!(error.starts_with(expected), "{error}\n{expected}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let mut raw = Raw::default();
        raw.read_toml(
            "f",
            "[connection]\nping = \"1s\"\ngrace = \"1s\"\nhello_timeout = \"1s\"\n",
        )
        .unwrap();
        raw.read_env(|name| match name {
            "REJOIN_CONNECTION_GRACE" | "REJOIN_CONNECTION_PING" => Some("2s".into()),
            _ => None,
        });
        raw.set_flag("connection.ping", "3s".into());
        let connection = Config::try_from(raw).unwrap().connection;
        let seconds = [connection.hello_timeout, connection.grace, connection.ping]
            .map(|each| each.as_secs());
        assert_eq!(seconds, [1, 2, 3]);
        let mut raw = Raw::default();
        raw.set_flag("connection.ping", "never".into());
        assert!(
            Config::try_from(raw)
                .unwrap_err()
                .to_string()
                .starts_with("--connection-ping: connection.ping: ")
        );
    }

    #[test]
    fn every_key_has_a_setter() {
        for key in KEYS {
            let mut raw = Raw::default();
            raw.set_flag(key.name, "?".into());
            let outcome = Config::try_from(raw);
            let known =
                outcome.map_or_else(|error| !error.to_string().contains("known key"), |_| true);
            assert!(known, "{}", key.name);
        }
    }

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a:*", "a:b:c", true),
            ("a:*", "b", false),
            ("*:x", "a:x", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn the_retry_window_grows_with_the_connections() {
        assert_eq!(RetryWindow::Auto.told(3), [0, 200]);
        assert_eq!(RetryWindow::Auto.told(10_000), [0, 10_000]);
        assert_eq!(RetryWindow::Auto.told(1_000_000), [0, 30_000]);
    }

    proptest! {
        #[test]
        fn no_file_panics(text in "\\PC{0,80}", toml in "[a-z.\\[\\]=\"0-9 \n]{0,80}") {
            drop(load(&text));
            drop(load(&toml));
        }

        #[test]
        fn durations_are_read_in_every_unit(number in 0u64..500_000) {
            for (unit, millis) in [("ms", 1), ("s", 1000), ("m", 60_000)] {
                prop_assert_eq!(duration(&format!("{number}{unit}")), Ok(Duration::from_millis(number * millis)));
            }
        }
    }
}
