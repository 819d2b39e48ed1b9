//! HTTP on the same port: the upgrade to a WebSocket, health, the operator's API, static pages.

mod api;
mod health;
mod origin;
pub mod pages;
mod tcp;
mod upgrade;

use crate::config::limits::HTTP_HEAD_BYTES;
use crate::node::Node;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;

type Answer = Response<Full<Bytes>>;

/// Serves one TCP connection until it ends or becomes a WebSocket.
pub async fn serve(node: Rc<Node>, stream: TcpStream, peer: SocketAddr) {
    let stream = Arc::new(stream);
    let io = TokioIo::new(tcp::Tcp(stream.clone()));
    let timeout = node.config.connection.handshake_timeout;
    let service = service_fn(move |request| {
        let node = node.clone();
        async move { Ok::<_, Infallible>(answer(node, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(HTTP_HEAD_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    if connection.await.is_err_and(|error| error.is_timeout()) {
        drop(stream.try_write(
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        ));
    }
}

async fn answer(node: Rc<Node>, peer: SocketAddr, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if path == "/ws" {
        return upgrade::upgrade(node, request);
    }
    if path == "/health" {
        return if is_read(request.method()) {
            health::health(&node, &request)
        } else {
            not_allowed("GET, HEAD")
        };
    }
    if path == "/api" || path.starts_with("/api/") {
        return api::api(node, peer, request).await;
    }
    if !is_read(request.method()) {
        return not_allowed("GET, HEAD");
    }
    pages::page(&node.shared.pages, &request).await
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn not_allowed(allow: &'static str) -> Answer {
    let mut answer = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not for this path",
    );
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// An error as `application/problem+json`.
fn problem(status: StatusCode, detail: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    json(status, "application/problem+json", &body)
}

fn json(status: StatusCode, kind: &'static str, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
