//! Turns the values of a row into a task: numbers are read as whole numbers, and everything that can be checked without the
//! catalogue is checked. The rules are those of the API.

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::commands::{NewProduct, ProductChanges, ProductInput, RowTask};
use domain::product::Product;
use domain::quantity;
use domain::rejection::{Code, Rejection, Rejections};
use domain::text;

use super::Mode;
use super::reader::Record;

/// A row that can be done.
#[derive(Debug, Clone)]
pub struct Task {
    /// The keys that its SKU is looked up by; the first is its own.
    pub sku_keys: Vec<String>,
    /// What is to be done.
    pub task: RowTask,
}

impl Task {
    /// Returns its product, among those that its keys find. A new SKU that only looks like another finds none.
    pub fn product<'a>(&self, found: &'a BTreeMap<String, Product>) -> Option<&'a Product> {
        let keys = match self.task {
            RowTask::Create { .. } => self.sku_keys.get(..1)?,
            RowTask::Add(_) | RowTask::Set { .. } => &self.sku_keys[..],
        };
        keys.iter().find_map(|key| found.get(key))
    }
}

/// Returns the task of a row.
///
/// # Errors
/// Everything that is wrong with the row.
pub fn task(record: &Record, mode: Mode) -> Result<Task, Rejections> {
    let given = |column: &str| record.get(column).map(String::as_str);
    let sku = given("sku").unwrap_or_default();
    if sku.is_empty() || sku.contains('\0') {
        text::sku(sku)?;
    }
    let stock = given("stock").map(units).transpose()?;
    let task = match mode {
        Mode::Add => {
            let units = stock.ok_or_else(|| Rejection::invalid_input("It says how many are added.").at(["stock"]))?;
            RowTask::Add(quantity::at_least_one(units).map_err(|rejection| rejection.at(["stock"]))?)
        }
        Mode::Set => {
            let stock = stock.map(quantity::at_least_zero).transpose().map_err(|rejection| rejection.at(["stock"]))?;
            RowTask::Set { given: Box::new(changes(record)?), stock }
        }
        Mode::Create => {
            let given = Box::new(changes(record)?);
            let new = match new(sku, &given, stock) {
                // Under older rules a product may have such texts, and then it is not made.
                Err(refusal) if !refusal.iter().all(|rejection| may_be_old(rejection, record)) => return Err(refusal),
                new => new.map(Box::new),
            };
            RowTask::Create { new, given, stock }
        }
    };
    Ok(Task { sku_keys: text::sku_keys(sku), task })
}

/// Whether a refusal is of a text that a product of an older release may have.
fn may_be_old(rejection: &Rejection, record: &Record) -> bool {
    column(rejection)
        .is_some_and(|column| ["sku", "name", "description"].contains(&column) && record.contains_key(column))
}

fn changes(record: &Record) -> Result<ProductChanges, Rejections> {
    let given = |column: &str| record.get(column).cloned();
    let price = match (given("price_amount"), given("price_currency")) {
        (Some(amount), Some(currency)) => Some((minor_units(&amount)?, currency)),
        (None, None) => None,
        _ => {
            let both = "A price is an amount and a currency: price_amount and price_currency.";
            return Err(Rejection::invalid_input(both).at(["price_amount"]).into());
        }
    };
    Ok(ProductChanges {
        name: given("name"),
        slug: given("slug"),
        description: given("description").map(Some),
        price,
        manage_stock: given("manage_stock").map(|word| flag(&word)).transpose()?,
        low_stock_threshold: given("low_stock_threshold")
            .map(|text| count("low_stock_threshold", &text))
            .transpose()?,
    })
}

fn new(sku: &str, given: &ProductChanges, stock: Option<i32>) -> Result<NewProduct, Rejections> {
    let Some((price_amount, price_currency)) = given.price.clone() else {
        return Err(Rejection::invalid_input("A new product needs a price.").at(["price_amount"]).into());
    };
    NewProduct::check(&ProductInput {
        sku: sku.to_owned(),
        name: given.name.clone().unwrap_or_default(),
        slug: given.slug.clone(),
        description: given.description.clone().flatten(),
        price_amount,
        price_currency,
        manage_stock: given.manage_stock.unwrap_or(true),
        initial_stock: stock.unwrap_or(0),
        low_stock_threshold: given.low_stock_threshold.unwrap_or(0),
    })
}

fn units(text: &str) -> Result<i32, Rejection> {
    count("stock", text)
}

/// Digits and nothing else: in some files of stock a sign means "more" or "fewer", and a comma or a point may be either.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads a whole number. The rules check its range; what no column can hold is refused here.
fn count(column: &str, text: &str) -> Result<i32, Rejection> {
    whole(text).ok_or_else(|| {
        let message = format!("A quantity is a whole number from 0 to {} without a sign.", quantity::MAX_QUANTITY);
        Rejection::new(Code::InvalidQuantity, message).at([column])
    })
}

