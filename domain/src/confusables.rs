//! SKUs that a reader could not tell apart: characters that cannot be seen, spaces and dashes of other kinds, and letters
//! of one alphabet that look like those of another.
//!
//! What Unicode says of a character decides (Default_Ignorable_Code_Point, compatibility forms, and the confusables of UTS #39).
//! It must never refuse a script as such: words in any one alphabet are fine.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};
use unicode_security::skeleton;

/// Characters that show nothing, although Unicode does not ignore them: the empty Braille pattern, the null note
/// head and the Khitan filler.
const BLANKS: [char; 3] = ['\u{2800}', '\u{1d159}', '\u{16fe4}'];

/// Alphabets with letters that look like Latin ones.
const LIKE_LATIN: [Script; 6] =
    [Script::Cyrillic, Script::Greek, Script::Armenian, Script::Coptic, Script::Cherokee, Script::Lisu];

/// Latin letters, and what looks like them in Cyrillic and in Greek; in lower case, for case makes no difference to a SKU.
const TWINS: [[&str; 2]; 2] = [["abcehijkmopstxy", "авсеніјкморѕтху"], ["abehikmnoptxyz", "αβεηικμνορτχυζ"]];

/// Compatibility forms that look like what they stand for: ligatures, full and half width, Roman numerals, radicals of Chinese, letters of mathematics.
/// Others, such as ² and ℃, do not.
const FORMS: [(char, char); 12] = [
    ('\u{132}', '\u{140}'),
    ('\u{1c4}', '\u{1cc}'),
    ('\u{1f1}', '\u{1f3}'),
    ('\u{2024}', '\u{2026}'),
    ('\u{2160}', '\u{217f}'),
    ('\u{2e80}', '\u{2ef3}'),
    ('\u{2f00}', '\u{2fd5}'),
    ('\u{fb00}', '\u{fb4f}'),
    ('\u{fb50}', '\u{fdff}'),
    ('\u{fe50}', '\u{fefc}'),
    ('\u{ff00}', '\u{ffef}'),
    ('\u{1d400}', '\u{1d7ff}'),
];

/// Letters and signs of other uses that look like ordinary signs.
const SIGNS: [(char, char); 15] = [
    ('\u{1c0}', '|'),
    ('\u{1c3}', '!'),
    ('\u{2b9}', '\''),
    ('\u{2bb}', '\''),
    ('\u{2bc}', '\''),
    ('\u{2bd}', '\''),
    ('\u{2c8}', '\''),
    ('\u{2d0}', ':'),
    ('\u{2f8}', ':'),
    ('\u{a4f8}', '.'),
    ('\u{a4fd}', ':'),
    ('\u{2027}', '\u{b7}'),
    ('\u{2219}', '\u{b7}'),
    ('\u{22c5}', '\u{b7}'),
    ('\u{2a2f}', '\u{d7}'),
];

/// Letters of phonetic alphabets, some of which look like ordinary ones.
const PHONETIC: [(char, char); 2] = [('\u{250}', '\u{2af}'), ('\u{1d00}', '\u{1d7f}')];

/// What Arabic writes, and what Persian writes that looks like it: digits, and letters.
const ARABIC: [[&str; 2]; 2] = [["٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"], ["يك", "یک"]];

/// Whether a character shows nothing by itself and takes no room either.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c) || BLANKS.contains(&c)
}

/// Whether nothing of a text can be seen.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    let shows_nothing = |c: char| {
        c.is_whitespace() || matches!(c.general_category(), GeneralCategory::Format | GeneralCategory::Control)
    };
    text.chars().all(|c| shows_nothing(c) || is_invisible(c))
}

