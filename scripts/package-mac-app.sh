#!/usr/bin/env bash
# Puts the macOS executable into an application that can be opened from the Finder: dist/Clawdbot.app. Opening it starts the gateway
# when none runs, and shows the Control UI in the browser. Works on any system; only the signature needs a Mac.
set -euo pipefail
LC_ALL=C
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# The same as in `defaults write com.clawdbot.mac ...`.
readonly IDENTIFIER=com.clawdbot.mac
SCRATCH=''

usage() {
  cat <<'TEXT'
Usage: scripts/package-mac-app.sh [--arch arm64|x64] [--binary <file>] [--output <folder>]

Makes dist/Clawdbot.app around an executable for macOS.

Options:
  --arch <arch>      arm64 (Apple silicon, the default) or x64 (Intel); on a Mac its own
  --binary <file>    default: dist/clawdbot-darwin-<arch>, made by: bun build.ts --target darwin-<arch>
  --output <folder>  default: dist
  -h, --help         Print this.

Variables:
  SIGN_IDENTITY      on a Mac: who signs it, as in `security find-identity -p codesigning`; without it, the signature is ad hoc

Example:
  bun build.ts --target darwin-arm64 && scripts/package-mac-app.sh
TEXT
}

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

clean_up() { [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"; }
trap clean_up EXIT

ARCH=arm64
if [ "$(uname -s) $(uname -m)" = 'Darwin x86_64' ]; then ARCH=x64; fi
BINARY=''
OUTPUT=dist
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --arch | --binary | --output)
      if [ -z "${2:-}" ]; then fail "$1 needs a value." 'Look at: scripts/package-mac-app.sh --help'; fi
      case $1 in
        --arch) ARCH=$2 ;;
        --binary) BINARY=$2 ;;
        --output) OUTPUT=$2 ;;
      esac
      shift
      ;;
    *) fail "there is no option ${1:0:80}" 'Look at: scripts/package-mac-app.sh --help' ;;
  esac
  shift
done
case $ARCH in
  arm64 | x64) ;;
  *) fail "--arch has to be arm64 or x64; it is: ${ARCH:0:80}" ;;
esac

BINARY=${BINARY:-dist/clawdbot-darwin-$ARCH}
[ -f "$BINARY" ] || fail "There is no $BINARY." "Build it: bun build.ts --target darwin-$ARCH"
# The first bytes of a program for macOS, and then for which processor.
case $ARCH in
  arm64) want=cffaedfe0c000001 ;;
  x64) want=cffaedfe07000001 ;;
esac
seen=$(od -An -N8 -tx1 "$BINARY" | tr -d ' \n')
[ "$seen" = "$want" ] || fail "$BINARY is not an executable for macOS on $ARCH." "Build one: bun build.ts --target darwin-$ARCH"

version=$(sed -n 's/^  "version": "\([0-9A-Za-z.+-]*\)",*$/\1/p' package.json)
[ -n "$version" ] || fail 'package.json has no version.' 'Get it again: git checkout -- package.json'
# Apple wants numbers only; what follows a - is left out.
number=${version%%[-+]*}

app=$OUTPUT/Clawdbot.app
if [ -e "$app" ] && ! grep -q "<string>$IDENTIFIER</string>" "$app/Contents/Info.plist" 2>/dev/null; then
  fail "$app is there, and was not made by this script." 'Move it away, or choose another folder with --output.'
fi
mkdir -p -- "$OUTPUT"
SCRATCH=$(mktemp -d "$OUTPUT/.clawdbot-app.XXXXXX")
contents=$SCRATCH/Clawdbot.app/Contents
mkdir -p "$contents/MacOS" "$contents/Resources"
chmod 755 "$SCRATCH"

cat >"$contents/Info.plist" <<PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>CFBundleDevelopmentRegion</key>
  <string>en</string>
  <key>CFBundleExecutable</key>
  <string>Clawdbot</string>
  <key>CFBundleIdentifier</key>
  <string>$IDENTIFIER</string>
  <key>CFBundleInfoDictionaryVersion</key>
  <string>6.0</string>
  <key>CFBundleName</key>
  <string>Clawdbot</string>
  <key>CFBundleDisplayName</key>
  <string>Clawdbot</string>
  <key>CFBundlePackageType</key>
  <string>APPL</string>
  <key>CFBundleShortVersionString</key>
  <string>$number</string>
  <key>CFBundleVersion</key>
  <string>$number</string>
  <key>LSApplicationCategoryType</key>
  <string>public.app-category.productivity</string>
  <key>LSMinimumSystemVersion</key>
  <string>13.0</string>
  <key>LSUIElement</key>
  <true/>
</dict>
</plist>
PLIST
printf 'APPL????' >"$contents/PkgInfo"

# Opened from the Finder there is no terminal: what goes wrong has to be shown by the system.
cat >"$contents/MacOS/Clawdbot" <<'LAUNCHER'
#!/bin/sh
# Starts the gateway when none runs, and opens the Control UI, signed in.
here=$(cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
program=$here/Resources/clawdbot
logs=${HOME:?}/Library/Logs/Clawdbot
mkdir -p "$logs" || exit 1

show() {
  # The text is an argument of the script, so nothing in it can become a part of the script.
  osascript -e 'on run words' -e 'display alert "Clawdbot" message (item 1 of words)' -e 'end run' "$1" >/dev/null 2>&1 ||
    echo "Clawdbot: $1" >&2
}

if ! "$program" health >/dev/null 2>&1; then
  # A service that is installed comes first: it also starts with the system.
  if [ -f "$HOME/Library/LaunchAgents/com.clawdbot.gateway.plist" ]; then
    "$program" gateway start >"$logs/open.log" 2>&1
  else
    nohup "$program" gateway --allow-unconfigured >>"$logs/gateway.log" 2>&1 &
  fi
  tries=0
  until "$program" health >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
      show "The gateway did not start. Its log is $logs/gateway.log"
      exit 1
    fi
    sleep 0.2
  done
fi
"$program" dashboard --open >"$logs/open.log" 2>&1 || {
  show "The Control UI could not be opened. The reason is in $logs/open.log"
  exit 1
}
LAUNCHER

cp "$BINARY" "$contents/Resources/clawdbot"
chmod 755 "$contents/MacOS/Clawdbot" "$contents/Resources/clawdbot"

# Not the hardened runtime: it forbids the just-in-time compiler.
if ! command -v codesign >/dev/null 2>&1; then
  echo 'Not signed, because this is not a Mac. On the Mac: codesign --force --deep --sign - Clawdbot.app'
elif ! codesign --force --deep --sign "${SIGN_IDENTITY:--}" "$SCRATCH/Clawdbot.app"; then
  fail 'The application could not be signed; the reason is above.' 'Whose signature is there? security find-identity -p codesigning'
fi

# The old one stays until the new one is whole.
rm -rf "$SCRATCH/old"
if [ -e "$app" ]; then mv "$app" "$SCRATCH/old"; fi
mv "$SCRATCH/Clawdbot.app" "$app"
printf 'Made %s, version %s, for %s.\n' "$app" "$version" "$ARCH"
