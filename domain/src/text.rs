//! Text that people type: trimmed, in one Unicode form, bounded, and free of characters that cannot be seen.
//!
//! It must never let two texts that look alike to a reader of a list pass for two SKUs.

use std::collections::BTreeSet;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::confusables;
use super::rejection::Rejection;

/// Longest SKU, in characters.
pub const MAX_SKU_LENGTH: usize = 64;
/// Longest name of a product or a customer, in characters.
pub const MAX_NAME_LENGTH: usize = 200;
/// Longest slug, in characters.
pub const MAX_SLUG_LENGTH: usize = 100;
/// Longest note, in characters.
pub const MAX_NOTE_LENGTH: usize = 1_000;
/// Longest reference to a document outside this system, and longest carrier or tracking number, in characters.
pub const MAX_REFERENCE_LENGTH: usize = 200;
/// Longest description of a product, in characters.
pub const MAX_DESCRIPTION_LENGTH: usize = 10_000;
/// Longest address for electronic mail, in characters.
pub const MAX_EMAIL_LENGTH: usize = 254;
/// Longest idempotency key, in characters.
pub const MAX_KEY_LENGTH: usize = 255;

/// What a text may hold besides what can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing: two codes that look alike must be alike.
    Code,
    /// Format characters, which some scripts and emoji need.
    Line,
    /// Line breaks and tabs as well.
    Lines,
}

/// A SKU: 1 to 64 visible characters after trimming.
///
/// # Errors
/// `INVALID_INPUT` when it is blank, too long, has characters that cannot be seen, or looks like another SKU.
pub fn sku(text: &str) -> Result<String, Rejection> {
    let sku = required("sku", tidy("sku", text, MAX_SKU_LENGTH, Form::Code)?)?;
    confusables::confusing(&sku).map_or(Ok(sku), |why| Err(Rejection::invalid_input(why).at(["sku"])))
}

/// A text of one line that must be there: 1 to `max` characters after trimming.
///
/// # Errors
/// `INVALID_INPUT`, naming `field`, when it is blank, too long, or has control characters.
pub fn line(field: &str, text: &str, max: usize) -> Result<String, Rejection> {
    required(field, tidy(field, text, max, Form::Line)?)
}

/// A text of one line that may be missing; blank counts as missing.
///
/// # Errors
/// `INVALID_INPUT`, naming `field`, when it is too long or has characters that cannot be seen.
pub fn optional_line(field: &str, text: Option<&str>, max: usize) -> Result<Option<String>, Rejection> {
    text.map_or(Ok(None), |text| tidy(field, text, max, Form::Line))
}

/// A text that may be missing and may have several lines; blank counts as missing.
///
/// # Errors
/// `INVALID_INPUT`, naming `field`, when it is too long or has characters that cannot be seen.
pub fn optional_lines(field: &str, text: Option<&str>, max: usize) -> Result<Option<String>, Rejection> {
    text.map_or(Ok(None), |text| tidy(field, text, max, Form::Lines))
}

/// A slug as somebody typed it: lower-case ASCII letters, digits and single hyphens between them.
///
/// # Errors
/// `INVALID_INPUT` for anything else.
pub fn slug(text: &str) -> Result<String, Rejection> {
    let slug = line("slug", text, MAX_SLUG_LENGTH)?;
    if slug == slugify(&slug) {
        return Ok(slug);
    }
    Err(Rejection::invalid_input("A slug has lower-case letters, digits and single hyphens between them.").at(["slug"]))
}

/// An address for electronic mail: something, an at sign, something, and nothing that cannot be seen. Only delivery proves more.
///
/// # Errors
/// `INVALID_INPUT` for anything else.
pub fn email(text: &str) -> Result<String, Rejection> {
    let email = line("email", text, MAX_EMAIL_LENGTH).map_err(|e| e.at(["customer", "email"]))?;
    let parts = email.split('@').collect::<Vec<_>>();
    let is_hidden = |c: char| c.is_whitespace() || confusables::is_invisible(c);
    if parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) && !email.contains(is_hidden) {
        return Ok(email);
    }
    Err(Rejection::invalid_input("This is not an address for electronic mail.").at(["customer", "email"]))
}

/// What two SKUs are compared by: equal but for case or Unicode form is equal.
#[must_use]
pub fn sku_key(sku: &str) -> String {
    fold(&sku.nfc().collect::<String>())
}

/// What SKUs are looked up by: the key of what was typed, then of what was meant, then of what looks like it in another
/// alphabet. What was stored under older rules is found by the first.
#[must_use]
pub fn sku_keys(sku: &str) -> Vec<String> {
    // No SKU was ever longer, and what is made of this one is not much longer than it.
    if sku.len() > MAX_SKU_LENGTH * 4 {
        return vec![sku_key(sku)];
    }
    let meant = confusables::meant(sku);
    let mut keys = vec![sku_key(sku.trim()), sku_key(&meant)];
    keys.extend(confusables::twins(&meant).iter().map(|twin| sku_key(twin)));
    let mut seen = BTreeSet::new();
    keys.retain(|key| !key.is_empty() && seen.insert(key.clone()));
    keys
}

