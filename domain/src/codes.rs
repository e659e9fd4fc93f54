//! Enums whose values are written as codes, in the database or in answers. It must never give two values the same code.

/// Declares an enum together with the code that stands for each value.
#[macro_export]
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$value_meta:meta])* $value:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$value_meta])* $value),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// Returns the code that stands for this value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $code),+ }
            }

            /// Returns the value that a code stands for, if it is one of ours.
            #[must_use]
            pub fn parse(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$value),)+ _ => None }
            }
        }
    };
}
