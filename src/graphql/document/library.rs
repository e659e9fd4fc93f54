//! The document as the executing library parses it. It works on text that has been through the guard and a parser.
//!
//! Its parser is stricter than the compiler's about what is missing, wants no spaces in a variable or a type, and knows no
//! escapes of characters beyond the basic plane. What executes looks for the field of a subscription at the root only.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

use apollo_compiler::parser::LineColumn;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::parser::{Error, parse_query};

use crate::graphql::Code;

use super::fault::{Faults, located, shorten};
use super::guard::{Kind, token};

/// Parses a document.
pub fn parse(text: &str) -> Result<ExecutableDocument, Error> {
    parse_query(close_up(&spell_out(text)))
}

/// Puts the one field of a subscription in the place of the fragments that hold it. Validation has seen to it that there is
/// one, and that nothing but a fragment is around it.
pub fn lift_fields(document: &mut ExecutableDocument) {
    let ExecutableDocument { operations, fragments } = document;
    let operations: Vec<&mut OperationDefinition> = match operations {
        DocumentOperations::Single(operation) => vec![&mut operation.node],
        DocumentOperations::Multiple(operations) => operations.values_mut().map(|one| &mut one.node).collect(),
    };
    for operation in operations.into_iter().filter(|one| one.ty == OperationType::Subscription) {
        let items = &operation.selection_set.node.items;
        if items.iter().all(|item| matches!(item.node, Selection::Field(_))) {
            continue;
        }
        let (mut open, mut fields, mut seen) = (items.iter().rev().collect::<Vec<_>>(), Vec::new(), HashSet::new());
        while let Some(item) = open.pop() {
            match &item.node {
                Selection::Field(_) => fields.push(item.clone()),
                Selection::InlineFragment(inline) => open.extend(inline.node.selection_set.node.items.iter().rev()),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = fragments.get(name).filter(|_| seen.insert(name));
                    open.extend(fragment.into_iter().flat_map(|one| one.node.selection_set.node.items.iter().rev()));
                }
            }
        }
        operation.selection_set.node.items = fields;
    }
}

/// The text with each escape of a character beyond the basic plane, as `\u{1F600}` or as a pair of surrogates, in the form that
/// the parser knows: the character itself. Spaces after a string stand in for what it became shorter, so that what follows
/// stays in its place. The compiler's parser has refused halves of pairs.
fn spell_out(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let (mut spelled, mut at) = (String::with_capacity(text.len()), 0);
    while let Some((_, length)) = token(&text.as_bytes()[at..]) {
        let end = text.ceil_char_boundary((at + length).min(text.len()));
        let token = &text[at..end];
        if token.starts_with('"') && !token.starts_with("\"\"\"") {
            let begin = spelled.len();
            push_spelled(&mut spelled, token);
            let shorter = token.chars().count().saturating_sub(spelled[begin..].chars().count());
            spelled.extend(std::iter::repeat_n(' ', shorter));
        } else {
            spelled.push_str(token);
        }
        at = end;
    }
    Cow::Owned(spelled)
}

fn push_spelled(spelled: &mut String, string: &str) {
    let mut rest = string;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        spelled.push_str(before);
        let length = if let Some((character, length)) = long_escape(escape) {
            // What is not itself in a string keeps an escape.
            if u32::from(character) < 0x1_0000 {
                // Writing to a text cannot fail.
                let _ = write!(spelled, "\\u{:04x}", u32::from(character));
            } else {
                spelled.push(character);
            }
            length
        } else {
            let length = escape.ceil_char_boundary(2.min(escape.len()));
            spelled.push_str(&escape[..length]);
            length
        };
        rest = &escape[length..];
    }
    spelled.push_str(rest);
}

/// The character of an escape that the parser does not know, and the length of the escape.
fn long_escape(escape: &str) -> Option<(char, usize)> {
    let code = escape.strip_prefix("\\u")?;
    if let Some(digits) = code.strip_prefix('{').and_then(|code| code.split_once('}')).map(|(digits, _)| digits) {
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
        return Some((character, "\\u{}".len() + digits.len()));
    }
    let half = |digits: &str| u16::from_str_radix(digits, 16).ok();
    let halves = [half(code.get(..4)?)?, half(code.get(4..)?.strip_prefix("\\u")?.get(..4)?)?];
    let character = char::decode_utf16(halves).next()?.ok()?;
    (u32::from(character) >= 0x1_0000).then_some((character, "\\u0000\\u0000".len()))
}

/// Why it could not be parsed, as `GRAPHQL_PARSE_FAILED`.
pub fn told(error: &Error) -> Faults {
    let place = error.positions().next().map(|place| LineColumn { line: place.line, column: place.column });
    // The report is a drawing of several lines; its last one says what is missing.
    let text = error.to_string();
    let mut message = match text.rsplit_once("= ") {
        Some((_, expected)) => format!("Syntax error: {}.", expected.trim()),
        None => "Syntax error.".to_owned(),
    };
    shorten(&mut message);
    vec![located(Code::ParseFailed, message, place)]
}

