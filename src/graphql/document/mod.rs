//! A document and its variables, before anything is executed: bounded, parsed, valid, and paid for.
//!
//! Bounds come before the parser, the parser before what is counted, and that before validation, so that nothing works
//! on more than the step before has let through. Documents that passed are kept. Nothing is executed here.

mod cost;
mod count;
mod delivery;
pub mod fault;
mod guard;
mod introspection;
mod library;
pub mod limits;
mod scans;
mod sharing;
mod suggest;
mod values;
mod variables;
mod writes;

use std::sync::Arc;

use anyhow::anyhow;
use apollo_compiler::diagnostic::{Diagnostic, ToCliReport};
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema, ast};
use async_graphql::parser::Error;
use async_graphql::parser::types::{ExecutableDocument as Parsed, OperationType};
use moka::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Code, Viewer, asks_for_introspection};
use fault::{Faults, MAX_ERRORS, fault, found};
use introspection::ImplementersMap;

pub use delivery::Delivery;
pub use limits::Limits;
pub use scans::Scans;
pub use sharing::Shareable;
pub use writes::Writes;

/// Text of documents that is kept parsed, in bytes. What is made of it takes some fifty times as much.
const MAX_CACHED: u64 = 1_024 * 1_024;

/// What introspection has today and the compiler does not know yet.
const NEWER_INTROSPECTION: &str = "extend type __Type { isOneOf: Boolean }";

/// Reads documents against the schema.
#[derive(Clone, Debug)]
pub struct Documents {
    schema: Arc<Valid<Schema>>,
    implementers: Arc<ImplementersMap>,
    limits: Limits,
    /// Whether errors say which names were meant.
    suggests: bool,
    cache: Cache<DocumentHash, Arc<Document>>,
}

/// The hash of the text of a document.
pub type DocumentHash = [u8; 32];

/// A document that is valid and within every bound.
#[derive(Debug)]
pub struct Document {
    compiled: Valid<ExecutableDocument>,
    parsed: Parsed,
    asks_for_introspection: bool,
    length: usize,
    hash: DocumentHash,
}

/// An operation that may be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// What it costs.
    pub cost: u64,
    /// What it writes.
    pub writes: Writes,
    /// What it looks through.
    pub scans: Scans,
    /// What it shares with others, when it is a subscription whose results others get, too.
    pub shareable: Option<Shareable>,
    /// Its variables as JSON, when it is a query whose answer is the same for all who see as much of the catalogue.
    pub of_catalogue: Option<String>,
}

impl Document {
    /// What the library executes.
    #[must_use]
    pub const fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// What tells it apart from others.
    #[must_use]
    pub const fn hash(&self) -> DocumentHash {
        self.hash
    }

    /// Whether it asks the schema about itself.
    #[must_use]
    pub const fn asks_for_introspection(&self) -> bool {
        self.asks_for_introspection
    }
}

impl Documents {
    /// A reader within these limits.
    ///
    /// # Errors
    /// When the schema is not valid.
    pub fn new(limits: Limits) -> anyhow::Result<Self> {
        let text = format!("{}\n{NEWER_INTROSPECTION}\n", super::sdl());
        let schema = Schema::parse_and_validate(text, "schema.graphql").map_err(|error| anyhow!("{error}"))?;
        let weigh = |_: &DocumentHash, document: &Arc<Document>| u32::try_from(document.length).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(MAX_CACHED).weigher(weigh).build();
        let implementers = Arc::new(schema.implementers_map());
        Ok(Self { schema: Arc::new(schema), implementers, limits, suggests: false, cache })
    }

    /// The same reader, whose errors name what the schema has under a similar name: for where it may be explored.
    #[must_use]
    pub const fn suggesting(mut self, suggests: bool) -> Self {
        self.suggests = suggests;
        self
    }

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it: `LIMIT_EXCEEDED`, `GRAPHQL_PARSE_FAILED` or `GRAPHQL_VALIDATION_FAILED`.
    pub fn read(&self, text: &str) -> Result<Arc<Document>, Faults> {
        guard::check(text, &self.limits)?;
        let hash: DocumentHash = Sha256::digest(text).into();
        if let Some(document) = self.cache.get(&hash) {
            return Ok(document);
        }
        let document = Arc::new(self.compile(text, hash)?);
        self.cache.insert(hash, Arc::clone(&document));
        Ok(document)
    }

    fn compile(&self, text: &str, hash: DocumentHash) -> Result<Document, Faults> {
        // The guard has counted already; these stand behind it. A parser counts spaces as tokens, too.
        let mut parser = Parser::new().token_limit(self.limits.length + 1).recursion_limit(2 * limits::MAX_NESTING);
        let tree = parser
            .parse_ast(text, "")
            .map_err(|failed| found(Code::ParseFailed, failed.errors.iter().take(1), |_, _| None))?;
        let parsed = library::parse(text);
        // The compiler lets some syntax errors through and then finds a fault in what is left. Definitions of types are no
        // syntax error.
        if let Err(error @ Error::Syntax { .. }) = &parsed
            && tree.definitions.iter().all(ast::Definition::is_executable_definition)
        {
            return Err(library::told(error));
        }
        count::check(&tree, &self.limits)?;
        let compiled = self.validate(&tree, text)?;
        let mut parsed = parsed.map_err(|error| library::told(&error))?;
        library::lift_fields(&mut parsed);
        let asks_for_introspection = asks_for_introspection(&parsed);
        Ok(Document { compiled, parsed, asks_for_introspection, length: text.len(), hash })
    }

