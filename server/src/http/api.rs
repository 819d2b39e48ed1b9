//! `/api`: for the operator on the same machine, and the test hooks.

use super::{Answer, json, not_allowed, origin, problem};
use crate::config::limits::API_BODY_BYTES;
use crate::node::Node;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json as object;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

pub(super) async fn api(node: Rc<Node>, peer: SocketAddr, request: Request<Incoming>) -> Answer {
    if !is_operator(peer, request.headers()) {
        return problem(
            StatusCode::FORBIDDEN,
            "the API answers this machine's own requests only, and no page of another site",
        );
    }
    let path = request.uri().path().to_owned();
    let hooks = node.config.test_hooks;
    let known = match path.as_str() {
        "/api/reinit" => true,
        "/api/test/replace" | "/api/test/drop" | "/api/test/not-ready" => hooks,
        _ => false,
    };
    if !known {
        return problem(StatusCode::NOT_FOUND, "there is nothing of this name");
    }
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    let body = match read(&node, request).await {
        Ok(body) => body,
        Err(answer) => return *answer,
    };
    match path.as_str() {
        "/api/reinit" => reinit(&node).await,
        "/api/test/replace" => replace(&node).await,
        "/api/test/drop" => drop_subscription(&node, &body).await,
        _ => not_ready(&node, &body),
    }
}

/// A page in the operator's browser, or a proxy on the same machine, is not the operator.
fn is_operator(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::to_str);
    let host = match text(HOST) {
        Some(Ok(host))
            if origin::is_loopback(host) && headers.get_all(HOST).iter().count() == 1 =>
        {
            host
        }
        _ => return false,
    };
    let own_page = match text(ORIGIN) {
        None => true,
        Some(Ok(page)) => {
            origin::authority(page).is_some_and(|page| page.eq_ignore_ascii_case(host))
        }
        Some(Err(_)) => false,
    };
    let forwarded = headers.keys().any(|name| {
        let name = name.as_str();
        name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "via")
    });
    peer.ip().to_canonical().is_loopback() && own_page && !forwarded
}

async fn read(node: &Node, request: Request<Incoming>) -> Result<Vec<u8>, Box<Answer>> {
    let refuse = |status, detail| Err(Box::new(problem(status, detail)));
    let body = Limited::new(request.into_body(), API_BODY_BYTES).collect();
    match timeout(node.config.connection.handshake_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 64 KiB",
        ),
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "the body could not be read"),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    }
}

fn done(body: &serde_json::Value) -> Answer {
    json(StatusCode::OK, "application/json", body)
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Box<Answer>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(problem(StatusCode::BAD_REQUEST, &format!("body: {error}"))))
}

async fn reinit(node: &Rc<Node>) -> Answer {
    let epoch = node.shared.renew_epoch();
    let window = node.config.connection.reinit_window;
    let mut connections = 0;
    for shard in 0..node.config.shards {
        let epoch = epoch.clone();
        connections += node
            .ask(shard, move |node: &Rc<Node>| node.reinit(epoch, window))
            .await;
    }
    tracing::info!(%epoch, connections, "reinit announced");
    done(&object!({"epoch": *epoch, "connections": connections}))
}

async fn replace(node: &Rc<Node>) -> Answer {
    let epoch = node.shared.renew_epoch();
    for shard in 0..node.config.shards {
        let epoch = epoch.clone();
        node.ask(shard, move |node: &Rc<Node>| node.replace(epoch))
            .await;
    }
    tracing::warn!(%epoch, "test hook: the application's state was replaced");
    done(&object!({"epoch": *epoch}))
}

async fn drop_subscription(node: &Rc<Node>, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Wanted {
        session: String,
        channel: String,
    }
    let Wanted { session, channel } = match parse(body) {
        Ok(wanted) => wanted,
        Err(answer) => return *answer,
    };
    for shard in 0..node.config.shards {
        let (wanted, name) = (session.clone(), channel.as_str().into());
        if node
            .ask(shard, move |node: &Rc<Node>| {
                node.drop_subscription(&wanted, &name)
            })
            .await
        {
            tracing::warn!(session, channel, "test hook: a subscription was dropped");
            return done(&object!({"dropped": true}));
        }
    }
    problem(
        StatusCode::NOT_FOUND,
        "this session has no such subscription",
    )
}

fn not_ready(node: &Node, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Wanted {
        ms: u64,
        retry: u64,
    }
    let Wanted { ms, retry } = match parse(body) {
        Ok(wanted) => wanted,
        Err(answer) => return *answer,
    };
    node.shared.set_not_ready(Duration::from_millis(ms), retry);
    tracing::warn!(ms, retry, "test hook: not ready");
    done(&object!({"ms": ms, "retry": retry}))
}
