use rejoin_tests::{Client, Profile, SUBPROTOCOL, Server, dial_with, request};
use tokio_tungstenite::tungstenite::Error;

async fn status(server: &Server, origin: &str) -> u16 {
    let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Origin", origin)];
    match dial_with(server.address(), &headers).await {
        Ok(_) => 101,
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(other) => panic!("{origin}: {other}"),
    }
}

#[tokio::test]
async fn without_configuration_loopback_passes() {
    let server = Server::test(1).await;
    let mut bystander = Client::connect(&server, "no-origin", &["a"]).await;
    for (origin, expected) in [
        ("http://localhost", 101),
        ("http://localhost:3000", 101),
        ("https://localhost:3000", 101),
        ("http://app.localhost:3000", 101),
        ("http://127.0.0.1:5173", 101),
        ("http://127.1.2.3", 101),
        ("http://[::1]:80", 101),
        ("https://example.org", 403),
        ("http://localhost.example.org", 403),
        ("http://127.0.0.1.example.org", 403),
        ("http://notlocalhost", 403),
        ("http://10.0.0.1", 403),
        ("file://localhost", 403),
        ("null", 403),
        ("nonsense", 403),
    ] {
        assert_eq!(status(&server, origin).await, expected, "{origin}");
    }
    bystander.nothing_more().await;
}

#[tokio::test]
async fn a_page_of_the_servers_own_address_passes() {
    let server = Server::test(1).await;
    let own = [
        ("Host", "10.0.0.7:8575"),
        ("Origin", "http://10.0.0.7:8575"),
    ];
    let health = request(server.address(), "GET", "/health", &own, "").await;
    assert_eq!(health.json()["accepting"], true);
    let named = [
        ("Host", "evil.example:8575"),
        ("Origin", "http://evil.example:8575"),
    ];
    let health = request(server.address(), "GET", "/health", &named, "").await;
    assert_eq!(health.json()["accepting"], false, "a name proves nothing");
}

#[tokio::test]
async fn configured_origins_are_the_only_ones() {
    let profile = Profile::test(1).config("origins = [\"https://example.org\"]\n");
    let server = Server::start(profile).await;
    assert_eq!(status(&server, "https://example.org").await, 101);
    assert_eq!(status(&server, "https://example.com").await, 403);
    assert_eq!(status(&server, "http://example.org").await, 403);
    assert_eq!(
        status(&server, "https://example.org.example.com").await,
        403
    );
    // No page at all: not a browser, and not what this rule is about.
    Client::connect(&server, "native", &[]).await;
}

#[tokio::test]
async fn health_says_so_to_the_page_it_concerns() {
    let server = Server::test(1).await;
    let foreign = [("Origin", "https://example.org")];
    let answer = request(server.address(), "GET", "/health", &foreign, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["accepting"], false);
    assert_eq!(answer.json()["why"], "origin");
    let own = [("Origin", "http://localhost:3000")];
    let answer = request(server.address(), "GET", "/health", &own, "").await;
    assert_eq!(answer.json()["accepting"], true);
}
