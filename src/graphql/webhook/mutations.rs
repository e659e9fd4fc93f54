//! Mutations of webhooks. They decode and encode; the rules stand in the commands.

use std::collections::BTreeSet;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::app::App;
use crate::database::error::Error;
use crate::graphql::Viewer;
use crate::graphql::budget::Text;
use crate::graphql::error::{UserError, failure, refusable};
use crate::graphql::keys::{at_most, id};
use domain::commands::{Command, CreateWebhook, DeleteWebhook, RepeatDelivery, UpdateWebhook};
use domain::webhook::EventKind;

use super::types::{Webhook, WebhookDelivery, WebhookEventKind};

/// Maximum number of events in an input, repeated ones included.
const MAX_EVENTS: usize = 20;

/// The input of `createWebhook`.
#[derive(Debug, InputObject)]
pub struct CreateWebhookInput {
    /// The address: https, public, at most 2,000 characters, without a user name, for example "https://shop.example/hooks".
    url: String,
    /// The events that are sent there. At least one.
    events: Vec<WebhookEventKind>,
}

/// The input of `updateWebhook`. What is not given, or null, stays.
#[derive(Debug, InputObject)]
pub struct UpdateWebhookInput {
    /// The webhook.
    id: ID,
    /// The new address, as for `createWebhook`. What has failed at the old one is sent there at once.
    url: Option<String>,
    /// The events that are sent there from now on. At least one.
    events: Option<Vec<WebhookEventKind>>,
    /// Whether events are recorded and sent. True also forgets failures: what waits for its next attempt is sent at once.
    enabled: Option<bool>,
}

/// The input of `deleteWebhook`.
#[derive(Debug, InputObject)]
pub struct DeleteWebhookInput {
    /// The webhook.
    id: ID,
}

/// The input of `repeatWebhookDelivery`.
#[derive(Debug, InputObject)]
pub struct RepeatWebhookDeliveryInput {
    /// The delivery.
    delivery_id: ID,
}

/// The result of `createWebhook`.
#[derive(Debug, SimpleObject)]
pub struct CreateWebhookPayload {
    /// The webhook. Null if it was refused.
    webhook: Option<Webhook>,
    /// The secret that its deliveries are signed with. It is shown here and never again: keep it. Null if it was refused.
    secret: Option<Text<String>>,
    /// Why it was refused. Empty if it was not.
    user_errors: Vec<UserError>,
}

/// The result of `updateWebhook`.
#[derive(Debug, SimpleObject)]
pub struct UpdateWebhookPayload {
    /// The webhook after the mutation. Null if it was refused.
    webhook: Option<Webhook>,
    /// Why it was refused. Empty if it was not.
    user_errors: Vec<UserError>,
}

/// The result of `deleteWebhook`.
#[derive(Debug, SimpleObject)]
pub struct DeleteWebhookPayload {
    /// The id of the webhook that is gone. Null if it was refused.
    deleted_webhook_id: Option<ID>,
    /// Why it was refused. Empty if it was not.
    user_errors: Vec<UserError>,
}

/// The result of `repeatWebhookDelivery`.
#[derive(Debug, SimpleObject)]
pub struct RepeatWebhookDeliveryPayload {
    /// The delivery after the mutation. Null if it was refused.
    delivery: Option<WebhookDelivery>,
    /// Why it was refused. Empty if it was not.
    user_errors: Vec<UserError>,
}

/// Mutations of webhooks. Staff only.
#[derive(Debug, Default)]
pub struct WebhookMutations;

