#!/usr/bin/env bash
# Builds the image in which commands of the assistant run apart from this machine: clawdbot-sandbox:bookworm-slim.
set -euo pipefail
LC_ALL=C
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup/sandbox.sh
. scripts/setup/sandbox.sh

NAME=sandbox:bookworm-slim
case ${1:-} in
  '') ;;
  -h | --help)
    printf 'Usage: scripts/sandbox-setup.sh\n\nBuilds clawdbot-%s from Dockerfile.sandbox. Run it again to bring its packages up to date.\n' "$NAME"
    exit 0
    ;;
  *) fail "there is no option ${1:0:80}" 'Look at: scripts/sandbox-setup.sh --help' ;;
esac

find_tool
# From standard input: nothing of this folder is needed. Without the cache, or yesterday's packages would stay.
"$TOOL" build --no-cache -t "clawdbot-$NAME" - <Dockerfile.sandbox ||
  fail 'The image could not be built; the reason is above.' 'Is there a network? Then: scripts/sandbox-setup.sh'
add_older_names "$NAME"
printf 'Built clawdbot-%s.\n' "$NAME"
