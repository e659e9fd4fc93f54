//! A token that comes with the handshake of a websocket: it counts, and one that is no good makes nobody a guest.

use std::time::Duration;

use domain::stock::PublicStock;
use onhand::config::Role;
use onhand::server::{SocketLimiter, TransportConfig};
use serde_json::{Value, json};

use crate::support::{Client, Shop, Socket, Wanted, with_tokens};

const STOCK: &str = "subscription($ids: [ID!]!) { stockChanged(productIds: $ids) { total available } }";

/// A socket whose handshake has the token of this client, and which then says hello with this payload.
async fn hello(client: &Client, payload: Value) -> Socket {
    let token = client.authorization.clone().expect("a token");
    let opened = Socket::try_open(&client.url, "graphql-transport-ws", &[("authorization", &token)]).await;
    let mut socket = opened.unwrap_or_else(|refused| panic!("{refused:?}"));
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    socket
}

#[tokio::test]
async fn a_good_one_counts() {
    let shop = Shop::open_public(PublicStock::Capped(10)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let mug = staff.product("MUG", 50).await;
    for payload in [
        json!({}),
        json!({ "Authorization": null }),
        json!({ "authorization": staff.authorization }),
        json!({ "locale": "de" }),
    ] {
        let mut socket = hello(&staff, payload.clone()).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }), "{payload}");
        socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data("1").await["stockChanged"], json!({ "total": 50, "available": 50 }), "{payload}");
    }
    let mut guest = Socket::open(&shop).await;
    guest.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
    assert_eq!(guest.data("1").await["stockChanged"]["available"], 10, "without one it is a guest");
    shop.close().await;
}

#[tokio::test]
async fn a_bad_one_is_refused_at_once_and_two_must_be_of_one_person() {
    let shop = Shop::open_public(PublicStock::Exact).await;
    let ada = shop.signed_in(Role::Customer, "ada").await;
    let bob = shop.signed_in(Role::Customer, "bob").await;
    let expired = shop.expired(Role::Staff, "sam").await.authorization.expect("a token");
    let forged = format!("{}x", ada.authorization.clone().expect("a token"));
    for bad in [&expired, &forged, "Bearer", "Basic YTpi"] {
        let refused = Socket::try_open(&shop.url, "graphql-transport-ws", &[("authorization", bad)]).await;
        let (status, body) = refused.err().unwrap_or_else(|| panic!("{bad:?} was taken"));
        assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")), "{bad:?}");
    }
    let (code, reason) = hello(&ada, json!({ "Authorization": bob.authorization })).await.closed_with().await;
    assert!(code == 4403 && reason.contains("somebody else"), "{code} {reason}");
    assert_eq!(hello(&ada, json!({ "Authorization": "Bearer x" })).await.closed().await, 4403);
    assert_eq!(hello(&ada, json!({ "Authorization": 7 })).await.closed().await, 4403);
    shop.close().await;
}

#[tokio::test]
async fn a_token_is_found_where_clients_put_it_and_none_is_overlooked() {
    let shop = Shop::open_public(PublicStock::Capped(10)).await;
    let staff = shop.signed_in(Role::Staff, "sam").await;
    let other = shop.signed_in(Role::Staff, "eve").await.authorization;
    let mug = staff.product("MUG", 50).await;
    let good = &staff.authorization;
    let hello = async |headers: &[(&'static str, &str)], payload: &Value| {
        let opened = Socket::try_open(&shop.url, "graphql-transport-ws", headers).await;
        let mut socket = opened.unwrap_or_else(|refused| panic!("{payload}: {refused:?}"));
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        socket
    };
    for (payload, available) in [
        (json!({ "Authorization": null, "authorization": good }), 50),
        (json!({ "Authorization": "", "authorization": good }), 50),
        (json!({ "Authorization": good, "authorization": good }), 50),
        (json!({ "headers": { "Authorization": good } }), 50),
        (json!({ "Authorization": good, "authToken": "x" }), 50),
        (json!({ "headers": { "X-Client": "shop" } }), 10),
        (json!({ "headers": null, "token": null, "authToken": "" }), 10),
        (json!({ "Authorization": "" }), 10),
    ] {
        let mut socket = hello(&[("authorization", "")], &payload).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }), "{payload}");
        socket.subscribe("1", STOCK, json!({ "ids": [mug] })).await;
        assert_eq!(socket.data("1").await["stockChanged"]["available"], available, "{payload}");
    }
    for (payload, words) in [
        (json!({ "Authorization": good, "authorization": other }), "two tokens"),
        (json!({ "Authorization": good, "headers": { "authorization": other } }), "two tokens"),
        (json!({ "Authorization": good, "authorization": 7 }), "not good"),
        (json!({ "headers": { "Authorization": "Bearer x" } }), "not good"),
        (json!({ "authToken": good }), "send the token as"),
        (json!({ "token": "x" }), "send the token as"),
        (json!({ "headers": { "accessToken": "x" } }), "send the token as"),
    ] {
        let (code, reason) = hello(&[], &payload).await.closed_with().await;
        assert!(code == 4403 && reason.contains(words), "{payload}: {code} {reason}");
    }
    let guest = Client { authorization: Some(String::new()), ..Client::clone(&shop) };
    assert!(
        guest.ask("{ products { nodes { sku } } }", json!({})).await.get("errors").is_none(),
        "nothing is no token"
    );
    shop.close().await;
}

#[tokio::test]
async fn it_ends_with_its_token_and_counts_for_its_holder() {
    let transport = TransportConfig { client_sockets: SocketLimiter::new(1, 0, None), ..TransportConfig::default() };
    let shop = Shop::open_as(Wanted { access: with_tokens(), transport, ..Wanted::default() }).await;
    let ada = shop.signed_in_for(Role::Customer, "ada", Duration::from_mins(1)).await;
    // No guest may open a socket at this address.
    assert_eq!(Socket::try_open(&shop.url, "graphql-transport-ws", &[]).await.err().expect("refused").0, 429);
    let mut socket = hello(&ada, json!({})).await;
    assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
    let token = ada.authorization.clone().expect("a token");
    let second = Socket::try_open(&shop.url, "graphql-transport-ws", &[("authorization", &token)]).await;
    assert_eq!(second.err().expect("refused").0, 429, "one for each");
    shop.advance(Duration::from_mins(2));
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.closed().await, 4403);
    shop.close().await;
}
