//! The demand for products, of which each batch of a writer adds rows of its own: they are merged, and where an older
//! release has written carts or orders without adding to them, put right.

use sea_orm::{ConnectionTrait, DbErr};

use super::sql;

/// The advisory lock under which one replica at a time recounts. The number is ours; it means nothing.
const RECOUNT_LOCK: i64 = 0x006f_6e68_616e_640d;

/// How long a recount may take, which reads all open carts: as long as the maintenance connection waits for an answer.
const RECOUNT_TIMEOUT: &str = "10s";

/// Merges a bounded number of rows with those of their products that are merged already. Returns how many.
///
/// # Errors
/// When the database does not answer, or the role may not.
pub async fn merge_demand(db: &impl ConnectionTrait, limit: u64) -> Result<u64, DbErr> {
    // Of several replicas each takes other rows. Those that they are added to are locked in the order of products.
    let statement = "WITH taken AS (DELETE FROM stock_demand WHERE ctid = ANY (ARRAY(SELECT ctid FROM stock_demand \
        WHERE batch <> '00000000-0000-0000-0000-000000000000' ORDER BY product_id LIMIT $1 FOR UPDATE SKIP LOCKED)) \
        RETURNING product_id, in_carts, in_unpaid_orders), \
        merged AS (INSERT INTO stock_demand AS old (product_id, batch, in_carts, in_unpaid_orders) \
        SELECT product_id, '00000000-0000-0000-0000-000000000000', sum(in_carts), sum(in_unpaid_orders) FROM taken \
        GROUP BY product_id ORDER BY product_id ON CONFLICT (product_id, batch) DO UPDATE \
        SET in_carts = old.in_carts + EXCLUDED.in_carts, \
        in_unpaid_orders = old.in_unpaid_orders + EXCLUDED.in_unpaid_orders RETURNING 1) \
        SELECT count(*) AS count FROM taken";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let row = db.query_one_raw(sql(statement, [limit.into()])).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "count"))?;
    Ok(count.unsigned_abs())
}

/// Adds the difference between what is counted and what there is, as of one moment: whatever is written meanwhile adds its own.
///
/// # Errors
/// When the database does not answer, or the role may not.
pub async fn recount_demand(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    // Sent together, these are one transaction; the second one sees what whoever had the lock before has added.
    let statements = format!(
        "SELECT set_config('statement_timeout', '{RECOUNT_TIMEOUT}', true), pg_advisory_xact_lock({RECOUNT_LOCK}); \
         INSERT INTO stock_demand (product_id, batch, in_carts, in_unpaid_orders) \
         SELECT product_id, gen_random_uuid(), sum(in_carts), sum(in_unpaid_orders) FROM (\
         SELECT i.product_id, i.quantity::bigint AS in_carts, 0::bigint AS in_unpaid_orders \
         FROM cart_item i JOIN cart c ON c.id = i.cart_id WHERE c.status = 'open' \
         UNION ALL SELECT i.product_id, 0, i.quantity FROM order_item i JOIN \"order\" o ON o.id = i.order_id \
         WHERE o.payment = 'unpaid' AND o.status <> 'cancelled' \
         UNION ALL SELECT product_id, -in_carts, -in_unpaid_orders FROM stock_demand) AS difference \
         GROUP BY product_id HAVING sum(in_carts) <> 0 OR sum(in_unpaid_orders) <> 0"
    );
    db.execute_unprepared(&statements).await?;
    Ok(())
}
