//! `onhand serve`: binds the address, answers that it is starting, starts the app, and serves until a signal or the end of a
//! task that the server cannot do without. Then it drains and closes.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::banner::{Banner, Started};
use super::demo;
use super::runtime::Runtime;
use super::signals::{Force, Shutdown};
use crate::app::{App, Settings};
use crate::config::{CommandLine, EarlierRelease, LimitSettings, Serve, SizeLimits};
use crate::payment;
use crate::server::{Authenticator, HttpConfig, Startup, TransportConfig, bind};
use crate::webhooks;
use crate::writer::retention::{self, Lifetimes};

/// Number of file descriptors that are kept free of connections: for the database and its reconnects, gateways, keys, and
/// connections that are about to end.
const OTHER_FILES: u64 = 512;

/// Serves until it is to stop.
///
/// # Errors
/// When the server cannot start, or a task ended that it cannot do without; the message is for people.
pub async fn run(line: &CommandLine) -> anyhow::Result<()> {
    let banner = Banner::new(line.serve.log_format)?;
    let served = serve(line, &banner).await;
    if served.is_ok() {
        banner.stopped();
    }
    banner.flush();
    served
}

async fn serve(line: &CommandLine, banner: &Banner) -> anyhow::Result<()> {
    let (serve, access, limits) = (&line.serve, &line.access, &line.limits);
    line.check().map_err(anyhow::Error::msg)?;
    let announce = banner.clone();
    let shutdown = Shutdown::on_signal(Force::SecondInterrupt, move || announce.draining())?;
    let stop = shutdown.token();
    let authenticator = Authenticator::new(access).await?;
    let is_development = authenticator.is_development();
    let transport = transport(line)?;
    let bound = stop.run_until_cancelled(bind::bind(&serve.listen, is_development)).await;
    let Some(listener) = bound.transpose()? else { return Ok(()) };
    let address = listener.local_addr()?;
    // A migration may take minutes. Requests are answered meanwhile: the server is starting.
    let startup = Startup::open(listener, &transport, stop.clone());
    let has_sandbox = serve.gateways.has_sandbox(access.sandbox, is_development);
    serve.gateways.check_default(has_sandbox).map_err(anyhow::Error::msg)?;
    let settings = Settings {
        webhooks: serve.webhooks,
        public_stock: access.public_stock,
        has_sandbox,
        gateways: serve.gateways.clone(),
        max_queued: limits.sizes.queued,
        holds: serve.holds,
        is_compatible_with_0_1: serve.compatible_with == Some(EarlierRelease::V0_1),
        ..Settings::of(serve.payment)
    };
    let Some(runtime) = Runtime::start(&line.database_url, settings, stop).await? else { return Ok(()) };
    let supervisor = runtime.app.supervisor.clone();
    let app = runtime.app.clone();
    let served = async move {
        if stop.run_until_cancelled(authenticator.wait_for_keys()).await.is_none() {
            return Ok(());
        }
        let demo_products = if serve.demo.unwrap_or(is_development) { demo::fill(&app).await? } else { 0 };
        let explore = access.explore.unwrap_or(is_development);
        supervise(&app, serve, stop);
        let config = HttpConfig { authenticator, explore, documents: limits.documents, transport };
        let server = startup.serve(app, config)?;
        banner.started(line, Started { address, is_development, explore, demo_products });
        server.until_drained().await
    }
    .await;
    // However it ended, what is queued is committed and the file is left whole.
    stop.cancel();
    runtime.stop().await;
    served?;
    if let Some(reason) = supervisor.failure() {
        bail!("{reason}");
    }
    Ok(())
}

/// Starts what a server does besides answering. It stops when one of its tasks ends too early.
fn supervise(app: &App, serve: &Serve, stop: &CancellationToken) {
    let carts = Lifetimes::with_carts(Duration::from_hours(u64::from(serve.cart_days) * 24));
    let lifetimes = Lifetimes { unpaid_order: serve.unpaid_order_expiry, ..carts };
    let by = (app.writer.clone(), app.store.clone());
    let retention = retention::run_retention(by, app.clock.clone(), lifetimes, stop.clone());
    app.supervisor.spawn("recovery", stop, payment::recover(app.payments.clone(), stop.clone()));
    app.supervisor.spawn("holds", stop, payment::holds::end_holds(app.holds.clone(), stop.clone()));
    app.supervisor.spawn("retention", stop, retention);
    app.supervisor.spawn("webhooks", stop, webhooks::send(app.webhooks.clone(), stop.clone()));
    app.supervisor.stop_on_failure(stop);
}

/// Returns the configuration of the transport, with no more connections than there may be open files.
fn transport(line: &CommandLine) -> anyhow::Result<TransportConfig> {
    let limits = &line.limits;
    let connections = bound_connections(limits.sizes.connections, limits.sizes.sockets)?;
    let sizes = SizeLimits { connections, ..limits.sizes };
    Ok(TransportConfig::new(&LimitSettings { sizes, ..limits.clone() }, line.serve.allowed_origins.clone()))
}

/// Raises the limit of open files as far as it may be, and returns how many connections leave enough of them for the rest.
///
/// # Errors
/// When there are not even enough files for the rest.
fn bound_connections(wanted: usize, sockets: usize) -> anyhow::Result<usize> {
    let files = rlimit::increase_nofile_limit(wanted as u64 + OTHER_FILES);
    let files =
        files.or_else(|_| rlimit::Resource::NOFILE.get_soft()).context("the limit of open files is not known")?;
    let most = files.saturating_sub(OTHER_FILES);
    if most == 0 {
        bail!("this process may open {files} files and needs more than {OTHER_FILES}: raise `ulimit -n`");
    }
    let connections = usize::try_from(most).map_or(wanted, |most| most.min(wanted));
    if connections < wanted {
        tracing::warn!(
            files,
            connections,
            wanted,
            "fewer connections than ONHAND_MAX_CONNECTIONS: raise `ulimit -n` for more"
        );
    }
    if connections < sockets {
        tracing::warn!(
            files,
            connections,
            sockets,
            "there are not as many connections as ONHAND_MAX_SOCKETS allows websockets: raise `ulimit -n` and \
             ONHAND_MAX_CONNECTIONS, or lower ONHAND_MAX_SOCKETS"
        );
    }
    Ok(connections)
}
