//! Faults on purpose, for tests: named points at which the process is held up or ends, calls of the database that fail,
//! and breaches of promises that the checker of the fault programme has to find.
//!
//! All of it is compiled with the feature `faults` only, which tests have and no release has. Without it a point is nothing,
//! and nothing can be planned. It must never decide anything: what holds without it holds with it and no plan.

#[cfg(not(feature = "faults"))]
mod absent;
#[cfg(feature = "faults")]
mod breaches;
#[cfg(feature = "faults")]
mod calls;
#[cfg(feature = "faults")]
mod jumps;
#[cfg(feature = "faults")]
mod plan;
#[cfg(feature = "faults")]
mod points;

#[cfg(not(feature = "faults"))]
pub use absent::{Transaction, breaks, change, database_call, is_other_time, jumped, reach, record, transaction};
#[cfg(feature = "faults")]
pub use breaches::{breaks, change, is_other_time, plan_breach};
#[cfg(feature = "faults")]
pub use calls::{
    FailingCall, Transaction, When, database_call, fail_call, fail_calls, record, record_statements,
    recorded_statements, transaction,
};
#[cfg(feature = "faults")]
pub use jumps::{jumped, plan_jumps};
#[cfg(feature = "faults")]
pub use plan::take;
#[cfg(feature = "faults")]
pub use points::{Hold, hold, reach};

/// Declares an enum whose variants have a name in plans.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in a plan.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

named! {
    /// A place in the code that a plan can name.
    Point {
        /// A request to pay is about to be handed to the writer.
        PayAsked = "pay.asked",
        /// The payment is begun and its units are allocated; the gateway was not called. Key: the order.
        PayBegun = "pay.begun",
        /// The gateway has answered; nothing of it is recorded. Key: the order.
        PayCharged = "pay.charged",
        /// The outcome is committed; nobody was told. Key: the order.
        PaySettled = "pay.settled",
        /// A capture, void or refund is begun; the gateway was not called. Key: the order.
        OperationBegun = "operation.begun",
        /// The gateway has answered to an operation; nothing of it is recorded. Key: the order.
        OperationAnswered = "operation.answered",
        /// The outcome of an operation is committed; nobody was told. Key: the order.
        OperationSettled = "operation.settled",
        /// Recovery has claimed an operation and not asked the gateway yet. Key: the order.
        OperationClaimed = "operation.claimed",
        /// Recovery has claimed a payment and not asked the gateway yet. Key: the order.
        RecoveryClaimed = "recovery.claimed",
        /// Recovery has the gateway's word; nothing of it is recorded. Key: the order.
        RecoveryAnswered = "recovery.answered",
        /// The transaction of a batch has begun.
        WriterBegun = "writer.begun",
        /// The rows of a batch are loaded and locked, and every command has decided.
        WriterDecided = "writer.decided",
        /// The rows of a batch are written; COMMIT was not sent.
        WriterSaved = "writer.saved",
        /// A batch is committed; nobody was told.
        WriterCommitted = "writer.committed",
        /// The outcome of an earlier commit was looked up in vain.
        WriterUnresolved = "writer.unresolved",
        /// A batch is published, and its callers were told.
        WriterAnnounced = "writer.announced",
        /// A socket has taken an operation off the wire and not looked at it.
        SocketReceived = "socket.received",
        /// The operation of a socket is checked and charged; nothing runs yet.
        SocketPrepared = "socket.prepared",
        /// A socket has taken a result, which is not encoded yet.
        SocketTaken = "socket.taken",
        /// A socket has encoded a result and not written it.
        SocketEncoded = "socket.encoded",
        /// The task of a subscription has begun; the schema has not been asked.
        SubscriptionBegun = "subscription.begun",
        /// The resolver of a subscription has begun; nothing is registered or read.
        SubscriptionResolving = "subscription.resolving",
        /// What a subscription has read is about to be yielded; its fields are not resolved. Key: as for the read.
        SubscriptionYielding = "subscription.yielding",
        /// A result of a subscription is put together; nobody can take it yet.
        SubscriptionAnswered = "subscription.answered",
        /// A subscription to stock has registered and not read yet. Key: the first product.
        StockRegistered = "stock.registered",
        /// A subscription to stock has read the present state and not sent it. Key: the first product.
        StockRead = "stock.read",
        /// A subscription to an order has registered and not read yet. Key: the order.
        OrderRegistered = "order.registered",
        /// A subscription to an order has read the present state and not sent it. Key: the order.
        OrderRead = "order.read",
        /// A subscription to the log has registered and not read yet. Key: the first product of its filter.
        LogRegistered = "log.registered",
        /// A subscription to the log has read a page and not sent it. Key: the first product of its filter.
        LogRead = "log.read",
        /// A delivery to a webhook is about to be sent. Key: the order or the product.
        WebhookSending = "webhook.sending",
        /// A webhook has answered; nothing of it is recorded. Key: the order or the product.
        WebhookSent = "webhook.sent",
        /// The feed between replicas has read what changed and not announced it.
        FeedRead = "feed.read",
    }
}

named! {
    /// A promise that is broken on purpose.
    Breach {
        /// Rows are read without a lock and written as if nobody else had changed them since.
        NoLocks = "no-locks",
        /// Rows are locked in any order.
        UnsortedLocks = "unsorted-locks",
        /// What an order no longer holds is released a second time.
        ReleaseTwice = "release-twice",
        /// A commit whose answer was lost is repeated without asking how it ended.
        BlindRetry = "blind-retry",
        /// Some changes of stock are not published.
        LostLastValue = "lost-last-value",
        /// A gateway that does not answer in time is taken for one that declined.
        ReleaseOnTimeout = "release-on-timeout",
        /// A capture or a refund whose outcome is open is repeated under another key.
        NewKey = "new-key",
        /// More is refunded than was asked for.
        RefundTooMuch = "refund-too-much",
        /// A void that nobody has confirmed is taken for done.
        UnconfirmedVoid = "unconfirmed-void",
        /// A delivery to a webhook is sent once, whatever is answered.
        SentOnce = "sent-once",
    }
}
