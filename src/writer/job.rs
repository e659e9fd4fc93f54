//! One command on its way through the writer, with the way back to its caller.
//!
//! A job may be decided several times, when its batch is tried again, but it is answered once and only at its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Span;

use crate::database::error::Error;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{Command, Context, Footprint};
use domain::id::OperationId;
use domain::random::Random;
use domain::rejection::{Code, Rejection, Rejections};
use domain::stock::PublicStock;
use domain::world::Tables;

/// How a job ends.
#[derive(Debug, Clone, Copy)]
pub enum JobEnd {
    /// What it decided is committed, or it was refused.
    Committed,
    /// It was not executed.
    NotExecuted,
    /// Nobody knows whether it was committed.
    Unknown,
    /// The database refused what it alone wanted to write.
    Broken,
    /// Twice in a row a value that must be unique was taken by somebody else.
    Taken,
}

/// A command whose kind the writer does not need to know.
pub trait Job: Send {
    /// The rows that it needs.
    fn footprint(&self) -> Footprint;
    /// What its caller is at.
    fn span(&self) -> &Span;
    /// Whether its caller's time is over.
    fn is_late(&self, now: Instant) -> bool;
    /// Decides; what it staged is kept when it is accepted and undone when it is refused or panics.
    fn decide(&mut self, tables: &mut Tables, now: Time, public_stock: PublicStock, random: &mut Random);
    /// Whether it was accepted, also where that changed nothing.
    fn is_accepted(&self) -> bool;
    /// Answers its caller.
    fn answer(self: Box<Self>, end: JobEnd);
}

struct Pending<C: Command> {
    command: C,
    actor: Actor,
    deadline: Instant,
    decided: Option<Result<C::Answer, Error>>,
    reply: oneshot::Sender<Result<C::Answer, Error>>,
    span: Span,
}

/// Where the answer to a command will come.
pub type Answer<C> = oneshot::Receiver<Result<<C as Command>::Answer, Error>>;

/// A job for the queue, and where its answer will come.
pub fn queue_up<C: Command>(command: C, actor: Actor, deadline: Instant) -> (Box<dyn Job>, Answer<C>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Pending { command, actor, deadline, decided: None, reply, span: Span::current() }), answer)
}

impl<C: Command> Job for Pending<C> {
    fn footprint(&self) -> Footprint {
        self.command.footprint()
    }

    fn span(&self) -> &Span {
        &self.span
    }

    fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    fn decide(&mut self, tables: &mut Tables, now: Time, public_stock: PublicStock, random: &mut Random) {
        let operation = OperationId(random.ordered_uuid(now));
        let decide = || {
            let mut context = Context { now, actor: &self.actor, public_stock, operation, random };
            self.command.decide(&mut tables.world(), &mut context)
        };
        // A panic leaves at most staged changes behind, and those are undone below.
        let decided = catch_unwind(AssertUnwindSafe(decide));
        self.decided = Some(match decided {
            Ok(Ok(answer)) => {
                tables.keep();
                Ok(answer)
            }
            Ok(Err(refusal)) => {
                tables.undo();
                Err(Error::Refused(refusal))
            }
            Err(_) => {
                tables.undo();
                Err(Error::Failure(anyhow::anyhow!("a decision panicked: {}", std::any::type_name::<C>())))
            }
        });
    }

    fn is_accepted(&self) -> bool {
        matches!(self.decided, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, end: JobEnd) {
        let answer = match end {
            JobEnd::Committed => self.decided.unwrap_or(Err(Error::Unavailable)),
            JobEnd::NotExecuted => Err(Error::Unavailable),
            JobEnd::Unknown => Err(Error::TimedOut),
            JobEnd::Broken => {
                Err(Error::Failure(anyhow::anyhow!("the database refused {}", std::any::type_name::<C>())))
            }
            JobEnd::Taken => Err(Error::Refused(taken())),
        };
        // A caller that has gone away does not want to know.
        let _ = self.reply.send(answer);
    }
}

fn taken() -> Rejections {
    Rejection::new(Code::AlreadyExists, "Somebody else took this name at the same moment.").into()
}
