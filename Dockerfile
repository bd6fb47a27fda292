# syntax=docker/dockerfile:1
#
# The operator as an image: one static program, no shell, no root.
#
#   docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t registry.example.com/drover:0.1.0 .
#
# RUST is the channel of rust-toolchain.toml. To hold the build to one image for good, give its digest along:
#   --build-arg RUST=1.95.0-alpine@sha256:...
ARG RUST=1.95.0-alpine

FROM rust:${RUST} AS build
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY operator operator
COPY tests tests
COPY crds crds
# Without the mover, which belongs beside libvirt and is linked with it.
# Paths of this machine and the moment of the build leave no trace in the program.
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    CARGO_INCREMENTAL=0 \
    RUSTFLAGS="-C strip=symbols --remap-path-prefix=/src=. --remap-path-prefix=/usr/local/cargo=cargo"
# The list of its dependencies goes into the program, where scanners of images look for it.
RUN cargo install --locked --version 0.7.7 cargo-auditable
RUN cargo auditable build --locked --release --package drover --bin drover --no-default-features \
    && mkdir -p /image/etc/ssl/certs \
    && cp target/release/drover /image/drover \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
ARG SOURCE_DATE_EPOCH=0
LABEL org.opencontainers.image.title="drover" \
      org.opencontainers.image.description="Disaster recovery as code" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
# Nobody, by number: Kubernetes cannot judge a name.
USER 65532:65532
EXPOSE 8080 9443
ENTRYPOINT ["/drover"]
CMD ["run"]
