# The server alone: one static binary in an empty image, which runs as a user without rights. tests/container proves on
# this machine, without an engine, that the binary needs nothing else.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The target is named so that only what runs later is linked statically, not what the compiler loads while it builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin onhand --target "$target" \
 && mkdir -p /image/data \
 && cp "target/$target/release/onhand" /image/onhand

FROM scratch
COPY --from=build /image/onhand /onhand
# For those who keep an SQLite file: the only place that can be written to. With PostgreSQL it stays empty.
COPY --from=build --chown=65532:65532 /image/data /data
WORKDIR /data
USER 65532:65532
# Everywhere, as a container has to. Without ONHAND_SECRET or ONHAND_JWKS the server refuses that and does not start.
ENV ONHAND_LISTEN=0.0.0.0:8000 DATABASE_URL=sqlite:///data/onhand.db
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s CMD ["/onhand", "health"]
ENTRYPOINT ["/onhand"]
