use std::time::{Duration, Instant};

use rejoin_tests::{Client, Profile, Server, request_bytes};

fn impatient() -> Profile {
    Profile::test(1)
        .set("--connection-hello-timeout", "400ms")
        .set("--connection-handshake-timeout", "400ms")
}

#[tokio::test]
async fn no_hello_in_time() {
    let server = Server::start(impatient()).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    let begun = Instant::now();
    let mut client = Client::dial(&server).await;
    let closed = client.closed().await;
    assert_eq!(closed.code, 4103, "{closed:?}");
    assert!(
        begun.elapsed() >= Duration::from_millis(390),
        "{:?}",
        begun.elapsed()
    );
    bystander.nothing_more().await;
}

#[tokio::test]
async fn a_request_head_that_does_not_end() {
    let server = Server::start(impatient()).await;
    let mut bystander = Client::connect(&server, "bystander", &["a"]).await;
    for head in [
        "",
        "GET /ws HT",
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: web",
    ] {
        let begun = Instant::now();
        let answer = request_bytes(server.address(), head.as_bytes()).await;
        assert!(matches!(answer.status, 408 | 0), "{head:?}: {answer:?}");
        assert!(
            begun.elapsed() >= Duration::from_millis(390),
            "{:?}",
            begun.elapsed()
        );
    }
    bystander.nothing_more().await;
}
