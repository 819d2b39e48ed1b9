//! `GET /ws`: from HTTP to a WebSocket.

use super::health::OVERLOAD_RETRY_MS;
use super::tcp::Tcp;
use super::{Answer, origin, problem};
use crate::connection::{self, Accepted};
use crate::node::Node;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rejoin_protocol::SUBPROTOCOL;
use std::rc::Rc;
use tokio::task::spawn_local;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(super) fn upgrade(node: Rc<Node>, mut request: Request<Incoming>) -> Answer {
    let headers = request.headers();
    let Some(key) = key_of(request.method(), headers) else {
        let mut answer = problem(
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket: GET with Upgrade, version 13",
        );
        answer
            .headers_mut()
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        answer
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return answer;
    };
    if !origin::may_connect(headers, &node.config.origins) {
        return problem(
            StatusCode::FORBIDDEN,
            "pages of this origin may not connect; see `origins` in the configuration",
        );
    }
    let counted = if node.shared.is_stopping() {
        None
    } else {
        node.shared.count()
    };
    let Some(counted) = counted else {
        let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(OVERLOAD_RETRY_MS / 1000));
        return answer;
    };
    let accept = derive_accept_key(key.as_bytes());
    let (chosen, problem) = choose(headers);

    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let head = answer.headers_mut();
    head.insert(UPGRADE, HeaderValue::from_static("websocket"));
    head.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        head.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(chosen) = chosen {
        head.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }

    let upgraded = hyper::upgrade::on(&mut request);
    spawn_local(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<Tcp>>() else {
            return;
        };
        let Tcp(stream) = parts.io.into_inner();
        let run = connection::run(
            node,
            stream,
            parts.read_buf.to_vec(),
            Accepted { problem, counted },
        );
        spawn_local(run); // A task of its own, so that what the handshake needed is freed.
    });
    answer
}

/// The key of a request that is a WebSocket handshake.
fn key_of<'h>(method: &Method, headers: &'h HeaderMap) -> Option<&'h str> {
    let is_handshake = method == Method::GET
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
        && headers
            .get(SEC_WEBSOCKET_VERSION)
            .is_some_and(|version| version == "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    // 16 bytes in base 64.
    (is_handshake && key.len() == 24 && key.ends_with("==")).then_some(key)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|each| each.eq_ignore_ascii_case(token))
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Which subprotocol to answer, and why the socket is closed at once all the same: a page cannot read why a handshake failed.
fn choose(headers: &HeaderMap) -> (Option<HeaderValue>, Option<&'static str>) {
    let mut offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).peekable();
    match offered.peek().copied() {
        None => (
            None,
            Some("no subprotocol; this server speaks rejoin.v1.json"),
        ),
        Some(first) => {
            if offered.any(|each| each == SUBPROTOCOL) {
                (Some(HeaderValue::from_static(SUBPROTOCOL)), None)
            } else {
                (
                    HeaderValue::from_str(first).ok(),
                    Some("unknown subprotocol; this server speaks rejoin.v1.json"),
                )
            }
        }
    }
}