    fn validate(&self, tree: &ast::Document, text: &str) -> Result<Valid<ExecutableDocument>, Faults> {
        let invalid = |errors: &DiagnosticList| {
            let told = errors.iter().filter(|one| !is_of_what_was_left_out(one, text)).take(MAX_ERRORS);
            let hint =
                |fault: &str, sentence: &str| self.suggests.then(|| suggest::hint(&self.schema, fault, sentence));
            found(Code::ValidationFailed, told, |fault, sentence| hint(fault, sentence).flatten())
        };
        let compiled = tree.to_executable_validate(&self.schema).map_err(|failed| invalid(&failed.errors))?;
        let mut faults = values::check(&self.schema, &compiled);
        if !faults.is_empty() {
            let _ = fault::bound(&mut faults);
            return Err(faults);
        }
        self.check_introspection(&compiled)?;
        Ok(compiled)
    }

    /// Refuses a document whose answer about the schema would be too large.
    fn check_introspection(&self, compiled: &Valid<ExecutableDocument>) -> Result<(), Faults> {
        let size = |operation| introspection::size(&self.schema, &self.implementers, compiled, operation);
        if compiled.operations.iter().all(|operation| size(operation) <= limits::MAX_INTROSPECTION_SIZE) {
            return Ok(());
        }
        let most = limits::MAX_INTROSPECTION_SIZE / 1_024;
        let message = format!("The schema tells at most {most} kB about itself at once. Ask for fewer fields of it.");
        Err(fault(Code::LimitExceeded, message))
    }

    /// Looks at one operation of a document and its variables, and says of which kind it is, what it costs and what it
    /// writes.
    ///
    /// # Errors
    /// `GRAPHQL_VALIDATION_FAILED` when there is no such operation, `BAD_USER_INPUT` for the variables, `LIMIT_EXCEEDED`
    /// and for mutations without a key where they may be delivered twice, `LIMIT_EXCEEDED` for the size of variables and for
    /// an operation that costs more than this viewer may spend.
    pub fn admit(
        &self,
        document: &Document,
        (name, values): (Option<&str>, Option<&Map<String, Value>>),
        viewer: &Viewer,
        delivery: Delivery,
    ) -> Result<Admitted, Faults> {
        let Ok(operation) = document.compiled.operations.get(name) else {
            let message = "The document has no such operation, or several without a name.";
            return Err(fault(Code::ValidationFailed, message));
        };
        let variables = variables::coerce(&self.schema, operation, values, &self.limits, self.suggests)?;
        let mut nulls = values::check_nulls(&self.schema, &document.compiled, operation, &variables);
        if !nulls.is_empty() {
            let _ = fault::bound(&mut nulls);
            return Err(nulls);
        }
        if delivery == Delivery::Repeated {
            let mut keyless = delivery::check(&self.schema, &document.compiled, operation, &variables);
            if !keyless.is_empty() {
                let _ = fault::bound(&mut keyless);
                return Err(keyless);
            }
        }
        let (cost, budget) = (cost::of(&document.compiled, operation, &variables), self.limits.budget(viewer));
        if cost > budget {
            let message = format!(
                "This operation costs {cost}, and it may cost at most {budget}: one for each field, times the rows it is \
                 asked for. Ask for fewer rows or fields."
            );
            return Err(fault(Code::LimitExceeded, message));
        }
        let kind = match operation.operation_type {
            ast::OperationType::Query => OperationType::Query,
            ast::OperationType::Mutation => OperationType::Mutation,
            ast::OperationType::Subscription => OperationType::Subscription,
        };
        let writes = writes::of(&document.compiled, operation, &variables);
        let scans = scans::of(&document.compiled, operation, &variables);
        let shareable = sharing::of(&document.compiled, operation, &variables);
        let of_catalogue = sharing::of_catalogue(&document.compiled, operation, &variables);
        Ok(Admitted { kind, cost, writes, scans, shareable, of_catalogue })
    }
}

/// The compiler leaves fields that it does not know out, and then complains that nothing is selected. What was selected is
/// told anyway.
fn is_of_what_was_left_out(diagnostic: &Diagnostic<'_, DiagnosticData>, text: &str) -> bool {
    let is_missing = diagnostic.error.unstable_error_name() == Some("MissingSubselection");
    let end = diagnostic.error.location().map(|span| span.end_offset());
    let before = end.and_then(|end| text.as_bytes().get(end.checked_sub(1)?));
    is_missing && before == Some(&b'}')
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
