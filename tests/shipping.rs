//! Orders that leave in parts: several parcels, each with its carrier, until nothing is left; and what is cancelled in between.

use futures_util::future::join_all;
use onhand::config::Role;
use serde_json::{Value, json};

use crate::support::{Client, Shop, Socket, Wanted, codes, paid, with_tokens};

/// What is asked for, and the codes of the refusals with their places in the input.
type Case<'a> = (&'a [(&'a String, i32)], &'a [(&'a str, &'a str)]);

/// A paid order, and the ids of its items.
async fn sold(shop: &Shop, items: &[(&str, i32)]) -> (String, Vec<String>) {
    let order = shop.order(items).await;
    assert_eq!(shop.pay(&order).await, paid("SUCCEEDED", "PAID", &[]));
    let ids = item_ids(shop, &order).await;
    (order, ids)
}

async fn item_ids(client: &Client, order: &str) -> Vec<String> {
    let order = client.read_order(order).await;
    let items = order["items"].as_array().expect("items").iter();
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

fn part(order: &str, items: &[(&String, i32)]) -> Value {
    let items: Value = items.iter().map(|(id, quantity)| json!({ "orderItemId": id, "quantity": quantity })).collect();
    json!({ "orderId": order, "items": items })
}

/// Of each item: allocated, shipped, cancelled.
fn units(order: &Value) -> Vec<(i64, i64, i64)> {
    let count = |item: &Value, name: &str| item[name].as_i64().expect("a count");
    let of = |item: &Value| {
        (count(item, "allocatedQuantity"), count(item, "shippedQuantity"), count(item, "cancelledQuantity"))
    };
    order["items"].as_array().expect("items").iter().map(of).collect()
}

#[tokio::test]
async fn an_order_leaves_in_three_parcels() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    let (order, items) = sold(&shop, &[(&mug, 5), (&cup, 2)]).await;
    let mut socket = Socket::open(&shop).await;
    let follow = "subscription($id: ID!) { orderChanged(id: $id) { shipping shipments { carrier } } }";
    socket.subscribe("order", follow, json!({ "id": order })).await;
    assert_eq!(socket.data("order").await["orderChanged"]["shipping"], "UNFULFILLED");

    let mut first = part(&order, &[(&items[0], 2)]);
    first["carrier"] = json!("DHL");
    first["trackingNumber"] = json!("JD01");
    let shipped = shop.ship_with(first).await["order"].take();
    assert_eq!((&shipped["shipping"], &shipped["status"]), (&json!("PARTIALLY_FULFILLED"), &json!("COMPLETE")));
    assert_eq!(units(&shipped), [(3, 2, 0), (2, 0, 0)]);
    assert_eq!((shop.stock(&mug).await, shop.stock(&cup).await), ((8, 3, 5), (10, 2, 8)));
    let mut second = part(&order, &[(&items[1], 2), (&items[0], 1)]);
    second["carrier"] = json!("UPS");
    let shipped = shop.ship_with(second).await["order"].take();
    assert_eq!(units(&shipped), [(2, 3, 0), (0, 2, 0)]);
    let shipped = shop.ship(&order).await["order"].take();
    assert_eq!((&shipped["shipping"], units(&shipped)), (&json!("FULFILLED"), vec![(0, 5, 0), (0, 2, 0)]));
    let parcel = |carrier: Value, number: Value, items: &[(&str, i32)]| {
        let items: Vec<Value> =
            items.iter().map(|(sku, quantity)| json!({ "quantity": quantity, "orderItem": { "sku": sku } })).collect();
        json!({ "carrier": carrier, "trackingNumber": number, "items": items })
    };
    let mut parcels = shipped["shipments"].clone();
    for shipment in parcels.as_array_mut().expect("shipments") {
        shipment.as_object_mut().expect("a shipment").remove("id");
    }
    let expected = json!([
        parcel(json!("DHL"), json!("JD01"), &[("MUG", 2)]),
        parcel(json!("UPS"), Value::Null, &[("MUG", 1), ("CUP", 2)]),
        parcel(Value::Null, Value::Null, &[("MUG", 2)]),
    ]);
    assert_eq!(parcels, expected);
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 5", "SHIP 2", "SHIP 1", "SHIP 2"]);
    assert_eq!(shop.log(&cup).await, ["CREATE 10", "ALLOCATE 2", "SHIP 2"]);
    assert_eq!(codes(&shop.ship(&order).await), ["INVALID_STATE"]);
    for (shipping, count) in [("PARTIALLY_FULFILLED", 1), ("PARTIALLY_FULFILLED", 2), ("FULFILLED", 3)] {
        let told = socket.data("order").await["orderChanged"].take();
        assert_eq!((&told["shipping"], told["shipments"].as_array().map(Vec::len)), (&json!(shipping), Some(count)));
    }
    shop.close().await;
}

/// What cannot be shipped is refused with the place in the input, and nothing of the call is shipped.
#[tokio::test]
async fn a_parcel_of_what_is_not_there_is_refused_as_a_whole() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    let (order, items) = sold(&shop, &[(&mug, 3), (&cup, 1)]).await;
    let (_, others) = sold(&shop, &[(&mug, 1)]).await;
    let unknown = "orderitem_7zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned();
    let unknown = items[0].split('_').next().map_or(unknown, |kind| format!("{kind}_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
    let (a, b) = (&items[0], &items[1]);
    shop.ship_with(part(&order, &[(b, 1)])).await;
    let cases: [Case<'_>; 8] = [
        (&[(a, 4)], &[("INVALID_QUANTITY", "input.items.0.quantity")]),
        (&[(a, 0)], &[("INVALID_QUANTITY", "input.items.0.quantity")]),
        (&[(a, -1)], &[("INVALID_QUANTITY", "input.items.0.quantity")]),
        (&[(a, 1), (b, 1)], &[("INVALID_QUANTITY", "input.items.1.quantity")]),
        (&[(a, 1), (a, 1)], &[("INVALID_INPUT", "input.items.1.orderItemId")]),
        (&[(a, 1), (&unknown, 1)], &[("NOT_FOUND", "input.items.1.orderItemId")]),
        (
            &[(&others[0], 1), (a, 9)],
            &[("NOT_FOUND", "input.items.0.orderItemId"), ("INVALID_QUANTITY", "input.items.1.quantity")],
        ),
        (&[], &[("INVALID_INPUT", "input.items")]),
    ];
    let before = shop.read_order(&order).await;
    for (items, expected) in cases {
        let answer = shop.ship_with(part(&order, items)).await;
        let errors = answer["userErrors"].as_array().expect("errors").iter().map(|error| {
            let field: Vec<&str> =
                error["field"].as_array().expect("a field").iter().filter_map(Value::as_str).collect();
            (error["code"].as_str().expect("a code").to_owned(), field.join("."))
        });
        let expected: Vec<_> = expected.iter().map(|(code, field)| ((*code).to_owned(), (*field).to_owned())).collect();
        assert_eq!(errors.collect::<Vec<_>>(), expected, "{items:?}");
    }
    assert_eq!(shop.read_order(&order).await, before);
    let query = "mutation($i: ShipOrderInput!) { shipOrder(input: $i) { order { id } } }";
    let many = vec![(a, 1); 101];
    assert_eq!(shop.code(query, json!({ "i": part(&order, &many) })).await, "LIMIT_EXCEEDED");
    assert_eq!(shop.code(query, json!({ "i": part(&order, &[(&mug, 1)]) })).await, "BAD_ID");
    let unpaid = shop.order(&[(&mug, 1)]).await;
    let of_unpaid = item_ids(&shop, &unpaid).await;
    assert_eq!(codes(&shop.ship_with(part(&unpaid, &[(&of_unpaid[0], 1)])).await), ["INVALID_STATE"]);
    shop.close().await;
}

/// A customer cannot; staff cannot for an order that is not there.
#[tokio::test]
async fn parcels_are_for_staff() {
    let shop = Shop::open_as(Wanted { access: with_tokens(), ..Wanted::default() }).await;
    let (staff, ada) = (shop.signed_in(Role::Staff, "sam").await, shop.signed_in(Role::Customer, "ada").await);
    let mug = staff.product("MUG", 5).await;
    let order = ada.order(&[(&mug, 2)]).await;
    ada.pay_sandbox(&order, "succeed").await;
    let input = part(&order, &[(&item_ids(&ada, &order).await[0], 1)]);
    let query = "mutation($i: ShipOrderInput!) { shipOrder(input: $i) { order { id } } }";
    assert_eq!(ada.code(query, json!({ "i": input })).await, "FORBIDDEN");
    assert!(codes(&staff.ship_with(input).await).is_empty());
    assert_eq!(ada.read_order(&order).await["shipping"], "PARTIALLY_FULFILLED", "and is seen by who bought");
    shop.close().await;
}

/// Cancelling frees what has not left; money is not its business, and what has left stays where it is.
#[tokio::test]
async fn cancelling_what_was_partly_shipped_frees_the_rest() {
    let shop = Shop::open().await;
    let (mug, cup) = (shop.product("MUG", 10).await, shop.product("CUP", 10).await);
    let (order, items) = sold(&shop, &[(&mug, 5), (&cup, 2)]).await;
    shop.ship_with(part(&order, &[(&items[0], 2)])).await;
    let cancelled = shop.cancel(&order).await["order"].take();
    assert_eq!(
        (&cancelled["status"], &cancelled["payment"], &cancelled["shipping"]),
        (&json!("CANCELLED"), &json!("PAID"), &json!("PARTIALLY_FULFILLED"))
    );
    assert_eq!(units(&cancelled), [(0, 2, 3), (0, 0, 2)]);
    assert_eq!((shop.stock(&mug).await, shop.stock(&cup).await), ((8, 0, 8), (10, 0, 10)));
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 5", "SHIP 2", "DEALLOCATE 3"]);
    assert_eq!(codes(&shop.ship(&order).await), ["INVALID_STATE"]);
    assert_eq!(codes(&shop.cancel(&order).await), ["INVALID_STATE"]);
    let (whole, _) = sold(&shop, &[(&mug, 1)]).await;
    shop.ship(&whole).await;
    assert_eq!(codes(&shop.cancel(&whole).await), ["INVALID_STATE"], "nothing is left to cancel");
    shop.close().await;
}

/// Units whose product was not managed when they were paid leave without a row, in parts like any other.
#[tokio::test]
async fn what_is_not_counted_leaves_in_parts_without_a_row() {
    let shop = Shop::open().await;
    let (mug, gift) = (shop.product("MUG", 10).await, shop.product("GIFT", 10).await);
    shop.update_product(json!({ "id": gift, "manageStock": false })).await;
    let (order, items) = sold(&shop, &[(&mug, 2), (&gift, 50)]).await;
    shop.update_product(json!({ "id": gift, "manageStock": true })).await;
    shop.update_product(json!({ "id": mug, "manageStock": false })).await;
    let shipped = shop.ship_with(part(&order, &[(&items[1], 20), (&items[0], 1)])).await["order"].take();
    assert_eq!(units(&shipped), [(1, 1, 0), (0, 20, 0)]);
    let shipped = shop.ship(&order).await["order"].take();
    assert_eq!((&shipped["shipping"], units(&shipped)), (&json!("FULFILLED"), vec![(0, 2, 0), (0, 50, 0)]));
    shop.update_product(json!({ "id": mug, "manageStock": true })).await;
    assert_eq!(shop.log(&mug).await, ["CREATE 10", "ALLOCATE 2", "SHIP 1", "SHIP 1"]);
    assert_eq!(shop.log(&gift).await, ["CREATE 10"]);
    shop.close().await;
}

/// The last units leave once, whoever packs them at the same time; a request that is sent again with its key packs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_units_leave_once() {
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 100).await;
    let (order, items) = sold(&shop, &[(&mug, 10)]).await;
    let parcels = join_all((0..8).map(|_| shop.ship_with(part(&order, &[(&items[0], 3)])))).await;
    let accepted = parcels.iter().filter(|parcel| codes(parcel).is_empty()).count();
    let refused = parcels.iter().filter(|parcel| codes(parcel) == ["INVALID_QUANTITY"]).count();
    assert_eq!((accepted, refused), (3, 5), "{parcels:?}");
    assert_eq!(shop.stock(&mug).await, (91, 1, 90));
    let mut again = part(&order, &[(&items[0], 1)]);
    again["idempotencyKey"] = json!("K");
    for _ in 0..2 {
        let shipped = shop.ship_with(again.clone()).await;
        assert_eq!((codes(&shipped), &shipped["order"]["shipping"]), (vec![], &json!("FULFILLED")));
    }
    let mut other = part(&order, &[(&items[0], 2)]);
    other["idempotencyKey"] = json!("K");
    assert_eq!(codes(&shop.ship_with(other).await), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(shop.read_order(&order).await["shipments"].as_array().map(Vec::len), Some(4));
    shop.close().await;
}

/// A shipment that does not say what its items say is a difference.
#[tokio::test]
async fn verify_compares_shipments_with_what_was_shipped() {
    use sea_orm::ConnectionTrait;
    let shop = Shop::open().await;
    let mug = shop.product("MUG", 10).await;
    let (order, items) = sold(&shop, &[(&mug, 5)]).await;
    shop.ship_with(part(&order, &[(&items[0], 2)])).await;
    shop.verify().await;
    for (broken, mended, expected) in [
        (
            "UPDATE shipment_item SET quantity = 3",
            "UPDATE shipment_item SET quantity = 2",
            format!("{order}: {} shipped 2, the shipments have 3", items[0]),
        ),
        (
            "UPDATE \"order\" SET shipping = 'fulfilled'",
            "UPDATE \"order\" SET shipping = 'partially_fulfilled'",
            format!("{order}: is fulfilled, which its items are not"),
        ),
    ] {
        shop.database().execute_unprepared(broken).await.expect(broken);
        let report = onhand::cli::verify::verify(&shop.databases().read, false).await.expect("a report");
        assert!(report.differences.contains(&expected), "{broken}: {:#?}", report.differences);
        shop.database().execute_unprepared(mended).await.expect(mended);
    }
    shop.close().await;
}

/// While replicas of release 0.1 may still run, nothing is written that they cannot read.
#[tokio::test]
async fn nothing_leaves_in_parts_while_servers_are_upgraded() {
    let shop = Shop::open_as(Wanted { compatible: true, ..Wanted::default() }).await;
    let mug = shop.product("MUG", 10).await;
    let (order, items) = sold(&shop, &[(&mug, 5)]).await;
    assert_eq!(codes(&shop.ship_with(part(&order, &[(&items[0], 2)])).await), ["INVALID_STATE"]);
    assert_eq!(shop.stock(&mug).await, (10, 5, 5));
    assert_eq!(shop.ship(&order).await["order"]["shipping"], "FULFILLED");
    shop.close().await;
}
