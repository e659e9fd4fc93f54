//! What is remembered of the earlier runs of an import, for all of its lines at once. Keys of lines are forgotten one by one,
//! so what is remembered of some lines must not decide about others.

use uuid::Uuid;

use crate::app::App;
use crate::database::error::Error;
use crate::read::Store;
use crate::writer::retention::KEY_LIFETIME;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{BeginImport, ImportRound};
use domain::payment::KeyId;

use super::plan::SCOPE;

/// The scope of the keys of imports as a whole. A line's key could be the name of another import.
const IMPORTS: &str = "imports";

/// Under which keys the lines of a file are done.
#[derive(Debug)]
pub struct Memory {
    /// What the key of a line has before its number.
    pub prefix: String,
    /// Until when none of the lines is forgotten.
    pub until: Option<Time>,
}

impl Memory {
    /// Begins to remember an import, or goes on with what is remembered.
    ///
    /// # Errors
    /// As for the writer.
    pub async fn begin(app: &App, who: &Actor, id: &str, run: Uuid) -> Result<Self, Error> {
        if let Some(older) = Self::of_older_release(&app.store, id, app.clock.now()).await? {
            return Ok(older);
        }
        let begin = BeginImport { key: key(id), round: run, lifetime: KEY_LIFETIME };
        Ok(Self::of(id, app.writer.submit(who, begin).await?))
    }

    /// What is remembered, for who changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(store: &Store, id: &str, run: Uuid, now: Time) -> Result<Self, Error> {
        if let Some(older) = Self::of_older_release(store, id, now).await? {
            return Ok(older);
        }
        let found = store.keys(IMPORTS, &[id.to_owned()]).await?.pop();
        let going_on = found.map(|record| ImportRound::of(&record, KEY_LIFETIME, now)).transpose()?.flatten();
        Ok(Self::of(id, going_on.unwrap_or(ImportRound { round: run, until: now + KEY_LIFETIME })))
    }

    fn of(id: &str, ImportRound { round, until }: ImportRound) -> Self {
        Self { prefix: format!("{id}/{}/", round.simple()), until: Some(until) }
    }

    /// Before imports were remembered as a whole, the key of a line had nothing but its number. For as long as such a line is
    /// remembered, the import goes on like that.
    async fn of_older_release(store: &Store, id: &str, now: Time) -> Result<Option<Self>, Error> {
        let prefix = format!("{id}/");
        let is_there = store.has_numbered_keys(SCOPE, &prefix, now - KEY_LIFETIME).await?;
        Ok(is_there.then_some(Self { prefix, until: None }))
    }
}

fn key(id: &str) -> KeyId {
    KeyId { scope: IMPORTS.to_owned(), key: id.to_owned() }
}
