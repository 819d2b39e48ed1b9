//! One configured value as text, where it was written, and how texts are read.

use rejoin_protocol::reply::Window;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A mistake in the configuration: one readable line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// File and line, flag or environment variable.
    pub place: String,
    /// The key and what is wrong.
    pub message: String,
}

/// A value as written.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: String,
    pub(super) key: String,
    pub(super) content: Content,
}

/// A scalar, or an array of scalars, as text.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    List(Vec<String>),
    Table,
}

impl Value {
    pub(super) fn wrong(&self, message: impl std::fmt::Display) -> ConfigError {
        ConfigError {
            place: self.place.clone(),
            message: format!("{}: {message}", self.key),
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content {
            Some(text)
        } else {
            None
        }
    }

    pub(super) fn parse<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let text = self
            .as_text()
            .ok_or_else(|| self.wrong("must be a single value"))?;
        parse(text).map_err(|message| self.wrong(message))
    }

    /// An array, or one text with commas.
    pub(super) fn parse_list<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let split = |text: &String| text.split(',').map(|part| part.trim().to_owned()).collect();
        let parts: Vec<String> = match &self.content {
            Content::List(parts) => parts.clone(),
            Content::Text(text) => split(text),
            Content::Table => return Err(self.wrong("must be an array")),
        };
        let items = parts
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| parse(part));
        items
            .collect::<Result<_, _>>()
            .map_err(|message| self.wrong(message))
    }
}

pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".into())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn integer(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = text
        .replace('_', "")
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{text:?} is not a whole number from {min} to {max}"))
}

/// `"25s"`, `"500ms"`, `"1.5m"`, `"1h"`; at most 365 days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write for example \"25s\"");
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_millis = match unit.trim() {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return Err(wrong()),
    };
    let millis = number.parse::<f64>().map_err(|_| wrong())? * unit_millis;
    if millis > 365.0 * 24.0 * 3_600_000.0 {
        return Err(format!("{text:?} is more than 365 days"));
    }
    Ok(Duration::from_millis(millis.round() as u64))
}

pub(super) fn at_least(value: Duration, min: Duration, written: &str) -> Result<Duration, String> {
    if value < min {
        Err(format!("must be at least {written}"))
    } else {
        Ok(value)
    }
}

/// `["0s", "5s"]`, or `0s,5s`.
pub(super) fn window(value: &Value) -> Result<Window, ConfigError> {
    let ends = value.parse_list(duration)?;
    match ends[..] {
        [min, max] if min <= max => Ok([min, max].map(crate::clock::as_millis)),
        [_, _] => Err(value.wrong("the first must not be above the second")),
        _ => Err(value.wrong("is not a window; write for example [\"0s\", \"5s\"]")),
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("{text:?} is not an address; write for example \"127.0.0.1:8575\"");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(wrong)
}

/// An origin as a browser sends it: `https://example.org`, without a path.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not an origin; write for example \"https://example.org\"");
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(wrong)?;
    if host.is_empty() || host.contains(['/', ' ', '@', '*']) {
        Err(wrong())
    } else {
        Ok(text.to_ascii_lowercase())
    }
}
