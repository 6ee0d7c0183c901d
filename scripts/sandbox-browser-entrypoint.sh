#!/usr/bin/env bash
# Runs in the image of Dockerfile.sandbox-browser: a screen, a browser on it, and the ways to drive and to watch it. Ends as soon
# as one of them ends, so that what started the container sees it. `--check` says whether the browser answers.
#
# Settings, each also with OPENCLAW_ or MOLTBOT_ in front instead of CLAWDBOT_:
#   CLAWDBOT_BROWSER_CDP_PORT      9222, the browser's own protocol
#   CLAWDBOT_BROWSER_VNC_PORT      5900
#   CLAWDBOT_BROWSER_NOVNC_PORT    6080
#   CLAWDBOT_BROWSER_ENABLE_NOVNC  1; with 0 nobody can watch
#   CLAWDBOT_BROWSER_HEADLESS      0; with 1 there is no screen, and so nothing to watch
#   CLAWDBOT_BROWSER_VNC_PASSWORD  made anew at each start when it is not set, and printed once; VNC takes 8 characters
set -euo pipefail

# $1 the part after CLAWDBOT_BROWSER_, $2 what is usual. Prints the value.
setting() {
  local prefix name
  for prefix in OPENCLAW MOLTBOT CLAWDBOT; do
    name=${prefix}_BROWSER_$1
    if [ -n "${!name:-}" ]; then
      printf '%s' "${!name}"
      return 0
    fi
  done
  printf '%s' "$2"
}

port() {
  local value
  value=$(setting "$1" "$2")
  if ! [[ $value =~ ^[1-9][0-9]{0,4}$ ]] || [ "$value" -gt 65535 ]; then
    printf 'CLAWDBOT_BROWSER_%s has to be a port from 1 to 65535; it is: %s\n' "$1" "$value" >&2
    exit 1
  fi
  printf '%s' "$value"
}

CDP_PORT=$(port CDP_PORT 9222)
VNC_PORT=$(port VNC_PORT 5900)
NOVNC_PORT=$(port NOVNC_PORT 6080)
HEADLESS=$(setting HEADLESS 0)
ENABLE_NOVNC=$(setting ENABLE_NOVNC 1)

if [ "${1:-}" = --check ]; then
  exec curl -fsS -o /dev/null --max-time 4 "http://127.0.0.1:$CDP_PORT/json/version"
fi

# The browser takes its protocol on loopback only; socat carries it to the port that can be published.
INNER_PORT=$((CDP_PORT == 65535 ? CDP_PORT - 1 : CDP_PORT + 1))
export DISPLAY=:1

PASSWORD=$(setting VNC_PASSWORD '')
if [ -z "$PASSWORD" ]; then PASSWORD=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n'); fi
if [ "${#PASSWORD}" -gt 8 ]; then
  echo 'CLAWDBOT_BROWSER_VNC_PASSWORD has more than 8 characters; VNC would not look at the rest.' >&2
  exit 1
fi

words=(
  --remote-debugging-address=127.0.0.1 "--remote-debugging-port=$INNER_PORT"
  # A browser in a container of its own has no other pages that could be asked.
  '--remote-allow-origins=*'
  "--user-data-dir=$HOME/profile"
  --no-first-run --no-default-browser-check --disable-dev-shm-usage --disable-background-networking --disable-sync
  --disable-breakpad "--disable-features=Translate,MediaRouter" --password-store=basic "--window-size=1280,800"
)
# Docker takes from containers what the browser's own sandbox is made of, unless it is given back. Then the container is the sandbox:
# this user is not root, and may not become it.
if ! unshare --user --map-root-user true 2>/dev/null; then
  echo "The browser's own sandbox cannot be used in this container: it is without."
  words+=(--no-sandbox)
fi

if [ "$HEADLESS" = 1 ]; then
  words+=(--headless=new)
else
  # A lock of a killed container must not keep the screen from starting.
  rm -f /tmp/.X1-lock /tmp/.X11-unix/X1
  Xvfb "$DISPLAY" -screen 0 1280x800x24 -nolisten tcp &
  for _ in {1..100}; do
    [ ! -S /tmp/.X11-unix/X1 ] || break
    sleep 0.1
  done
fi

# What a killed browser left says that another one uses this profile.
rm -f "$HOME"/profile/Singleton*
chromium "${words[@]}" about:blank &
socat "TCP-LISTEN:$CDP_PORT,fork,reuseaddr" "TCP:127.0.0.1:$INNER_PORT" &

if [ "$HEADLESS" != 1 ] && [ "$ENABLE_NOVNC" = 1 ]; then
  # A file, because other processes can read the words of a command.
  (umask 077 && printf '%s\n' "$PASSWORD" >"$HOME/vnc-password")
  x11vnc -display "$DISPLAY" -rfbport "$VNC_PORT" -passwdfile "$HOME/vnc-password" -shared -forever -noxdamage -quiet &
  websockify --web /usr/share/novnc "$NOVNC_PORT" "127.0.0.1:$VNC_PORT" &
  echo "Watch it: port $NOVNC_PORT, /vnc.html, password $PASSWORD"
fi

wait -n
