# Two stages: build with the toolchain, run with nothing but the program and what it loads. Build: docker build -t sagittal .
FROM rust:1-slim-bookworm AS build
WORKDIR /src

# Dependencies change seldom: built on their own, with stubs in place of the sources, they are a cached layer.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir src benches && touch src/lib.rs \
    && for bench in $(awk '/^\[/ { bench = $0 == "[[bench]]" } bench && $1 == "name" { gsub("\"", "", $3); print $3 }' Cargo.toml); \
       do echo 'fn main() {}' > "benches/$bench.rs"; done \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --profile dist --locked --bin sagittal && cargo clean --profile dist --package sagittal && rm -r src benches

COPY src src
COPY benches benches
COPY migrations migrations
COPY python python
RUN cargo build --profile dist --locked --bin sagittal

# The final image's files: the program, the C library it loads, the certificates it trusts when downloading.
RUN mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/tmp && chmod 1777 /image/tmp \
    && strip -o /image/usr/local/bin/sagittal target/dist/sagittal \
    && ldd target/dist/sagittal | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory=/image \
    && cp --dereference /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && mkdir /empty

FROM scratch
LABEL org.opencontainers.image.title="sagittal" \
      org.opencontainers.image.description="Serves the SPIDER lumbar-spine MRI release over HTTP" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
COPY --from=build --chown=10001:10001 /empty /data
USER 10001:10001
ENV PATH=/usr/local/bin SAGITTAL_DATA=/data SAGITTAL_LISTEN=0.0.0.0:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s CMD ["/usr/local/bin/sagittal", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/sagittal"]
CMD ["serve"]
