#!/usr/bin/env bash
# Builds the image with a browser that the assistant drives: clawdbot-sandbox-browser:bookworm-slim.
set -euo pipefail
LC_ALL=C
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup/sandbox.sh
. scripts/setup/sandbox.sh

NAME=sandbox-browser:bookworm-slim
case ${1:-} in
  '') ;;
  -h | --help)
    printf 'Usage: scripts/sandbox-browser-setup.sh\n\nBuilds clawdbot-%s from Dockerfile.sandbox-browser. Run it again to bring the browser up to date.\n' "$NAME"
    exit 0
    ;;
  *) fail "there is no option ${1:0:80}" 'Look at: scripts/sandbox-browser-setup.sh --help' ;;
esac

find_tool
# Only what the image is made of: the folder itself may hold large and private files. Without the cache, or the browser would age.
tar -cf - Dockerfile.sandbox-browser scripts/sandbox-browser-entrypoint.sh |
  "$TOOL" build --no-cache -t "clawdbot-$NAME" -f Dockerfile.sandbox-browser - ||
  fail 'The image could not be built; the reason is above.' 'Is there a network? Then: scripts/sandbox-browser-setup.sh'
add_older_names "$NAME"
cat <<TEXT
Built clawdbot-$NAME. To try it, on this machine only:
  $TOOL run --rm --shm-size 256m --cap-drop ALL --security-opt no-new-privileges \\
    -p 127.0.0.1:9222:9222 -p 127.0.0.1:6080:6080 clawdbot-$NAME
It prints the password for http://127.0.0.1:6080/vnc.html when it starts.
TEXT