/// What is searched for besides what was typed, when somebody meant something else: ordinary spaces, dashes and letters.
#[must_use]
pub fn meant_key(search: &str) -> Option<String> {
    let meant = sku_key(&confusables::meant(search));
    (!meant.is_empty() && meant != sku_key(search)).then_some(meant)
}

/// What names are sorted and searched by: without case and accents, the same order on every database.
#[must_use]
pub fn name_key(name: &str) -> String {
    fold(&name.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>())
}

/// A slug for a name: lower-case ASCII with hyphens; `product` when nothing of the name is left.
#[must_use]
pub fn slugify(name: &str) -> String {
    let mut slug = String::new();
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if slug.len() >= MAX_SLUG_LENGTH {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "product".to_owned() } else { slug.to_owned() }
}

fn fold(text: &str) -> String {
    UniCase::unicode(text).to_folded_case().nfc().collect()
}

fn required(field: &str, text: Option<String>) -> Result<String, Rejection> {
    text.ok_or_else(|| Rejection::invalid_input(format!("The {field} must not be blank.")).at([field]))
}

fn tidy(field: &str, text: &str, max: usize, form: Form) -> Result<Option<String>, Rejection> {
    let refuse = |why: String| Rejection::invalid_input(why).at([field]);
    // A character outside the basic plane takes four bytes: what is longer than that is too long however it is counted.
    let too_long = || refuse(format!("The {field} is at most {max} characters long."));
    if text.len() > max.saturating_mul(4) {
        return Err(too_long());
    }
    let text: String = text.trim().nfc().collect();
    if let Some(bad) = text.chars().find(|c| !form.allows(*c)) {
        return Err(refuse(format!("The {field} has a character that it must not have (U+{:04X}).", u32::from(bad))));
    }
    if text.chars().count() > max {
        return Err(too_long());
    }
    Ok((!confusables::is_blank(&text)).then_some(text))
}

impl Form {
    fn allows(self, c: char) -> bool {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Unassigned};
        match c.general_category() {
            Control => self == Self::Lines && matches!(c, '\n' | '\r' | '\t'),
            Format | PrivateUse | Unassigned => self != Self::Code,
            LineSeparator | ParagraphSeparator => self == Self::Lines,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skus_that_differ_only_in_case_or_form_share_a_key() {
        assert_eq!(sku_key("A1"), sku_key("a1"));
        assert_eq!(sku_key("caf\u{e9}"), sku_key("CAFE\u{301}"));
        assert_ne!(sku_key("A1"), sku_key("A2"));
    }

    #[test]
    fn what_was_typed_is_looked_up_first() {
        assert_eq!(sku_keys(" Mug-1 "), ["mug-1"]);
        assert_eq!(sku_keys("MUG\u{a0}BLUE"), ["mug\u{a0}blue", "mug blue"]);
        assert_eq!(sku_keys("\u{3164}"), ["\u{3164}"], "an older release took it");
        assert_eq!(sku_keys("СОК-1"), ["сок-1", "cok-1"]);
        assert_eq!(sku_keys(""), [""; 0]);
        assert_eq!(sku_keys(&"\u{fdfa}".repeat(500)).len(), 1);
    }

    #[test]
    fn text_is_trimmed_bounded_and_visible() {
        assert_eq!(sku("  A1 ").as_deref(), Ok("A1"));
        for bad in ["", "   ", "a\0b", "a\u{202e}b", "a\nb", "a\u{200b}b"] {
            assert!(sku(bad).is_err(), "{bad:?}");
        }
        assert!(sku(&"x".repeat(64)).is_ok());
        assert!(sku(&"x".repeat(65)).is_err());
        assert!(sku(&format!("a{}", "\u{301}".repeat(1000))).is_err());
        assert_eq!(optional_line("note", Some("  "), 10), Ok(None));
        for blank in ["\u{3164}", "\u{2800} \u{115f}", "\u{200b}", "\u{ad}\u{fe0f}"] {
            assert!(line("name", blank, 64).is_err() && sku(blank).is_err(), "{blank:?}");
            assert_eq!(optional_lines("note", Some(blank), 64), Ok(None), "{blank:?}");
        }
        assert!(email("ada\u{200b}@shop.example").is_err() && email("ada@shop.example").is_ok());
        assert!(line("name", "\u{1f469}\u{200d}\u{1f373} mug", 64).is_ok(), "emoji are joined by a format character");
        assert!(line("name", "two\nlines", 64).is_err() && optional_lines("note", Some("two\nlines"), 64).is_ok());
    }

    #[test]
    fn slugs_come_from_names() {
        assert_eq!(slugify("Café  Crème, 250 g!"), "cafe-creme-250-g");
        assert_eq!(slugify("日本"), "product");
        assert!(slugify(&"long name ".repeat(50)).len() <= MAX_SLUG_LENGTH);
    }
}