/// Reads an amount of money: whole minor units, never a fraction.
fn minor_units(text: &str) -> Result<i64, Rejection> {
    whole(text).ok_or_else(|| {
        let message = "A price is a whole number of minor units without a sign: 1290 for 12.90 EUR.";
        Rejection::invalid_input(message).at(["price_amount"])
    })
}

/// Reads a flag. Spreadsheets write them in capitals.
fn flag(text: &str) -> Result<bool, Rejection> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Rejection::invalid_input("This is true or false.").at(["manage_stock"])),
    }
}

/// Returns a refusal as sentences, each with the name of its column.
#[must_use]
pub fn explain(refusal: &[Rejection]) -> String {
    let all = refusal.iter().map(|rejection| match column(rejection) {
        Some(column) => format!("{column}: {}", rejection.message),
        None => rejection.message.clone(),
    });
    all.collect::<Vec<_>>().join(" ")
}

/// Returns the column that a refusal is about. The API has other names for some of them.
fn column(rejection: &Rejection) -> Option<&str> {
    let path = rejection.field.as_deref()?;
    Some(match path.last()?.as_str() {
        "amount" => "price_amount",
        "currency" => "price_currency",
        "initialStock" => "stock",
        "lowStockThreshold" => "low_stock_threshold",
        name => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(cells: &[(&'static str, &str)], mode: Mode) -> String {
        let record: Record = cells.iter().map(|(column, text)| (*column, (*text).to_owned())).collect();
        let refused = |refusal: Rejections| explain(&refusal);
        match task(&record, mode) {
            Ok(Task { task: RowTask::Create { new, .. }, .. }) => new.map_or_else(refused, |_| String::new()),
            task => task.map_or_else(refused, |_| String::new()),
        }
    }

    #[test]
    fn what_is_wrong_with_a_row_is_told_by_column() {
        let mug = [("sku", "A"), ("name", "Mug"), ("price_amount", "1290"), ("price_currency", "EUR")];
        let with = |column, text| mug.into_iter().filter(move |(name, _)| *name != column).chain([(column, text)]);
        let refused = |column, text| why(&with(column, text).collect::<Vec<_>>(), Mode::Create);
        assert_eq!(why(&mug, Mode::Create), "");
        for (column, text) in [
            ("sku", "a\u{200b}b"),
            ("name", ""),
            ("price_amount", "12.90"),
            ("price_amount", "-1"),
            ("price_amount", "9007199254740992"),
            ("price_amount", "1e3"),
            ("price_currency", "EURO"),
            ("stock", "-1"),
            ("stock", "+5"),
            ("stock", "1,000"),
            ("stock", "1 000"),
            ("stock", "1e3"),
            ("stock", "0x5"),
            ("stock", "\u{ff15}"),
            ("stock", "\u{665}"),
            ("stock", "\u{2212}5"),
            ("stock", "1.0"),
            ("price_amount", "+1"),
            ("price_amount", "\u{ff15}"),
            ("low_stock_threshold", "+1"),
            ("stock", "1000000001"),
            ("stock", "99999999999999999999"),
            ("slug", "Not A Slug"),
            ("low_stock_threshold", "-1"),
            ("low_stock_threshold", "many"),
            ("manage_stock", "yes"),
        ] {
            let refused = refused(column, text);
            assert!(refused.starts_with(column), "{column} {text:?}: {refused}");
        }
        assert_eq!(refused("manage_stock", "FALSE"), "");
        assert!(
            why(&with("stock", "5").chain([("manage_stock", "false")]).collect::<Vec<_>>(), Mode::Create)
                .starts_with("stock: ")
        );
    }

    #[test]
    fn each_mode_needs_what_it_needs() {
        assert!(why(&[("sku", "A")], Mode::Add).starts_with("stock: "));
        for stock in ["0", "+5", "-5", "5.0", "\u{665}"] {
            assert!(why(&[("sku", "A"), ("stock", stock)], Mode::Add).starts_with("stock: "), "{stock}");
        }
        for stock in ["+5", "-5", "-0", "\u{ff15}"] {
            assert!(why(&[("sku", "A"), ("stock", stock)], Mode::Set).starts_with("stock: "), "{stock}");
        }
        assert_eq!(why(&[("sku", "A"), ("stock", "007")], Mode::Set), "", "zeros in front say nothing");
        assert_eq!(why(&[("sku", "A"), ("stock", "1000000000")], Mode::Add), "");
        assert_eq!(why(&[("sku", "A"), ("stock", "0")], Mode::Set), "");
        assert_eq!(why(&[("sku", "A")], Mode::Set), "", "nothing is given, so nothing changes");
        assert!(why(&[("sku", "A"), ("price_amount", "5")], Mode::Set).starts_with("price_amount: "));
        assert!(why(&[("stock", "5")], Mode::Add).starts_with("sku: "));
    }
}