/// Why nobody could tell this SKU from another one, as a sentence; `None` when everybody can.
#[must_use]
pub fn confusing(sku: &str) -> Option<String> {
    if sku.starts_with(is_combining_mark) {
        return Some("The sku begins with a mark that belongs to a character before it.".to_owned());
    }
    if sku.contains("  ") {
        return Some("The sku has more than one space in a row.".to_owned());
    }
    for c in sku.chars() {
        let code = u32::from(c);
        if is_invisible(c) {
            return Some(format!("The sku has a character that cannot be seen (U+{code:04X})."));
        }
        let plain = plain(c);
        if plain.as_deref() == Some(" ") {
            return Some(format!("The sku has a space of another kind (U+{code:04X}): use an ordinary one."));
        }
        if let Some(plain) = plain {
            return Some(format!("The sku has {c:?} (U+{code:04X}), which looks like {plain:?}: use that."));
        }
    }
    if mixes_arabic(sku) {
        return Some("The sku mixes digits or letters of Arabic with those of Persian, which look alike.".to_owned());
    }
    confusing_word(sku)
}

/// What somebody means who writes a SKU with other spaces, dashes or forms of letters, or with characters that cannot be seen.
#[must_use]
pub fn meant(sku: &str) -> String {
    let mut meant = String::with_capacity(sku.len());
    for c in sku.nfc().filter(|c| !is_invisible(*c)) {
        match plain(c) {
            Some(plain) => meant.push_str(&plain),
            None => meant.push(c),
        }
    }
    meant.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// SKUs that look like this one and are written in another alphabet as a whole.
#[must_use]
pub fn twins(sku: &str) -> Vec<String> {
    let mut twins = Vec::new();
    if sku.chars().any(|c| c.is_alphabetic() && is_like_latin(c)) {
        let latin: String = sku.chars().map(|c| latin(c).unwrap_or(c)).collect();
        if !latin.contains(is_like_latin) {
            // Cyrillic looks like Greek where both look like Latin.
            twins.extend(of_latin(&latin));
            twins.insert(0, latin);
        }
    } else if sku.chars().any(char::is_alphabetic) {
        twins = of_latin(sku);
    }
    if sku.chars().any(|c| ARABIC.iter().flatten().any(|all| all.contains(c))) {
        let [digits, letters] = ARABIC;
        for (to_digits, to_letters) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            twins.push(sku.chars().map(|c| same(c, digits, to_digits)).map(|c| same(c, letters, to_letters)).collect());
        }
    }
    let itself = sku.to_lowercase();
    twins.retain(|twin| twin.to_lowercase() != itself);
    twins
}

/// How a text of Latin letters is written in Cyrillic and in Greek, where all of it looks the same.
fn of_latin(sku: &str) -> Vec<String> {
    let in_others = TWINS.iter().filter_map(|[latin, others]| {
        let twin = |c: char| {
            let at = latin.chars().position(|letter| letter == c.to_ascii_lowercase());
            at.and_then(|at| others.chars().nth(at))
        };
        let is_whole = sku.chars().filter(|c| c.is_alphabetic()).all(|c| twin(c).is_some());
        is_whole.then(|| sku.chars().map(|c| twin(c).unwrap_or(c)).collect())
    });
    in_others.collect()
}

/// A character as one of two ways to write it has it.
fn same(c: char, ways: [&str; 2], to: usize) -> char {
    let at = ways.iter().find_map(|way| way.chars().position(|other| other == c));
    at.and_then(|at| ways.get(to)?.chars().nth(at)).unwrap_or(c)
}

/// Whether a text has both ways to write Arabic digits, or letters.
fn mixes_arabic(sku: &str) -> bool {
    ARABIC.iter().any(|ways| ways.iter().all(|way| sku.chars().any(|c| way.contains(c))))
}