/// The text with each sign beside what it belongs to: `$` and `[` before what follows, `!` and `]` after what is before
/// them. Everything else stays in its place.
fn close_up(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_apart = |pair: &[u8]| goes_right(pair[0]) && is_gap(pair[1]) || is_gap(pair[0]) && goes_left(pair[1]);
    if !bytes.windows(2).any(is_apart) {
        return Cow::Borrowed(text);
    }
    let mut moved = bytes.to_vec();
    // Where the last token is now.
    let mut last = 0..0;
    let mut at = 0;
    while let Some((kind, length)) = token(&bytes[at..]) {
        let end = (at + length).min(bytes.len());
        if kind != Kind::Nothing {
            let is_commented = moved[last.end..at].contains(&b'#');
            let is_sign_before = last.len() == 1 && goes_right(moved[last.start]);
            if goes_left(bytes[at]) && last.end < at && is_gap(moved[last.end]) {
                moved.swap(last.end, at);
                last = last.end..last.end + 1;
            } else {
                // A comment ends with its line, so that the end of that line must stay where it is.
                if is_sign_before && last.end < at && !(is_commented && matches!(moved[at - 1], b'\n' | b'\r')) {
                    moved.swap(last.start, at - 1);
                }
                last = at..end;
            }
        }
        at = end;
    }
    String::from_utf8(moved).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn goes_right(sign: u8) -> bool {
    matches!(sign, b'$' | b'[')
}

fn goes_left(sign: u8) -> bool {
    matches!(sign, b'!' | b']')
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_to_what_they_belong_to() {
        for (text, closed) in [
            ("query($a: Int)", "query($a: Int)"),
            ("query($ a: Int $  b: Int)", "query( $a: Int   $b: Int)"),
            ("($ ,\tab)", "(\t ,$ab)"),
            ("\"$ a\" # $ b\n$ a", "\"$ a\" # $ b\n $a"),
            ("$ # b\n c $", "  # b\n$c $"),
            ("$ # b\nc", "$ # b\nc"),
            ("$\nc", "\n$c"),
            ("[ ID ! ] !", " [ID!]!   "),
            ("[ID\n # x\n!]", "[ID!]# x\n\n "),
            ("[ID# !\n!] # !", "[ID# !\n!] # !"),
            ("! é !", "! é! "),
            (" ] [ ", "]  [ "),
        ] {
            assert_eq!(close_up(text), closed, "{text}");
        }
    }

    #[test]
    fn escapes_are_spelled_out_in_strings_only() {
        for (text, spelled) in [
            (r#"{ a(b: "\u{1F600}") }"#, "{ a(b: \"\u{1F600}\"        ) }"),
            (r#""Mug \uD83D\uDE00" b"#, "\"Mug \u{1F600}\"            b"),
            (r#""\ud83d\ude00\u{1f600}""#, "\"\u{1F600}\u{1F600}\"                   "),
            (r#""\u{22}\u{5C}\u{a}\u{0041}""#, r#""\u0022\u005c\u000a\u0041" "#),
            (r#""\\u{1F600} \\\u{1F600}""#, "\"\\\\u{1F600} \\\\\u{1F600}\"        "),
            (r#""\"\u{1F600}" # "\u{1F600}"#, "\"\\\"\u{1F600}\"         # \"\\u{1F600}"),
            (r#""""\u{1F600}""" "\u{1F600}""#, "\"\"\"\\u{1F600}\"\"\" \"\u{1F600}\"        "),
            (r"# \u{1F600}", r"# \u{1F600}"),
            (r#""\u0041\uD83D\u0041\uDE00""#, r#""\u0041\uD83D\u0041\uDE00""#),
            (r#""\u{D83D}\u{110000}\u{}\u{1""#, r#""\u{D83D}\u{110000}\u{}\u{1""#),
            (r#""\u{1F600}"#, "\"\u{1F600}        "),
            ("\"é\\", "\"é\\"),
        ] {
            assert_eq!(spell_out(text), spelled, "{text}");
        }
    }

    #[test]
    fn the_field_of_a_subscription_is_lifted_out_of_its_fragments() {
        let text = "subscription A { ...F } fragment F on S { ... { ...G ... @x { ...F } } } fragment G on S { a: b { c } } query B { ...H }";
        let mut document = parse(text).unwrap();
        lift_fields(&mut document);
        let items = |name: &str| {
            let operations = document.operations.iter();
            let mut found = operations.filter(|(one, _)| one.is_some_and(|one| one.as_str() == name));
            found.next().unwrap().1.node.selection_set.node.items.clone()
        };
        assert!(
            matches!(&items("A")[..], [one] if matches!(&one.node, Selection::Field(field) if field.node.response_key().node == "a"))
        );
        assert!(matches!(&items("B")[..], [one] if matches!(one.node, Selection::FragmentSpread(_))));
    }

    #[test]
    fn what_is_missing_is_told_on_one_line() {
        let faults = told(&parse("{ a(b c: 1) }").unwrap_err());
        assert!(faults[0].message.starts_with("Syntax error: expected "), "{faults:?}");
        assert!(!faults[0].message.contains('\n'), "{faults:?}");
        assert_eq!((faults[0].locations[0].line, faults[0].locations[0].column), (1, 5));
    }
}
