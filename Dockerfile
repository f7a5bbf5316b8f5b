# Two stages: build with the toolchain, run without it. Build: docker build -t sagittal .
FROM rust:1-slim-bookworm AS build
WORKDIR /src

# Dependencies change seldom: built on their own, they are a cached layer.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches && echo 'fn main() {}' | tee src/main.rs benches/pictures.rs benches/scale.rs && touch src/lib.rs \
    && cargo build --release --locked --bin sagittal && rm -rf src benches target/release/deps/*sagittal*

COPY src src
COPY benches benches
COPY migrations migrations
RUN cargo build --release --locked --bin sagittal && strip target/release/sagittal

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="sagittal" \
      org.opencontainers.image.description="Serves the SPIDER lumbar-spine MRI release over HTTP" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/release/sagittal /usr/local/bin/sagittal
# Whom to trust when downloading; the base image has no certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN install -d -o 10001 -g 10001 /data
USER 10001:10001
ENV SAGITTAL_DATA=/data SAGITTAL_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s CMD ["sagittal", "healthcheck"]
ENTRYPOINT ["sagittal"]
CMD ["serve"]
