//! Static pages: from a directory, or built into the binary.

use super::{Answer, problem};
use crate::config::limits::PAGE_BYTES;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response, StatusCode};
use std::io;
use std::path::{Path, PathBuf};

/// Where pages come from.
#[derive(Clone, Debug)]
pub enum Pages {
    /// A directory, read at every request, so that a rebuilt page is seen at once.
    Directory(PathBuf),
    /// Built into the binary: path without leading slash, content.
    BuiltIn(&'static [(&'static str, &'static [u8])]),
}

const NOTHING_BUILT: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Rejoin</title>\n\
<h1>Rejoin is running</h1>\n<p>Its demo pages are not built into this binary. Build them with <code>npm run build</code> and start the \
server again with <code>--pages www/dist</code>, or say <code>npm start</code>, which does both.</p>\n\
<p>The WebSocket is at <code>/ws</code>, and <a href=\"/health\">/health</a> says whether it accepts.</p>\n</html>\n";

/// What was found under a path.
enum Found {
    Page(Bytes, &'static str),
    /// A directory that was asked for without its last slash.
    Directory,
    Nothing,
}

pub(super) async fn page(pages: &Pages, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let Some(parts) = parts(path) else {
        return problem(StatusCode::NOT_FOUND, "there is no such page");
    };
    let found = match pages {
        Pages::Directory(root) => read(root, &parts).await,
        Pages::BuiltIn(files) => Ok(built_in(files, &parts)),
    };
    match found {
        Ok(Found::Page(content, kind)) => respond(content, kind, request),
        Ok(Found::Directory) => redirect(path),
        Ok(Found::Nothing) => problem(StatusCode::NOT_FOUND, "there is no such page"),
        Err(error) => {
            tracing::warn!(path, %error, "a page cannot be read");
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this page cannot be read",
            )
        }
    }
}

/// The parts of a request's path, decoded; the last is empty for a directory. `None` if one could lead elsewhere.
fn parts(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(part).collect()
}

/// One part of a path: no dot files (so no `..`), no separators, no control characters.
fn part(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(rest.next())? * 16 + digit(rest.next())?) as u8
            }
            other => other,
        });
    }
    let part = String::from_utf8(bytes).ok()?;
    let safe = !part.starts_with('.')
        && !part.contains(['/', '\\', ':'])
        && !part.contains(char::is_control);
    safe.then_some(part)
}

async fn read(root: &Path, parts: &[String]) -> io::Result<Found> {
    let mut path = root.to_path_buf();
    path.extend(parts);
    let is_directory = parts.last().is_some_and(String::is_empty);
    if is_directory {
        path.push("index.html");
    }
    let file = match tokio::fs::metadata(&path).await {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename
            ) =>
        {
            return Ok(Found::Nothing);
        }
        Err(error) => return Err(error),
    };
    if file.is_dir() {
        return Ok(if is_directory {
            Found::Nothing
        } else {
            Found::Directory
        });
    }
    // A link may point out of the directory; nothing else can.
    let (root, real) = (
        tokio::fs::canonicalize(root).await?,
        tokio::fs::canonicalize(&path).await?,
    );
    if !file.is_file() || file.len() > PAGE_BYTES || !real.starts_with(root) {
        return Ok(Found::Nothing);
    }
    Ok(Found::Page(
        tokio::fs::read(&real).await?.into(),
        kind_of(&path),
    ))
}

fn built_in(files: &[(&'static str, &'static [u8])], parts: &[String]) -> Found {
    let mut name = parts.join("/");
    if files.is_empty() && name.is_empty() {
        return Found::Page(
            Bytes::from_static(NOTHING_BUILT.as_bytes()),
            "text/html; charset=utf-8",
        );
    }
    if name.is_empty() || name.ends_with('/') {
        name.push_str("index.html");
    }
    match files.iter().find(|(path, _)| *path == name) {
        Some((path, content)) => Found::Page(Bytes::from_static(content), kind_of(Path::new(path))),
        None if files
            .iter()
            .any(|(path, _)| *path == format!("{name}/index.html")) =>
        {
            Found::Directory
        }
        None => Found::Nothing,
    }
}

fn respond(content: Bytes, kind: &'static str, request: &Request<Incoming>) -> Answer {
    let tag = format!("\"{:08x}-{:x}\"", checksum(&content), content.len());
    let unchanged = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|known| {
            known.to_str().is_ok_and(|known| {
                known
                    .split(',')
                    .any(|each| each.trim().trim_start_matches("W/") == tag)
            })
        });
    let mut answer = Response::new(Full::new(if unchanged { Bytes::new() } else { content }));
    if unchanged {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    answer
}

/// To the same path with a slash behind it. It stays on this host: a path that began with two slashes would name another.
fn redirect(path: &str) -> Answer {
    let mut answer = problem(StatusCode::PERMANENT_REDIRECT, "this is a directory");
    let path = path.trim_start_matches('/');
    if let Ok(location) = HeaderValue::try_from(format!("/{path}/")) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// 64-bit FNV-1a: changes when a page does, which is all that a tag must do.
fn checksum(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn kind_of(path: &Path) -> &'static str {
    match path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or("")
    {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        "txt" | "md" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_path_leads_elsewhere() {
        for bad in [
            "/..",
            "/a/../b",
            "/%2e%2e/x",
            "/a%2fb",
            "/.git/config",
            "/a\\b",
            "/c:x",
            "/%00",
            "/%zz",
            "/%ff",
            "a",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
        assert_eq!(parts("/chat/%C3%BC.js").unwrap(), ["chat", "ü.js"]);
        assert_eq!(parts("/").unwrap(), [""]);
        assert_eq!(parts("/chat/").unwrap(), ["chat", ""]);
    }

    proptest! {
        #[test]
        fn joined_parts_stay_below_the_root(path in "/[a.%2e/\\\\]{0,20}") {
            if let Some(parts) = parts(&path) {
                let mut joined = PathBuf::from("/root");
                joined.extend(parts.iter().filter(|part| !part.is_empty()));
                prop_assert!(joined.starts_with("/root"));
                prop_assert!(!joined.components().any(|part| part == std::path::Component::ParentDir));
            }
        }
    }

    #[test]
    fn built_in_pages_are_found_as_a_directory_would_be() {
        const FILES: &[(&str, &[u8])] = &[
            ("index.html", b"i"),
            ("chat/index.html", b"c"),
            ("a.wasm", b"w"),
        ];
        let find = |path: &str| match built_in(FILES, &parts(path).unwrap()) {
            Found::Page(content, kind) => format!("{} {kind}", String::from_utf8_lossy(&content)),
            Found::Directory => "directory".into(),
            Found::Nothing => "nothing".into(),
        };
        assert_eq!(find("/"), "i text/html; charset=utf-8");
        assert_eq!(find("/chat"), "directory");
        assert_eq!(find("/chat/"), "c text/html; charset=utf-8");
        assert_eq!(find("/a.wasm"), "w application/wasm");
        assert_eq!(find("/b"), "nothing");
    }
}
