//! Reads shipments, each with its order.

use entity::shipment;

use crate::database::error::Error;
use domain::id::ShipmentId;
use domain::order::OrderRecord;

use super::Store;
use super::order::parents;

impl Store {
    /// The orders that these shipments belong to.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders_of_shipments(&self, shipments: &[ShipmentId]) -> Result<Vec<OrderRecord>, Error> {
        let ids = shipments.iter().map(|id| id.0);
        self.records(parents::<shipment::Entity>(shipment::Column::OrderId, shipment::Column::Id, ids)).await
    }
}
