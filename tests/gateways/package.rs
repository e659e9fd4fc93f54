//! Stripe's official package for Node drives our stand-in, so that not only we read Stripe's documentation, and signs events
//! that our server must accept.

use std::process::Stdio;

use tokio::process::Command;

use super::{Till, answered};
use crate::support::providers::{StandIn, StripeStandIn};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Node, and the packages of tests/clients: run by `tests/run clients`"]
async fn the_official_package_understands_the_stand_in_and_the_server_understands_it() {
    let till = Till::<StripeStandIn>::open(answered()).await;
    let sale = till.sale("MUG").await;
    let ran = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/stripe-package.mjs"))
        .env("STRIPE_URL", &till.provider.url)
        .env("STRIPE_KEY", StripeStandIn::key())
        .env("WEBHOOK_SECRET", StripeStandIn::webhook_secret())
        .env("SHOP", &till.shop.url)
        .env("ORDER", &sale.order)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = ran.await.expect("node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(till.adds_up(&sale, "by the package").await);
    assert!(till.provider.charges(&sale.order) == 1);
    till.shop.close().await;
}
