use rejoin_tests::{Client, Profile, Response, Server, request};
use serde_json::Value;

async fn reinit(server: &Server, headers: &[(&str, &str)]) -> Response {
    request(server.address(), "POST", "/api/reinit", headers, "").await
}

#[tokio::test]
async fn the_operator_on_this_machine_passes() {
    let server = Server::test(1).await;
    let port = server.address().port();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        "localhost".to_owned(),
        format!("[::1]:{port}"),
        "127.8.9.10:80".to_owned(),
    ] {
        let answer = reinit(&server, &[("Host", &host)]).await;
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
        assert!(answer.json()["epoch"].is_string());
    }
    let own = format!("http://localhost:{port}");
    let host = format!("localhost:{port}");
    assert_eq!(
        reinit(&server, &[("Host", &host), ("Origin", &own)])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn nobody_else_does() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    let port = server.address().port();
    let own_host = format!("127.0.0.1:{port}");
    let other_port = "http://127.0.0.1:1";
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("Origin", "https://example.org")],
        vec![("Origin", "null")],
        vec![("Origin", other_port)],
        vec![
            ("Host", &own_host),
            ("Origin", "http://localhost.example.org"),
        ],
        vec![("Host", "example.org")],
        vec![("Host", "localhost.example.org")],
        vec![("Host", "127.0.0.1.example.org")],
        vec![("Host", "10.0.0.1")],
        vec![("Forwarded", "for=192.0.2.1")],
        vec![("X-Forwarded-For", "192.0.2.1")],
        vec![("x-forwarded-host", "example.org")],
        vec![("X-Forwarded-Proto", "https")],
        vec![("X-Real-IP", "192.0.2.1")],
        vec![("Via", "1.1 proxy")],
    ];
    for headers in cases {
        for path in ["/api/reinit", "/api/test/replace"] {
            let answer = request(server.address(), "POST", path, &headers, "").await;
            assert_eq!(answer.status, 403, "{path} {headers:?}: {answer:?}");
            let kind = answer.header("content-type").unwrap_or_default();
            assert!(kind.starts_with("application/problem+json"), "{kind}");
            assert_eq!(answer.json()["status"], 403);
        }
    }
    // No `reinit` came, and the digest still knows the channel.
    bystander.nothing_more().await;
    bystander
        .ping_with(|ping| ping["sum"] == 3_826_002_220_u32)
        .await;
}

#[tokio::test]
async fn reading_changes_nothing() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        for path in [
            "/api/reinit",
            "/api/test/replace",
            "/api/test/drop",
            "/api/test/not-ready",
        ] {
            let answer = request(server.address(), method, path, &[], "").await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert_eq!(answer.header("allow"), Some("POST"), "{method} {path}");
        }
    }
    assert_eq!(server.post("/api/nothing", Value::Null).await.status, 404);
    bystander.nothing_more().await;
}

#[tokio::test]
async fn bad_bodies_are_named() {
    let server = Server::test(1).await;
    for (path, body) in [
        ("/api/test/drop", ""),
        ("/api/test/drop", "session"),
        ("/api/test/drop", r#"{"session":"s"}"#),
        ("/api/test/drop", r#"{"session":1,"channel":"a"}"#),
        ("/api/test/not-ready", r#"{"ms":"soon","retry":1}"#),
        ("/api/test/not-ready", r#"{"ms":-1,"retry":1}"#),
    ] {
        let answer = request(server.address(), "POST", path, &[], body).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert!(answer.json()["detail"].is_string(), "{answer:?}");
    }
    let long = format!(r#"{{"session":"{}","channel":"a"}}"#, "s".repeat(70_000));
    assert_eq!(
        request(server.address(), "POST", "/api/test/drop", &[], &long)
            .await
            .status,
        413
    );
    let unknown = r#"{"session":"nobody","channel":"a"}"#;
    assert_eq!(
        request(server.address(), "POST", "/api/test/drop", &[], unknown)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn without_the_flag_there_are_no_test_hooks() {
    let server = Server::start(Profile::bare()).await;
    for path in ["/api/test/replace", "/api/test/drop", "/api/test/not-ready"] {
        assert_eq!(server.post(path, Value::Null).await.status, 404, "{path}");
    }
    assert_eq!(server.post("/api/reinit", Value::Null).await.status, 200);
}
