//! Histories in which one promise is broken, each of which the checker must find.
