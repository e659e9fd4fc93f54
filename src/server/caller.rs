//! Who sends a request, and whether they may send one more now: the token, the address, and the points of the two.
//!
//! In development nobody is counted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::graphql::Code;

use super::answer_memory::AnswerReservation;
use super::auth::BadToken;
use super::connections::Connection;
use super::operation::Accepted;
use super::person::{self, Person};
use super::rate::TooMuch;
use super::refusal::{refuse, too_much, unauthorized, unavailable};
use super::seats::Seat;
use super::{Identity, Served};

/// Who sends a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who they are.
    pub identity: Identity,
    /// As whom they are counted.
    pub person: Person,
    /// The address that it comes from.
    pub address: IpAddr,
}

impl Served {
    /// The address that something comes from.
    pub fn address(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        person::address(peer, headers, &self.front.wire.proxies)
    }

    /// Who sends this request, when their token is good and they have a point for it. A bad token costs its address one.
    ///
    /// # Errors
    /// The refusal.
    pub fn admit(&self, address: IpAddr, headers: &HeaderMap) -> Result<Caller, Box<Response>> {
        let identity = self.front.gate.admit_headers(headers);
        let person = match &identity {
            Ok(identity) => Person::of(&identity.actor, address),
            Err(BadToken) => Person::guests(address),
        };
        self.begin(&person).map_err(|refused| Box::new(too_much(refused)))?;
        let Ok(identity) = identity else {
            return Err(Box::new(self.bad_token(headers)));
        };
        Ok(Caller { identity, person, address })
    }

    /// The answer to a request whose token is not good, or of which nobody can tell yet whether it is.
    pub fn bad_token(&self, headers: &HeaderMap) -> Response {
        let gate = &self.front.gate;
        if gate.may_read_metrics(headers) {
            return refuse(StatusCode::FORBIDDEN, Code::Forbidden, "This token may read /metrics and nothing else.");
        }
        if gate.lacks_keys() {
            return unavailable(
                "Nobody can tell yet whether this token is good: the keys could not be read. Nothing was executed; try again \
                 soon.",
            );
        }
        unauthorized("This token is not good.")
    }

    /// Takes the point that every request costs.
    ///
    /// # Errors
    /// When there is none left.
    pub fn begin(&self, person: &Person) -> Result<(), TooMuch> {
        if self.front.gate.is_development() { Ok(()) } else { self.front.wire.rates.begin(person) }
    }

    /// Takes what an operation costs besides its point, before it is executed.
    ///
    /// # Errors
    /// When there is less left.
    pub fn go_on(&self, person: &Person, cost: u64) -> Result<(), TooMuch> {
        if self.front.gate.is_development() { Ok(()) } else { self.front.wire.rates.go_on(person, cost) }
    }

    /// Begins an answer to somebody over this connection. In development nobody is counted apart from all others.
    pub fn reservation(&self, person: &Person, connection: &Arc<Connection>) -> AnswerReservation {
        let client = (!self.front.gate.is_development()).then(|| person.clone());
        self.front.wire.answer_memory.begin(client, Arc::clone(connection))
    }

    /// Takes what an operation over HTTP costs besides its point, and the rows of carts that it writes.
    ///
    /// # Errors
    /// When there is less left.
    pub fn charge(&self, caller: &Caller, accepted: &Accepted) -> Result<(), TooMuch> {
        if !self.front.gate.is_development() {
            // First, so that whoever is refused for these has paid no points.
            self.front.wire.rates.write(&caller.person, caller.address, accepted.cart_rows)?;
        }
        self.go_on(&caller.person, accepted.cost)
    }

    /// Takes a seat for a websocket or an event stream; none is needed in development.
    ///
    /// # Errors
    /// When the person has as many as they may: how many that is.
    pub fn seat(&self, person: &Person) -> Result<Option<Seat>, usize> {
        if self.front.gate.is_development() { Ok(None) } else { self.front.wire.seats.take(person).map(Some) }
    }
}