/// What a character looks just like, and is not: another space, another form of the same letter, other punctuation.
fn plain(c: char) -> Option<String> {
    if c.is_ascii() {
        return None;
    }
    if c.is_whitespace() {
        return Some(" ".to_owned());
    }
    if FORMS.iter().any(|(first, last)| (*first..=*last).contains(&c)) {
        let plain: String = std::iter::once(c).nfkc().collect();
        return (plain != c.to_string()).then_some(plain);
    }
    if let Some((_, plain)) = SIGNS.iter().find(|(sign, _)| *sign == c) {
        return Some(plain.to_string());
    }
    if PHONETIC.iter().any(|(first, last)| (*first..=*last).contains(&c)) {
        return prototype(c).filter(char::is_ascii_alphabetic).map(String::from);
    }
    let is_sign =
        matches!(c.general_category_group(), GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Symbol);
    // The punctuation of Chinese and Japanese is as wide as their characters, and nobody takes it for ours.
    let is_wide = ('\u{3001}'..='\u{30ff}').contains(&c);
    let plain = if is_sign && !is_wide { prototype(c)? } else { return None };
    plain.is_ascii_punctuation().then(|| plain.to_string())
}

/// The one character that Unicode says this one looks like.
fn prototype(c: char) -> Option<char> {
    let mut buffer = [0; 4];
    let mut all = skeleton(c.encode_utf8(&mut buffer));
    all.next().filter(|first| *first != c && all.next().is_none())
}

fn is_like_latin(c: char) -> bool {
    LIKE_LATIN.contains(&c.script())
}

/// The Latin letter, or digit, that a letter of another alphabet looks like. Small Greek letters are units and symbols, which
/// nobody takes for capitals.
fn latin(c: char) -> Option<char> {
    if !is_like_latin(c) {
        return None;
    }
    let as_typed = prototype(c).filter(char::is_ascii_alphanumeric);
    let mut capital = c.to_uppercase().filter(|_| c.is_lowercase() && c.script() != Script::Greek);
    as_typed.or_else(|| capital.next().and_then(prototype).filter(char::is_ascii_alphanumeric))
}

