# syntax=docker/dockerfile:1
# The program on a minimal base without a shell or a package manager, as an unprivileged user:
#     docker build -t dapple .
#     docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" dapple predict horse photo.jpg
FROM rust:1-slim-bookworm AS build
WORKDIR /source
# Cargo features, such as `cloud` for object storage: docker build --build-arg FEATURES=cloud …
ARG FEATURES=
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --release --package dapple --features "$FEATURES" && cp target/release/dapple /dapple

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /dapple /usr/local/bin/dapple
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/dapple/
# Downloaded weights; mount a volume there to keep them.
ENV DAPPLE_CACHE=/tmp/dapple
WORKDIR /data
EXPOSE 8080
ENTRYPOINT ["dapple"]
CMD ["--help"]
