//! The raw form: which keys there are, and what file, environment and flags say of them.

use super::value::{ConfigError, Content, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A scalar key: it is also an environment variable and a flag.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The path in the file.
    pub name: &'static str,
    /// What a person reads in `--help`.
    pub help: &'static str,
}

impl Key {
    /// `connection.ping` is `REJOIN_CONNECTION_PING`.
    pub fn env(&self) -> String {
        format!(
            "REJOIN_{}",
            self.name.replace('.', "_").to_ascii_uppercase()
        )
    }

    /// `connection.ping` is `connection-ping`, as in `--connection-ping`.
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

/// Every scalar key. The keys of `[[channel]]` are only in files.
pub const KEYS: &[Key] = &[
    Key {
        name: "listen",
        help: "Address and port; port 0 lets the system choose [default: 127.0.0.1:8575]",
    },
    Key {
        name: "pages",
        help: "Directory of the pages to serve [default: those built in]",
    },
    Key {
        name: "shards",
        help: "Threads that serve connections, or auto [default: auto]",
    },
    Key {
        name: "log",
        help: "What is logged: error, warn, info, debug, or a tracing filter [default: info]",
    },
    Key {
        name: "origins",
        help: "Origins whose pages may connect, with commas [default: any loopback]",
    },
    Key {
        name: "connection.ping",
        help: "Between pings [default: 25s]",
    },
    Key {
        name: "connection.grace",
        help: "Silence beyond ping + grace ends a connection [default: 10s]",
    },
    Key {
        name: "connection.retry_window",
        help: "First attempt after a loss: MIN,MAX or auto [default: auto]",
    },
    Key {
        name: "connection.restart_window",
        help: "When clients return after a stop [default: 0s,12s]",
    },
    Key {
        name: "connection.reinit_window",
        help: "When clients return after a reinit [default: 0s,10s]",
    },
    Key {
        name: "connection.hello_timeout",
        help: "From the handshake to hello [default: 5s]",
    },
    Key {
        name: "connection.handshake_timeout",
        help: "For the head of an HTTP request [default: 5s]",
    },
    Key {
        name: "limits.frame",
        help: "Bytes of one frame from a client [default: 1048576]",
    },
    Key {
        name: "limits.channels",
        help: "Subscriptions of one connection [default: 128]",
    },
    Key {
        name: "limits.queue",
        help: "Bytes that wait for a slow client [default: 1048576]",
    },
    Key {
        name: "limits.info",
        help: "Bytes of info [default: 1024]",
    },
    Key {
        name: "limits.nesting",
        help: "Depth of data [default: 64]",
    },
    Key {
        name: "limits.connections",
        help: "Connections; beyond it 503 [default: 90 % of the descriptors allowed]",
    },
];

const CHANNEL_KEYS: &[&str] = &[
    "pattern",
    "history",
    "history_ttl",
    "presence",
    "presence_grace",
];

/// What was said, by key; later sources replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub(super) values: BTreeMap<String, Value>,
    pub(super) channels: Vec<Vec<(String, Value)>>,
}

impl Raw {
    /// Reads a TOML file's text; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError`] with file and line: not TOML, or an unknown key.
    pub fn read_toml(&mut self, path: &str, text: &str) -> Result<(), ConfigError> {
        let file = File { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let message = error
                .message()
                .lines()
                .next()
                .unwrap_or("not TOML")
                .to_owned();
            ConfigError {
                place: file.place(error.span().unwrap_or_default()),
                message,
            }
        })?;
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            if name == "channel" {
                self.read_channels(&file, key.span(), value)?;
            } else if let (DeValue::Table(section), true) = (value.get_ref(), is_section(name)) {
                for (key, value) in section {
                    self.read_scalar(
                        &file,
                        format!("{name}.{}", key.get_ref()),
                        key.span(),
                        value,
                    )?;
                }
            } else {
                self.read_scalar(&file, name.to_owned(), key.span(), value)?;
            }
        }
        Ok(())
    }

    fn read_scalar(
        &mut self,
        file: &File<'_>,
        name: String,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let value = file.value(&name, span, value.get_ref());
        if is_section(&name) {
            return Err(value.wrong(format!("is a section; write [{name}]")));
        }
        if !KEYS.iter().any(|key| key.name == name) {
            let keys = KEYS.iter().map(|key| key.name);
            let known: Vec<&str> = if matches!(value.content, Content::Table) {
                keys.filter_map(|key| key.split_once('.'))
                    .map(|(section, _)| section)
                    .chain(["channel"])
                    .collect()
            } else {
                keys.collect()
            };
            return Err(unknown(&value, known.into_iter().map(str::to_owned)));
        }
        self.values.insert(name, value);
        Ok(())
    }

    fn read_channels(
        &mut self,
        file: &File<'_>,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let wrong = || {
            file.value("channel", span.clone(), value.get_ref())
                .wrong("write [[channel]], once for each pattern")
        };
        let rules = value.get_ref().as_array().ok_or_else(wrong)?;
        for rule in rules.iter() {
            let mut values = Vec::new();
            for (key, value) in rule.get_ref().as_table().ok_or_else(wrong)? {
                let name = key.get_ref().to_string();
                let value = file.value(&format!("channel.{name}"), key.span(), value.get_ref());
                if !CHANNEL_KEYS.contains(&name.as_str()) {
                    return Err(unknown(
                        &value,
                        CHANNEL_KEYS.iter().map(|key| format!("channel.{key}")),
                    ));
                }
                values.push((name, value));
            }
            self.channels.push(values);
        }
        Ok(())
    }

    /// Reads the environment through `get`.
    pub fn read_env(&mut self, get: impl Fn(&str) -> Option<String>) {
        for key in KEYS {
            let name = key.env();
            if let Some(text) = get(&name) {
                self.set(key.name, name, text);
            }
        }
    }

    /// Sets the value of a flag.
    pub fn set_flag(&mut self, key: &str, text: String) {
        self.set(key, format!("--{}", key.replace(['.', '_'], "-")), text);
    }

    fn set(&mut self, key: &str, place: String, text: String) {
        let value = Value {
            place,
            key: key.to_owned(),
            content: Content::Text(text),
        };
        self.values.insert(key.to_owned(), value);
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| {
        key.name
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// A file being read, for naming places in it.
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, span: Range<usize>) -> String {
        let before = self
            .text
            .as_bytes()
            .get(..span.start)
            .unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        format!("{}:{line}", self.path)
    }

    fn value(&self, key: &str, span: Range<usize>, value: &DeValue<'_>) -> Value {
        let content = match value {
            DeValue::Array(items) => items
                .iter()
                .map(|item| scalar(item.get_ref()))
                .collect::<Option<_>>()
                .map(Content::List),
            other => scalar(other).map(Content::Text),
        };
        Value {
            place: self.place(span),
            key: key.to_owned(),
            content: content.unwrap_or(Content::Table),
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn unknown(value: &Value, known: impl Iterator<Item = String>) -> ConfigError {
    let nearest = known.map(|key| (distance(&key, &value.key), key)).min();
    match nearest {
        Some((distance, key)) if distance <= 1 + key.len() / 3 => {
            value.wrong(format!("is not a known key; did you mean {key:?}?"))
        }
        _ => value.wrong("is not a known key"),
    }
}

/// How many letters must be added, dropped or replaced to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