/// Why a word of a SKU could be taken for another: it mixes alphabets, or it stands among Latin words and looks like one.
fn confusing_word(sku: &str) -> Option<String> {
    let has_latin = sku.chars().any(|c| c.script() == Script::Latin);
    for word in sku.split(|c: char| !c.is_alphabetic()).filter(|_| has_latin) {
        let mixes = word.chars().any(|c| c.script() == Script::Latin);
        let Some((c, like)) = word.chars().find_map(|c| latin(c).map(|like| (c, like))) else { continue };
        if mixes || word.chars().all(|c| latin(c).is_some()) {
            let code = u32::from(c);
            return Some(format!("The sku mixes alphabets: its {c:?} (U+{code:04X}) looks like {like:?}."));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_could_tell_apart_is_refused_and_understood() {
        for (sku, plain) in [
            ("MUG\u{a0}BLUE", "MUG BLUE"),
            ("MUG\u{202f}BLUE", "MUG BLUE"),
            ("MUG\u{2003}BLUE", "MUG BLUE"),
            ("MUG\u{3000}BLUE", "MUG BLUE"),
            ("MUG\u{1680}BLUE", "MUG BLUE"),
            ("MUG  BLUE", "MUG BLUE"),
            ("MUG-BLUE\u{fe0f}", "MUG-BLUE"),
            ("MUG-BLUE\u{e0100}", "MUG-BLUE"),
            ("MUG\u{34f}-BLUE", "MUG-BLUE"),
            ("MUG\u{ad}-BLUE", "MUG-BLUE"),
            ("MUG\u{2800}-BLUE", "MUG-BLUE"),
            ("MUG-\u{3164}BLUE", "MUG-BLUE"),
            ("MUG-\u{ffa0}BLUE", "MUG-BLUE"),
            ("MUG-BLUE\u{e0041}", "MUG-BLUE"),
            ("MUG\u{180e}-BLUE", "MUG-BLUE"),
            ("MUG\u{2010}BLUE", "MUG-BLUE"),
            ("MUG\u{2011}BLUE", "MUG-BLUE"),
            ("MUG\u{2013}BLUE", "MUG-BLUE"),
            ("MUG\u{2212}BLUE", "MUG-BLUE"),
            ("MUG\u{ff0d}BLUE", "MUG-BLUE"),
            ("MUG\u{fe63}BLUE", "MUG-BLUE"),
            ("O\u{2019}NEIL", "O'NEIL"),
            ("1\u{2044}2", "1/2"),
            ("\u{ff2d}\u{ff35}\u{ff27}-\u{ff11}", "MUG-1"),
            ("o\u{fb03}ce", "office"),
            ("LOUIS-\u{2163}", "LOUIS-IV"),
            ("\u{1d40c}UG", "MUG"),
            ("A\u{2026}", "A..."),
            ("O\u{2bc}NEIL", "O'NEIL"),
            ("A\u{2d0}1", "A:1"),
            ("A\u{1c3}", "A!"),
            ("A\u{1c0}B", "A|B"),
            ("A\u{a4f8}1", "A.1"),
            ("A\u{22c5}B", "A\u{b7}B"),
            ("10\u{2a2f}20", "10×20"),
            ("\u{2f00}-1", "\u{4e00}-1"),
            ("\u{2ef3}-1", "\u{9f9f}-1"),
            ("M\u{16fe4}UG", "MUG"),
            ("m\u{251}\u{261}", "mag"),
        ] {
            assert!(confusing(sku).is_some(), "{sku:?}");
            assert_eq!(meant(sku), plain, "{sku:?}");
            assert_eq!(confusing(plain), None, "{plain:?}");
        }
        assert!(confusing("\u{301}A").is_some(), "a mark without a letter");
    }

    #[test]
    fn alphabets_are_not_mixed_within_a_word() {
        for sku in ["MUG-\u{412}LUE", "mug-\u{432}lue", "\u{391}1-MUG", "MUG-СОК", "\u{13f4}LUE", "X\u{417}"] {
            assert!(confusing(sku).is_some(), "{sku:?}");
        }
        for sku in [
            "СОК-1",
            "NIKE-КРАСНЫЙ-42",
            "ΔΗ-4",
            "10kΩ",
            "5μF",
            "5µF",
            "Δ4",
            "杯子-蓝",
            "A4ノート",
            "カップ〜小",
            "كوب-٥",
            "כוס",
            "कप",
            "머그-파랑",
            "ถ้วย",
            "\u{1f600}-MUG",
            "10×20",
            "M²",
            "№5",
            "CAFÉ",
            "kırmızı",
            "ŁÓDŹ",
            "A.B/C_D:E#1+2",
        ] {
            assert_eq!(confusing(sku), None, "{sku:?}");
        }
    }

    #[test]
    fn words_of_another_alphabet_have_twins() {
        assert_eq!(twins("СОК-1"), ["COK-1"]);
        assert!(twins("COK-1").contains(&"сок-1".to_owned()));
        for [one, other] in [["ТОР", "ΤΟΡ"], ["كوب-٥", "كوب-۵"], ["كيك-٥", "کیک-۵"], ["يك-۵", "یک-٥"], ["٥-٥", "۵-۵"]]
        {
            for [one, other] in [[one, other], [other, one]] {
                let twins = twins(one);
                assert!(
                    twins.iter().any(|twin| twin.to_lowercase() == other.to_lowercase()),
                    "{one}, {other}: {twins:?}"
                );
            }
        }
        for sku in ["٥۵", "ي ی"] {
            assert!(confusing(sku).is_some(), "{sku:?}");
        }
        assert!(twins("MAT").contains(&"ματ".to_owned()));
        for alone in ["MUG-BLUE", "КРАСНЫЙ", "12-3", "10kΩ", "杯子"] {
            assert!(twins(alone).is_empty(), "{alone:?}: {:?}", twins(alone));
        }
        for [latin, others] in TWINS {
            assert_eq!(latin.chars().count(), others.chars().count());
        }
    }

    #[test]
    fn nothing_is_blank() {
        for blank in
            ["", " ", "\u{3164}", "\u{115f}\u{1160}", "\u{2800}", "\u{200b}\u{feff}", "\u{ad}", "\u{a0}\u{fe0f}"]
        {
            assert!(is_blank(blank), "{blank:?}");
        }
        assert!(!is_blank("\u{2764}\u{fe0f}"));
    }
}
