//! The demo catalogue: a dozen products with fixed ids, so that examples run as they are. It must only ever be added to an
//! empty catalogue.

use uuid::Uuid;

use crate::app::App;
use crate::database::error::Error;
use domain::actor::Actor;
use domain::commands::{FillCatalogue, NewProduct, ProductInput};
use domain::id::ProductId;

/// SKU, name, description, price in cents, units, and low-stock threshold. Without units the stock is not managed.
type Demo = (&'static str, &'static str, &'static str, i64, Option<i32>, i32);

const PRODUCTS: [Demo; 12] = [
    ("MUG-BLUE", "Blue mug", "Stoneware, 350 ml, glazed by hand.", 1_200, Some(10), 3),
    ("MUG-GREEN", "Green mug", "The blue mug's quieter sibling.", 1_200, Some(24), 3),
    ("TEAPOT", "Teapot", "Cast iron, 1.2 litres, with a strainer.", 5_900, Some(6), 2),
    ("TEA-EARL-250", "Earl Grey, 250 g", "Black tea with oil of bergamot.", 890, Some(120), 20),
    ("TEA-MINT-100", "Peppermint, 100 g", "Whole leaves.", 450, Some(80), 20),
    ("COFFEE-1000", "Coffee beans, 1 kg", "Medium roast.", 1_990, Some(45), 10),
    ("GRINDER", "Coffee grinder", "Hand-cranked, steel burrs.", 7_450, Some(3), 5),
    ("KETTLE", "Kettle", "Gooseneck spout, 900 ml.", 6_400, Some(0), 2),
    ("TOWEL-SET", "Tea towels, set of 3", "Linen.", 2_400, Some(32), 5),
    ("TRAY-OAK", "Oak tray", "One of a kind.", 8_900, Some(1), 1),
    ("HONEY-500", "Honey, 500 g", "From lime trees.", 950, Some(60), 12),
    ("GIFT-CARD", "Gift card", "Sent by mail, never out of stock.", 2_500, None, 0),
];

/// The id of the first demo product; the others count up from it.
const FIRST: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0001;

/// Fills an empty catalogue. Returns how many products were added.
///
/// # Errors
/// When the database does not answer.
pub async fn fill(app: &App) -> Result<usize, Error> {
    if !app.store.is_catalogue_empty().await? {
        return Ok(0);
    }
    let mut products = Vec::with_capacity(PRODUCTS.len());
    for (number, (sku, name, description, price, units, threshold)) in (0..).zip(PRODUCTS) {
        let input = ProductInput {
            sku: sku.to_owned(),
            name: name.to_owned(),
            slug: None,
            description: Some(description.to_owned()),
            price_amount: price,
            price_currency: "EUR".to_owned(),
            manage_stock: units.is_some(),
            initial_stock: units.unwrap_or(0),
            low_stock_threshold: threshold,
        };
        products.push((ProductId(Uuid::from_u128(FIRST + number)), NewProduct::check(&input)?));
    }
    match app.writer.submit(&Actor::System, FillCatalogue(products)).await {
        // Another replica that started at the same moment was faster.
        Err(Error::Refused(_)) => Ok(0),
        filled => filled,
    }
}
