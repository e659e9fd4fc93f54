//! Files as people and spreadsheets write them, and as nobody should.

use super::*;

fn rows(text: &[u8], format: Format, mode: Mode) -> anyhow::Result<Vec<Row>> {
    let mut reader = RowReader::begin(text, format, mode)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
    }
    Ok(rows)
}

fn given(row: &Row) -> String {
    match &row.record {
        Ok(record) => record.iter().map(|(column, text)| format!("{column}={text}")).collect::<Vec<_>>().join("|"),
        Err(why) => format!("!{why}"),
    }
}

fn lines(text: &[u8], format: Format) -> Vec<(u64, String)> {
    let rows = rows(text, format, Mode::Set).expect("a file that can be read");
    rows.iter().map(|row| (row.line, given(row))).collect()
}

#[test]
fn a_file_of_a_spreadsheet_is_read() {
    let text =
        b"\xef\xbb\xbfSKU , stock,description\r\nA1,5,\"two\r\nlines, \"\"quoted\"\"\"\r\n\r\n\r\n 'B2 ,,'=x\r\nC3,7,";
    let right = [
        (2, "description=two\r\nlines, \"quoted\"|sku=A1|stock=5"),
        (6, "description==x|sku='B2"),
        (7, "sku=C3|stock=7"),
    ];
    let right = right.map(|(line, row)| (line, row.to_owned()));
    assert_eq!(lines(text, Format::Csv), right);
    let with_end = [&text[..], b"\r\n,,\r\n"].concat();
    assert_eq!(lines(&with_end, Format::Csv), right, "a row without any value is an empty line");
    let right = [(4, "sku=A".to_owned()), (5, "sku=B\nC".to_owned()), (8, "sku=D".to_owned())];
    assert_eq!(lines(b"sku\n\n\nA\n\"B\nC\"\n\nD", Format::Csv), right);
}

#[test]
fn json_lines_are_read() {
    let text = "\u{feff}{\"sku\":\"A1\",\"stock\":5,\"manage_stock\":true,\"slug\":null}\r\n\n  \n{\"sku\":\"=x\",\"stock\":\"6\"}";
    let right = [(1, "manage_stock=true|sku=A1|stock=5"), (4, "sku==x|stock=6")];
    assert_eq!(lines(text.as_bytes(), Format::Jsonl), right.map(|(line, row)| (line, row.to_owned())));
}

#[test]
fn a_bad_line_is_told_and_the_next_is_read() {
    let csv = lines(b"sku,stock\nA1\nB2,1,2\n\"C\xff3\",1\nD4,1\n", Format::Csv);
    assert_eq!(csv[0], (2, "!The line has 1 cells, and there are 2 columns.".to_owned()));
    assert_eq!(csv[1].1, "!The line has 3 cells, and there are 2 columns.");
    assert_eq!(csv[2], (4, "!sku: This is not encoded in UTF-8.".to_owned()));
    assert_eq!(csv[3], (5, "sku=D4|stock=1".to_owned()));
    let long = format!("{{\"sku\":\"{}\"}}", "x".repeat(3 * MAX_LINE));
    let text =
        format!("5\n{{\"sku\"\n{long}\n{{\"size\":1}}\n{{\"sku\":[]}}\n{}\n{{\"sku\":\"A\"}}\n", "[".repeat(10_000));
    let jsonl = lines(text.as_bytes(), Format::Jsonl);
    let begins =
        ["!This is not a JSON", "!This is not a JSON", "!line 3 has more", "!There is no column", "!sku: This"];
    for ((line, row), right) in jsonl.iter().zip(begins) {
        assert!(row.starts_with(right), "{line}: {row}");
    }
    assert!(jsonl[5].1.starts_with("!This is not a JSON"), "{}", jsonl[5].1);
    assert_eq!(jsonl[6], (7, "sku=A".to_owned()));
}

#[test]
fn columns_must_be_ours() {
    let refused = |header: &str, mode| {
        rows(header.as_bytes(), Format::Csv, mode).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("sku,color\n", Mode::Set).contains("\"color\""));
    assert!(refused("sku;stock\n", Mode::Set).contains("\"sku;stock\""));
    assert_eq!(refused("sku,stock,SKU\n", Mode::Set), "the column sku is there twice");
    assert!(refused("sku,name\n", Mode::Create).ends_with("missing: price_amount, price_currency"));
    assert!(refused("sku\n", Mode::Add).ends_with("missing: stock"));
    assert!(refused("", Mode::Set).ends_with("missing: sku"));
    assert_eq!(refused("sku\n", Mode::Set), "");
}

