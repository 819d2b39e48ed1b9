//! `GET /health`: whether a dial would be welcome.

use super::{Answer, json, origin};
use crate::node::Node;
use hyper::body::Incoming;
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue};
use hyper::{Request, StatusCode};
use serde_json::json as object;

/// When to ask again after an overload, ms.
pub(super) const OVERLOAD_RETRY_MS: u64 = 5000;

pub(super) fn health(node: &Node, request: &Request<Incoming>) -> Answer {
    let body = if let Some(retry) = node.shared.not_ready() {
        object!({"status": "ok", "accepting": false, "why": "not-ready", "retry": retry})
    } else if node.shared.is_full() {
        object!({"status": "ok", "accepting": false, "why": "overload", "retry": OVERLOAD_RETRY_MS})
    } else if !origin::may_connect(request.headers(), &node.config.origins) {
        object!({"status": "ok", "accepting": false, "why": "origin"})
    } else {
        object!({"status": "ok", "accepting": true})
    };
    let mut answer = json(StatusCode::OK, "application/json", &body);
    answer
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}
