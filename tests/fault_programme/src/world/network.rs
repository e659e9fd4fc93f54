//! A network namespace with a link to this machine, in which one server lives, and which can be cut off so that nothing says
//! so: packets vanish. It is there until this is dropped; only root may make one. Nothing leaves the machine.
//!
//! Two small networks lie on the link: over one the server is asked, over the other it asks its database and the gateway.

use std::convert::Infallible;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A place on the link where nobody is.
const NOWHERE: &str = "02:00:00:00:00:fe";

/// A namespace and the link to it.
#[derive(Debug)]
pub struct Network {
    name: String,
    host: String,
    inside: String,
    inside_to_database: String,
    range: String,
    relays: Vec<(Child, JoinHandle<()>)>,
}

impl Network {
    /// A new one, named after this process. Its addresses are of the range that carriers share among themselves: nobody's own,
    /// and private, so that a shop may send webhooks there.
    pub fn new() -> anyhow::Result<Self> {
        let id = std::process::id();
        let net = format!("100.127.{}", id % 256);
        let network = Self {
            name: format!("onhand-{id}"),
            host: format!("{net}.5"),
            inside: format!("{net}.2"),
            inside_to_database: format!("{net}.6"),
            range: format!("{net}.4/30"),
            relays: Vec::new(),
        };
        network.make(&net)?;
        Ok(network)
    }

    fn make(&self, net: &str) -> anyhow::Result<()> {
        let Self { name, .. } = self;
        let (outer, inner) = (Self::outer(), "shop");
        ip(&["netns", "add", name])?;
        ip(&["link", "add", &outer, "type", "veth", "peer", "name", inner, "netns", name])?;
        for (outside, inside) in [(1, 2), (5, 6)] {
            ip(&["address", "add", &format!("{net}.{outside}/30"), "dev", &outer])?;
            ip(&["-n", name, "address", "add", &format!("{net}.{inside}/30"), "dev", inner])?;
        }
        ip(&["link", "set", &outer, "up"])?;
        for device in ["lo", inner] {
            ip(&["-n", name, "link", "set", device, "up"])?;
        }
        Ok(())
    }

    fn outer() -> String {
        // A name of a device has at most fifteen characters.
        format!("oh{}", std::process::id())
    }

    /// The address of this machine for whoever is inside.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where whoever is inside comes from when it asks the database.
    pub fn range(&self) -> &str {
        &self.range
    }

    /// What runs a program inside.
    pub fn wrapper(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Passes on what comes to this port of this machine, over the link, to the server inside, which listens to itself only
    /// and answers to loopback names only.
    pub fn open(&mut self, port: u16) -> anyhow::Result<()> {
        let (here, link) = (format!("127.0.0.1:{port}"), format!("{}:{port}", self.inside));
        let [program, arguments @ ..] = self.wrapper();
        let mut inner = Command::new(program);
        inner.args(arguments).arg(std::env::current_exe()?).args(["--relay", &link, &here]);
        // It ends with its input, and that with this process.
        let inner = inner.stdin(Stdio::piped()).spawn().context("a relay")?;
        let outer = tokio::spawn(async move {
            // Without it the server does not become ready.
            let _ = relay(&here, &link).await;
        });
        self.relays.push((inner, outer));
        Ok(())
    }

    /// Swallows everything between the inside and database and gateway; clients still get through.
    pub fn swallow(&self) -> anyhow::Result<()> {
        let Self { name, host, inside_to_database, .. } = self;
        let lost = ["lladdr", NOWHERE, "nud", "permanent"];
        ip(&[&["-n", name, "neighbour", "replace", host, "dev", "shop"][..], &lost].concat())?;
        ip(&[&["neighbour", "replace", inside_to_database, "dev", &Self::outer()][..], &lost].concat())
    }

    /// Lets everything through again.
    pub fn restore(&self) -> anyhow::Result<()> {
        let Self { name, host, inside_to_database, .. } = self;
        ip(&["-n", name, "neighbour", "delete", host, "dev", "shop"])?;
        ip(&["neighbour", "delete", inside_to_database, "dev", &Self::outer()])
    }

    /// Takes the link away, for clients too; or brings it back.
    pub fn link(&self, is_up: bool) -> anyhow::Result<()> {
        ip(&["-n", &self.name, "link", "set", "shop", if is_up { "up" } else { "down" }])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for (inner, outer) in &mut self.relays {
            // It may have ended by itself.
            let _ = inner.kill();
            let _ = inner.wait();
            outer.abort();
        }
        // The link goes with its inner end. Whatever was not made cannot be removed.
        let _ = ip(&["link", "delete", &Self::outer()]);
        let _ = ip(&["netns", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("ip").args(arguments).stderr(Stdio::null()).status().context("ip")?;
    ensure!(status.success(), "ip {}: {status}", arguments.join(" "));
    Ok(())
}

/// Passes connections on as long as the process that wants it lives: until the input ends.
pub async fn relay_while_wanted(from: &str, to: &str) -> anyhow::Result<()> {
    let (mut input, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
    tokio::select! {
        ended = relay(from, to) => match ended? {},
        ended = tokio::io::copy(&mut input, &mut nowhere) => ended.map(drop).map_err(Into::into),
    }
}

/// Passes connections on for ever.
async fn relay(from: &str, to: &str) -> anyhow::Result<Infallible> {
    let listener = TcpListener::bind(from).await?;
    loop {
        let (mut client, _) = listener.accept().await?;
        let to = to.to_owned();
        tokio::spawn(async move {
            // Both ends are told when one of them ends it.
            if let Ok(mut server) = TcpStream::connect(to).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
