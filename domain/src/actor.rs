//! Who does something, and whose things they may use. To anybody else, other people's things do not exist.
//!
//! It only answers questions; what is done about the answer is decided where the thing is.

use std::borrow::Cow;

/// What the log says of this server.
const SYSTEM: &str = "system";
/// What the log says of a guest.
const GUEST: &str = "guest";
/// What stands before a subject that could be taken for another actor.
const MARK: &str = "subject:";

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// This server itself.
    System,
    /// Somebody of the shop, by subject.
    Staff(String),
    /// A signed-in customer, by subject.
    Customer(String),
    /// Anybody: whoever holds the id of a guest's cart or order may use it.
    Guest,
}

impl Actor {
    /// What the log says of them: their subject. One that reads like this server, a guest or a subject that is marked as one
    /// is marked as a subject, so that no token signs as somebody else.
    #[must_use]
    pub fn log_name(&self) -> Cow<'_, str> {
        match self {
            Self::System => SYSTEM.into(),
            Self::Staff(subject) | Self::Customer(subject) if is_ambiguous(subject) => {
                format!("{MARK}{subject}").into()
            }
            Self::Staff(subject) | Self::Customer(subject) => subject.into(),
            Self::Guest => GUEST.into(),
        }
    }

    /// Whether they belong to the shop.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self, Self::System | Self::Staff(_))
    }

    /// Whether they may use a cart or an order of this owner; a guest's has none, and its id is the key to it.
    #[must_use]
    pub fn may_use(&self, owner: Option<&str>) -> bool {
        match (self, owner) {
            (Self::System | Self::Staff(_), _) | (_, None) => true,
            (Self::Customer(subject), Some(owner)) => subject == owner,
            (Self::Guest, Some(_)) => false,
        }
    }

    /// The owner of what they make for themselves. Staff make carts for whoever gets the id.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Customer(subject) => Some(subject),
            Self::System | Self::Staff(_) | Self::Guest => None,
        }
    }
}

fn is_ambiguous(subject: &str) -> bool {
    let is = |name: &str| subject.trim().eq_ignore_ascii_case(name);
    is(SYSTEM) || is(GUEST) || subject.trim_start().starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_subject_signs_as_somebody_else() {
        let staff = |subject: &str| Actor::Staff(subject.to_owned()).log_name().into_owned();
        assert_eq!((Actor::System.log_name(), Actor::Guest.log_name()), ("system".into(), "guest".into()));
        for (subject, actor) in [
            ("sam", "sam"),
            ("system", "subject:system"),
            ("System ", "subject:System "),
            ("guest", "subject:guest"),
            ("subject:system", "subject:subject:system"),
            ("systems", "systems"),
        ] {
            assert_eq!(staff(subject), actor);
            assert_eq!(Actor::Customer(subject.to_owned()).log_name(), actor);
        }
    }

    #[test]
    fn only_owners_and_staff_may_use_what_is_owned() {
        let ada = Actor::Customer("ada".to_owned());
        assert!(ada.may_use(Some("ada")) && ada.may_use(None) && !ada.may_use(Some("bob")));
        assert!(Actor::Guest.may_use(None) && !Actor::Guest.may_use(Some("guest")));
        assert!(Actor::Staff("sam".to_owned()).may_use(Some("ada")));
        assert_eq!(
            (ada.owner(), Actor::Guest.owner(), Actor::Staff("sam".to_owned()).owner()),
            (Some("ada"), None, None)
        );
    }
}
