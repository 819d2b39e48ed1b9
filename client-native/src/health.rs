//! One look at the server's `/health`, after a dial that failed.

use std::time::Duration;

use rejoin_session::{Health, Refusal};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::socket::Target;

/// An answer longer than this is not one of ours.
const ANSWER_MAX: u64 = 16 * 1024;

#[derive(Deserialize)]
struct Answer {
    accepting: bool,
    why: Option<String>,
    #[serde(default)]
    retry: u64,
}

/// What the server says of itself within `timeout`.
pub(crate) async fn probe(target: Target, timeout: Duration) -> Health {
    match tokio::time::timeout(timeout, ask(&target)).await {
        Ok(Ok(answer)) => read(&answer),
        Ok(Err(_)) => Health::Failed,
        Err(_) => Health::Timeout,
    }
}

async fn ask(target: &Target) -> std::io::Result<String> {
    let mut stream = target.connect().await?;
    let authority = target.url.authority().map_or("", |a| a.as_str());
    let request = format!("GET /health HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    if answer.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn read(answer: &str) -> Health {
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('5') {
        return Health::ServerError;
    }
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    let parsed = body.and_then(|body| serde_json::from_str::<Answer>(body).ok());
    match parsed {
        Some(answer) if answer.accepting => Health::Accepting,
        Some(answer) => Health::Refusing {
            why: match answer.why.as_deref() {
                Some("not-ready") => Refusal::NotReady,
                Some("origin") => Refusal::Origin,
                _ => Refusal::Overload,
            },
            retry: answer.retry,
        },
        None => Health::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let ok = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"status\":\"ok\",\"accepting\":true}";
        assert_eq!(read(ok), Health::Accepting);
        let later =
            "HTTP/1.1 200 OK\r\n\r\n{\"accepting\":false,\"why\":\"not-ready\",\"retry\":400}";
        let (why, retry) = (Refusal::NotReady, 400);
        assert_eq!(read(later), Health::Refusing { why, retry });
        assert_eq!(
            read("HTTP/1.1 502 Bad Gateway\r\n\r\n"),
            Health::ServerError
        );
        assert_eq!(read("HTTP/1.1 404 Not Found\r\n\r\nno"), Health::Unknown);
        assert_eq!(read("SSH-2.0"), Health::Unknown);
    }
}