#[Object]
impl WebhookMutations {
    /// Registers an address that events are sent to from now on, as POST requests signed with a secret, which is answered once.
    /// A shop has at most 20 webhooks. Staff only.
    ///
    /// User errors: INVALID_INPUT, LIMIT_EXCEEDED.
    async fn create_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: CreateWebhookInput,
    ) -> async_graphql::Result<CreateWebhookPayload> {
        Viewer::of(context).must_be_staff()?;
        let events = events(input.events)?;
        let command = match checked(context, Some(&input.url)) {
            Ok(url) => {
                let log_end = log_end(context, &events).await?;
                Ok(CreateWebhook { url: url.unwrap_or_default(), events, log_end })
            }
            Err(refused) => Err(refused),
        };
        Ok(match submit(context, command).await? {
            Ok(webhook) => CreateWebhookPayload {
                secret: Some(Text(webhook.secret.reveal().to_owned())),
                webhook: Some(Webhook(webhook)),
                user_errors: Vec::new(),
            },
            Err(user_errors) => CreateWebhookPayload { webhook: None, secret: None, user_errors },
        })
    }

    /// Changes a webhook, switches it off or on. Events that happen while it is off are not recorded for it; movements of
    /// stock are sent as one event per product when it is on again. Staff only.
    ///
    /// User errors: NOT_FOUND, INVALID_INPUT.
    async fn update_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateWebhookInput,
    ) -> async_graphql::Result<UpdateWebhookPayload> {
        Viewer::of(context).must_be_staff()?;
        let (webhook, events) = (id(&input.id)?, input.events.map(events).transpose()?);
        let command = match checked(context, input.url.as_deref()) {
            Ok(url) => {
                let log_end = log_end(context, events.as_ref().unwrap_or(&BTreeSet::new())).await?;
                Ok(UpdateWebhook { webhook, url, events, enabled: input.enabled, log_end })
            }
            Err(refused) => Err(refused),
        };
        Ok(match submit(context, command).await? {
            Ok(webhook) => UpdateWebhookPayload { webhook: Some(Webhook(webhook)), user_errors: Vec::new() },
            Err(user_errors) => UpdateWebhookPayload { webhook: None, user_errors },
        })
    }

    /// Deletes a webhook. Nothing more is sent to it, and its deliveries are not found any more. Staff only.
    ///
    /// User errors: NOT_FOUND.
    async fn delete_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: DeleteWebhookInput,
    ) -> async_graphql::Result<DeleteWebhookPayload> {
        Viewer::of(context).must_be_staff()?;
        Ok(match submit(context, Ok(DeleteWebhook { webhook: id(&input.id)? })).await? {
            Ok(id) => DeleteWebhookPayload { deleted_webhook_id: Some(id.into()), user_errors: Vec::new() },
            Err(user_errors) => DeleteWebhookPayload { deleted_webhook_id: None, user_errors },
        })
    }

    /// Sends a delivery again: one that was accepted, one that was given up, or at once one that waits for its next attempt.
    /// Its id and its body stay. Staff only.
    ///
    /// User errors: NOT_FOUND, INVALID_STATE (the webhook is switched off).
    async fn repeat_webhook_delivery(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The delivery.")] input: RepeatWebhookDeliveryInput,
    ) -> async_graphql::Result<RepeatWebhookDeliveryPayload> {
        Viewer::of(context).must_be_staff()?;
        Ok(match submit(context, Ok(RepeatDelivery { delivery: id(&input.delivery_id)? })).await? {
            Ok(delivery) => {
                RepeatWebhookDeliveryPayload { delivery: Some(WebhookDelivery(delivery)), user_errors: Vec::new() }
            }
            Err(user_errors) => RepeatWebhookDeliveryPayload { delivery: None, user_errors },
        })
    }
}

fn events(kinds: Vec<WebhookEventKind>) -> async_graphql::Result<BTreeSet<EventKind>> {
    at_most("events", kinds.len(), MAX_EVENTS)?;
    Ok(kinds.into_iter().map(Into::into).collect())
}

/// The address in its usual form, if one was given.
fn checked(context: &Context<'_>, url: Option<&str>) -> Result<Option<String>, Error> {
    let webhooks = &context.data_unchecked::<App>().webhooks;
    url.map(|url| webhooks.check_url(url)).transpose().map_err(|refused| Error::Refused(refused.into()))
}

/// Where a webhook begins to follow the log, if one of these events is derived from it.
async fn log_end(context: &Context<'_>, events: &BTreeSet<EventKind>) -> async_graphql::Result<String> {
    if events.iter().all(|kind| kind.is_of_order()) {
        return Ok(String::new());
    }
    context.data_unchecked::<App>().webhooks.log_end().await.map_err(|error| failure(&error))
}

async fn submit<C: Command>(
    context: &Context<'_>,
    command: Result<C, Error>,
) -> async_graphql::Result<Result<C::Answer, Vec<UserError>>> {
    let result = match command {
        Ok(command) => context.data_unchecked::<App>().writer.submit(Viewer::of(context), command).await,
        Err(refused) => Err(refused),
    };
    refusable(result)
}