#[test]
fn a_file_of_another_kind_is_refused_in_words() {
    let refused =
        |text: &[u8], format| rows(text, format, Mode::Set).err().map(|error| error.to_string()).unwrap_or_default();
    for (text, why) in [
        (&b"\xff\xfes\0k\0u\0"[..], "UTF-16"),
        (b"\xfe\xff\0s\0k\0u", "UTF-16"),
        (b"s\0k\0u\0\n\0", "UTF-16"),
        (b"sku;stock\nA;1\n", "semicolons"),
        (b"sku\tstock\nA\t1\n", "tabs"),
        (b"\"sku\";\"stock\"\n", "line 1"),
        (b"sep=;\nsku;stock\n", "\";\" in between"),
        (b"sku,stock,\nA,1,\n", "column 3 has no name"),
        (b"sku,\"stock\nA,1\n", "opened on line 1 is never closed"),
        (b"sku,\"stock\"x\nA,1\n", "line 1: A cell goes on"),
        (b"sku,st\"ock\nA,1\n", "line 1: A quotation mark stands inside"),
    ] {
        let told = refused(text, Format::Csv);
        assert!(told.contains(why), "{}: {told}", String::from_utf8_lossy(text));
    }
    for text in [&b"[{\"sku\":\"A\"}]"[..], b"\xef\xbb\xbf [\n{\"sku\":\"A\"}\n]"] {
        assert!(refused(text, Format::Jsonl).contains("one JSON array"));
    }
    assert!(refused(b"\xff\xfe{\0", Format::Jsonl).contains("UTF-16"));
    let right = [(3, "sku=A|stock=1".to_owned())];
    assert_eq!(lines(b"sep=,\r\nsku,stock\r\nA,1\r\n", Format::Csv), right);
}

#[test]
fn texts_in_json_are_strings() {
    for (value, right) in [
        ("\"sku\":12345678901234567890123", "!sku: This is a text"),
        ("\"sku\":1.10", "!sku: This is a text"),
        ("\"sku\":1E10", "!sku: This is a text"),
        ("\"sku\":4006381333931", "!sku: This is a text"),
        ("\"sku\":true", "!sku: This is a text"),
        ("\"sku\":\"A\",\"name\":7", "!name: This is a text"),
        ("\"sku\":\"A\",\"description\":0", "!description: This is a text"),
        ("\"sku\":\"A\",\"sku\":\"B\"", "!sku: This is there twice"),
        ("\"sku\":\"A\",\"stock\":null,\"stock\":5", "!stock: This is there twice"),
        ("\"sku\":\"\\ud83d\"", "!This is not a JSON object"),
        ("\"sku\":\"A\",\"stock\":NaN", "!This is not a JSON object"),
        ("\"sku\":\"A\",\"stock\":05", "!This is not a JSON object"),
        ("\"sku\":\"A\"} {\"sku\":\"B\"", "!This is not a JSON object"),
        ("\"sku\":\"A\",\"stock\":{}", "!stock: This is not a text nor a number"),
        ("\"sku\":\"0042\"", "sku=0042"),
        ("\"sku\":\"'=1\"", "sku='=1"),
        ("\"sku\":\"A\",\"stock\":5", "sku=A|stock=5"),
        ("\"sku\":\"A\",\"stock\":\"5\",\"manage_stock\":true", "manage_stock=true|sku=A|stock=5"),
    ] {
        let text = format!("{{{value}}}\n{{\"sku\":\"Z\"}}\n");
        let read = lines(text.as_bytes(), Format::Jsonl);
        assert!(read[0].1.starts_with(right), "{value}: {}", read[0].1);
        assert_eq!(read[1], (2, "sku=Z".to_owned()), "{value}");
    }
    for number in ["1e3", "1.0", "-0", "-5", "12345678901234567890123", "0.5"] {
        let read = lines(format!("{{\"sku\":\"A\",\"stock\":{number}}}").as_bytes(), Format::Jsonl);
        let stock = read[0].1.rsplit('=').next().unwrap_or_default();
        assert!(!stock.bytes().all(|byte| byte.is_ascii_digit()), "{number} is no whole number in digits: {stock}");
    }
}

#[test]
fn what_is_no_text_is_told_by_line() {
    let read = lines(b"sku,stock\nA\0,1\nB,1\n\xe9,1\nC,1,\n", Format::Csv);
    let right = ["!sku: This has a NUL", "sku=B|stock=1", "!sku: This is not encoded", "!The line has 3 cells"];
    for (at, right) in right.into_iter().enumerate() {
        assert_eq!(read[at].0, at as u64 + 2);
        assert!(read[at].1.starts_with(right), "{:?}", read[at]);
    }
    let read = lines(b"{\"sku\":\"\xe9\"}\r\n{\"sku\":\"B\"}\r\n", Format::Jsonl);
    assert_eq!((read[0].1.as_str(), read[1].1.as_str()), ("!This is not encoded in UTF-8.", "sku=B"));
}
