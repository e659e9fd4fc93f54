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
        format!("[]\n{{\"sku\"\n{long}\n{{\"size\":1}}\n{{\"sku\":[]}}\n{}\n{{\"sku\":\"A\"}}\n", "[".repeat(10_000));
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
fn a_row_has_a_bound() {
    let exactly = format!("sku,description\nA,\"{}\"\nB,\n", "x".repeat(MAX_LINE - 1));
    assert_eq!(rows(exactly.as_bytes(), Format::Csv, Mode::Set).expect("short enough").len(), 2);
    let one_more = format!("sku,description\nA,\"{}\"\nB,\n", "x".repeat(MAX_LINE));
    let never_closed = format!("sku,description\nA,b\nB,\"c\n{}", "D,e\n".repeat(1_000_000));
    for (text, line) in [(one_more, 2), (never_closed, 3)] {
        let error = rows(text.as_bytes(), Format::Csv, Mode::Set).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.starts_with(&format!("line {line} has more"))), "{error:?}");
    }
}
