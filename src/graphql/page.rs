//! Pages of lists as Relay connections. Every page is bounded.

use std::borrow::Cow;

use async_graphql::connection::{Edge, EmptyFields, PageInfo};
use async_graphql::{Object, OutputType, TypeName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::read::{MAX_PAGE, Page, PageRequest};

use super::{Code, cursor};

/// Rows on a page unless asked for otherwise.
pub const DEFAULT_PAGE: u64 = 20;

/// The four arguments of every connection.
#[derive(Debug, Default)]
pub struct PageArguments {
    /// From the beginning.
    pub first: Option<i32>,
    /// After this cursor.
    pub after: Option<String>,
    /// From the end.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// The page that is wanted of a list whose cursors are of this kind.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for `first` with `last` or a page of less than one row, `LIMIT_EXCEEDED` for one of more than
    /// a hundred, `BAD_CURSOR`.
    pub fn request<C: DeserializeOwned>(&self, kind: &str) -> async_graphql::Result<PageRequest<C>> {
        let (limit, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Code::BadUserInput.error("Ask for `first` or for `last`, not for both.")),
            (None, Some(last)) => (limit("last", last)?, true),
            (Some(first), None) => (limit("first", first)?, false),
            (None, None) => (DEFAULT_PAGE, false),
        };
        Ok(PageRequest {
            limit,
            from_end,
            after: self.after.as_deref().map(|text| cursor::decode(kind, text)).transpose()?,
            before: self.before.as_deref().map(|text| cursor::decode(kind, text)).transpose()?,
        })
    }
}

fn limit(name: &str, count: i32) -> async_graphql::Result<u64> {
    match u64::try_from(count) {
        Ok(limit @ 1..=MAX_PAGE) => Ok(limit),
        Ok(0) | Err(_) => Err(Code::BadUserInput.error(format!("`{name}` is at least 1."))),
        Ok(_) => Err(Code::LimitExceeded.error(format!("`{name}` is at most {MAX_PAGE}."))),
    }
}

/// A page of a list.
pub struct Connection<N: OutputType> {
    page_info: PageInfo,
    edges: Vec<Edge<String, N, EmptyFields>>,
}

#[Object(name_type)]
impl<N: OutputType> Connection<N> {
    /// Information to aid in pagination.
    async fn page_info(&self) -> &PageInfo {
        &self.page_info
    }

    /// A list of edges.
    async fn edges(&self) -> &[Edge<String, N, EmptyFields>] {
        &self.edges
    }

    /// A list of nodes.
    async fn nodes(&self) -> Vec<&N> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }
}

impl<N: OutputType> TypeName for Connection<N> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", N::type_name()).into()
    }
}

/// A page as a connection. `place` tells a row's place in the list.
pub fn connection<T, N: OutputType, C: Serialize>(
    kind: &str,
    page: Page<T, C>,
    place: impl Fn(&T) -> C,
    node: impl Fn(T) -> N,
) -> Connection<N> {
    let Page { rows, has_next, has_previous, start, end } = page;
    let edge = |row| Edge::new(cursor::encode(kind, &place(&row)), node(row));
    let edges: Vec<_> = rows.into_iter().map(edge).collect();
    // A page may reach beyond its rows: what was looked through without finding anything is not looked through again.
    let of = |place: Option<C>, edge: Option<&Edge<String, N, EmptyFields>>| {
        place.map(|place| cursor::encode(kind, &place)).or_else(|| edge.map(|edge| edge.cursor.clone()))
    };
    let page_info = PageInfo {
        has_previous_page: has_previous,
        has_next_page: has_next,
        start_cursor: of(start, edges.first()),
        end_cursor: of(end, edges.last()),
    };
    Connection { page_info, edges }
}
