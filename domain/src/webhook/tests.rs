//! What becomes of deliveries over time.

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    shortest: Duration::from_secs(5),
    longest: Duration::from_hours(1),
    give_up: Duration::from_hours(72),
};

fn at(seconds: i64) -> Time {
    Time::UNIX_EPOCH + chrono::Duration::seconds(seconds)
}

fn webhook() -> Webhook {
    Webhook {
        id: WebhookId(Uuid::nil()),
        url: "https://shop.example/hooks".to_owned(),
        secret: Secret::new(&mut Random::seeded(1)),
        events: EventKind::ALL.iter().copied().collect(),
        enabled: true,
        disabled_reason: None,
        failing_since: None,
        failures: 0,
        last_failed: None,
        retry_at: at(0),
        resumed_at: at(0),
        leased_until: at(0),
        cursor: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn delivery(number: u128) -> Delivery {
    let (id, thing) = (DeliveryId(Uuid::from_u128(number)), Uuid::from_u128(number));
    Delivery::new(id, WebhookId(Uuid::nil()), EventKind::OrderPaid, thing, "{}".to_owned(), at(0))
}

fn refused() -> Attempt {
    Attempt { response_status: Some(500), error: Some("The answer was 500.".to_owned()) }
}

fn accepted() -> Attempt {
    Attempt { response_status: Some(204), error: None }
}

#[test]
fn a_secret_is_long_and_never_shown() {
    let mut random = Random::seeded(7);
    let (one, other) = (Secret::new(&mut random), Secret::new(&mut random));
    assert_eq!(one.reveal().len(), "whsec_".len() + 64);
    assert_ne!(one, other);
    let webhook = Webhook { secret: one.clone(), ..webhook() };
    assert!(!format!("{webhook:?}").contains(one.reveal()), "{webhook:?}");
}

#[test]
fn pauses_grow_from_seconds_to_an_hour_and_the_webhook_is_switched_off_after_three_days() {
    let (mut webhook, mut delivery) = (webhook(), delivery(1));
    let (mut now, mut pauses) = (at(0), Vec::new());
    let last = loop {
        let recorded = webhook.record(&mut delivery, &refused(), POLICY, now);
        if recorded != Recorded::Failed {
            break recorded;
        }
        assert!(webhook.enabled && delivery.status == DeliveryStatus::Pending);
        pauses.push((delivery.next_attempt_at - now).num_seconds());
        now = delivery.next_attempt_at;
    };
    assert_eq!(pauses[..5], [5, 5, 10, 20, 40]);
    assert_eq!(pauses[pauses.len() - 1], 3_600);
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "{pauses:?}");
    assert_eq!(last, Recorded::SwitchedOff);
    assert!(now >= at(72 * 3_600) && now < at(73 * 3_600), "{now}");
    assert_eq!((webhook.enabled, delivery.status), (false, DeliveryStatus::Failed));
    let reason = webhook.disabled_reason.clone().expect("a reason");
    assert_eq!(reason, "Every attempt since 1970-01-01T00:00:00Z failed. The last one: The answer was 500.");
    assert_eq!(webhook.record(&mut delivery, &accepted(), POLICY, now), Recorded::Nothing, "it is over");

    webhook.enable(now);
    assert_eq!((webhook.enabled, &webhook.disabled_reason, webhook.failing_since), (true, &None, None));
    let mut next = self::delivery(2);
    next.failing_since = Some(at(10));
    assert_eq!(webhook.record(&mut next, &refused(), POLICY, now), Recorded::Failed, "it has three days again");
    assert_eq!(next.next_attempt_at, now + POLICY.shortest);
}

#[test]
fn one_delivery_that_is_never_accepted_is_given_up_alone() {
    let (mut webhook, mut bad) = (webhook(), delivery(1));
    let mut now = at(0);
    loop {
        match webhook.record(&mut bad, &refused(), POLICY, now) {
            Recorded::Failed => {}
            other => {
                assert_eq!(other, Recorded::GivenUp);
                break;
            }
        }
        assert!(!webhook.is_broken(), "one thing does not hold up the others");
        now = bad.next_attempt_at;
        let mut good = delivery(2);
        assert_eq!(webhook.record(&mut good, &accepted(), POLICY, now), Recorded::Delivered);
        assert_eq!((good.status, good.delivered_at), (DeliveryStatus::Delivered, Some(now)));
    }
    assert!(webhook.enabled && bad.status == DeliveryStatus::Failed);
}

#[test]
fn failures_of_many_slow_the_webhook_down_until_one_is_accepted() {
    let mut webhook = webhook();
    for number in 1..=5 {
        assert!(!webhook.is_broken());
        let _ = webhook.record(&mut delivery(number), &refused(), POLICY, at(10));
    }
    assert!(webhook.is_broken());
    assert_eq!(webhook.retry_at, at(15));
    let _ = webhook.record(&mut delivery(1), &refused(), POLICY, at(100));
    assert_eq!(webhook.retry_at, at(190), "as long again as it has been failing");
    let _ = webhook.record(&mut delivery(1), &accepted(), POLICY, at(200));
    assert_eq!((webhook.is_broken(), webhook.failing_since, webhook.resumed_at), (false, None, at(200)));

    // The same one over and over is one failure.
    for _ in 0..20 {
        let _ = webhook.record(&mut delivery(1), &refused(), POLICY, at(300));
    }
    assert_eq!(webhook.failures, 1);
}

#[test]
fn ids_of_one_batch_rise() {
    let ids = delivery_ids(50, &mut Random::seeded(3), at(1));
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn leases_are_for_one_and_end() {
    let webhook = Webhook { leased_until: at(30), ..webhook() };
    let longest = Duration::from_mins(5);
    assert!(!webhook.is_free(at(29), longest) && webhook.is_free(at(30), longest));
    assert!(webhook.is_free(at(-1_000), longest), "a clock was wrong");
}

#[test]
fn a_pause_that_a_wrong_clock_gave_does_not_count() {
    let webhook = Webhook { retry_at: at(3_600), ..webhook() };
    let pauses = |seconds| webhook.pauses(at(seconds), POLICY.longest);
    assert_eq!([pauses(-1), pauses(0), pauses(3_599), pauses(3_600)], [false, true, true, false]);
}
