# The image with a shell, for schedulers whose jobs need one, such as import-shards.yaml:
#   docker build --tag sagittal . && docker build --tag sagittal:shell - < deploy/shell.Dockerfile
FROM debian:bookworm-slim
COPY --from=sagittal /usr/local/bin/sagittal /usr/local/bin/
COPY --from=sagittal /etc/ssl/certs /etc/ssl/certs
USER 10001:10001
