//! Remembers the earlier runs of an import, for all of its lines at once. The keys of lines are forgotten one by one, so what
//! is remembered of some lines must not decide about others.

use uuid::Uuid;

use crate::database::error::Error;
use crate::read::Store;
use crate::writer::Writer;
use crate::writer::retention::KEY_LIFETIME;
use domain::Time;
use domain::commands::{BeginImport, ImportRound};
use domain::payment::KeyId;

use super::Import;
use super::plan::SCOPE;

/// The scope of the keys of whole imports. It is not that of lines: a line's key could be the name of another import.
const IMPORTS: &str = "imports";

/// The keys under which the lines of a file are done.
#[derive(Debug)]
pub struct Memory {
    /// The part of a line's key before the number of the line.
    pub prefix: String,
    /// When the first of the lines is forgotten; `None` if each is forgotten by itself.
    pub until: Option<Time>,
}

impl Memory {
    /// Begins to remember an import, or continues one that is remembered.
    ///
    /// # Errors
    /// As for the writer.
    pub async fn begin(store: &Store, writer: &Writer, now: Time, import: &Import<'_>) -> Result<Self, Error> {
        let id = &import.source.id;
        if let Some(older) = Self::of_older_release(store, id, now).await? {
            return Ok(older);
        }
        let begin = BeginImport { key: key(id), round: import.run, lifetime: KEY_LIFETIME };
        Ok(Self::of(id, writer.submit(&import.actor, begin).await?))
    }

    /// Loads what is remembered, and changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load(store: &Store, id: &str, run: Uuid, now: Time) -> Result<Self, Error> {
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

    /// Returns the keys of a release that did not remember whole imports, for as long as a line under such a key is
    /// remembered.
    async fn of_older_release(store: &Store, id: &str, now: Time) -> Result<Option<Self>, Error> {
        let prefix = format!("{id}/");
        let is_there = store.has_numbered_keys(SCOPE, &prefix, now - KEY_LIFETIME).await?;
        Ok(is_there.then_some(Self { prefix, until: None }))
    }
}

fn key(id: &str) -> KeyId {
    KeyId { scope: IMPORTS.to_owned(), key: id.to_owned() }
}
