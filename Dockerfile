# The image of clawdbot: one executable on an otherwise empty file system, with a shell and its everyday tools.
#
#   docker build -t clawdbot:local -f Dockerfile .
#
# The executable comes from dist/ when it is there and newer than the source, else it is built from the source.
# Works with BuildKit, with the older builder (DOCKER_BUILDKIT=0) and with buildah. Settings, each as `--build-arg NAME=value`:
#   CLAWDBOT_DOCKER_APT_PACKAGES="ffmpeg git"   a whole Debian with these packages instead of the minimal system
#   CLAWDBOT_BINARY=dist/clawdbot-linux-x64     this executable and no other
#   CLAWDBOT_BUILD_IMAGE=debian:bookworm-slim   with an executable in dist/ Node is not needed: nothing more is pulled
#   CLAWDBOT_IMAGE_USER=0                       for hosts whose disks belong to root: the gateway starts as root and, with
#                                               CLAWDBOT_DROP_UID=1000 in its environment, takes the disk over and gives root up
# Programs of your own belong into scripts/docker/extra-bin/; they are put into /usr/local/bin.
# `--target bare` makes an image with the executable alone: no shell, so the assistant cannot run commands.

ARG CLAWDBOT_BUILD_IMAGE=node:22-bookworm-slim

FROM ${CLAWDBOT_BUILD_IMAGE} AS build
ARG CLAWDBOT_BINARY=
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN sh scripts/docker/executable.sh /out

FROM debian:bookworm-slim AS rootfs
ARG TARGETARCH
ARG CLAWDBOT_DOCKER_APT_PACKAGES=
# First what seldom changes, so that a new version of the program, or another one beside it, is packed within a second.
COPY scripts/docker/rootfs.sh /scripts/
RUN sh /scripts/rootfs.sh /out
COPY scripts/docker /scripts
COPY LICENSE LICENSES /licenses/
COPY --from=build /out/clawdbot /clawdbot
RUN sh /scripts/program.sh /out

FROM scratch AS bare
COPY --from=build /out/clawdbot /clawdbot
COPY --from=build --chown=1000:1000 /out/data /data
COPY --from=build --chown=1000:1000 /out/data /tmp
ENV HOME=/data CLAWDBOT_STATE_DIR=/data NODE_ENV=production
USER 1000:1000
WORKDIR /data
EXPOSE 18789
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/clawdbot", "health", "--quiet"]
ENTRYPOINT ["/clawdbot"]
CMD ["gateway", "--allow-unconfigured", "--bind", "lan"]

FROM scratch
LABEL org.opencontainers.image.title="clawdbot" \
      org.opencontainers.image.description="A personal AI assistant: gateway, channels and Control UI" \
      org.opencontainers.image.source="https://github.com/clawdbot/clawdbot" \
      org.opencontainers.image.licenses="MIT AND GPL-3.0-only AND LGPL-2.1-or-later"
COPY --from=rootfs /out/ /
ENV HOME=/home/node NODE_ENV=production \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /app
ARG CLAWDBOT_IMAGE_USER=1000:1000
USER ${CLAWDBOT_IMAGE_USER}
EXPOSE 18789
STOPSIGNAL SIGTERM
# Without a shell, and without a port: the gateway's lock file says where it listens.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["clawdbot", "health", "--quiet"]
# Reaps what the assistant's commands leave behind. `-s`: also when `init: true` has made another process the first one.
ENTRYPOINT ["/sbin/tini", "-s", "--"]
CMD ["node", "dist/index.js", "gateway", "--allow-unconfigured", "--bind", "lan"]
