//! Who does something, and whose things they may use. To anybody else, other people's things do not exist.
//!
//! It only answers questions; what is done about the answer is decided where the thing is.

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// This server itself.
    System,
    /// Somebody of the shop, by subject.
    Staff(String),
    /// A signed-in customer, by subject.
    Customer(String),
    /// Anybody: whoever holds the id of a guest's cart or order may use it.
    Guest,
}

impl Party {
    /// What the log says of them.
    #[must_use]
    pub fn actor(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Staff(subject) | Self::Customer(subject) => subject,
            Self::Guest => "guest",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_owners_and_staff_may_use_what_is_owned() {
        let ada = Party::Customer("ada".to_owned());
        assert!(ada.may_use(Some("ada")) && ada.may_use(None) && !ada.may_use(Some("bob")));
        assert!(Party::Guest.may_use(None) && !Party::Guest.may_use(Some("guest")));
        assert!(Party::Staff("sam".to_owned()).may_use(Some("ada")));
        assert_eq!(
            (ada.owner(), Party::Guest.owner(), Party::Staff("sam".to_owned()).owner()),
            (Some("ada"), None, None)
        );
    }
}
