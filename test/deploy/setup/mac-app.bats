#!/usr/bin/env bats
# scripts/package-mac-app.sh: the folder that macOS takes for an application, and what happens when it is opened.

setup() {
  REPO=$BATS_TEST_DIRNAME/../../..
  OUT="$BATS_TEST_TMPDIR/out put"
  APP=$OUT/Clawdbot.app
  ARM=$BATS_TEST_TMPDIR/arm
  # What an executable for macOS begins with.
  printf '\xcf\xfa\xed\xfe\x0c\x00\x00\x01 the rest' >"$ARM"
  printf '\xcf\xfa\xed\xfe\x07\x00\x00\x01 the rest' >"$BATS_TEST_TMPDIR/intel"
  printf '\x7fELF for Linux' >"$BATS_TEST_TMPDIR/linux"
}

package() { run "$REPO/scripts/package-mac-app.sh" --output "$OUT" "$@"; }

@test "deploy-117 scripts/package-mac-app.sh makes an application with plist, launcher and executable" {
  cd /
  package --arch arm64 --binary "$ARM"
  [ "$status" -eq 0 ]
  [[ $output == *Made* ]]
  [ -x "$APP/Contents/MacOS/Clawdbot" ]
  cmp "$ARM" "$APP/Contents/Resources/clawdbot"
  [ -x "$APP/Contents/Resources/clawdbot" ]
  version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$REPO/package.json")
  grep -A1 CFBundleShortVersionString "$APP/Contents/Info.plist" | grep -qF "<string>$version</string>"
  grep -qF '<string>com.clawdbot.mac</string>' "$APP/Contents/Info.plist"
  # The name in the plist is the name of the file.
  [ -x "$APP/Contents/MacOS/$(grep -A1 CFBundleExecutable "$APP/Contents/Info.plist" | sed -n 's/.*<string>\(.*\)<.*/\1/p')" ]
  [ "$(find "$OUT" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
}

@test "deploy-117 the property list is one" {
  command -v plistutil || skip 'no plistutil'
  package --binary "$ARM" --arch arm64
  plistutil -i "$APP/Contents/Info.plist" -o - -f xml | grep -q LSMinimumSystemVersion
}

@test "deploy-117 made again it replaces itself, and nothing else" {
  package --arch arm64 --binary "$ARM"
  package --arch x64 --binary "$BATS_TEST_TMPDIR/intel"
  [ "$status" -eq 0 ]
  cmp "$BATS_TEST_TMPDIR/intel" "$APP/Contents/Resources/clawdbot"
  [ "$(find "$OUT" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
  rm -r "$APP"
  mkdir -p "$APP"
  : >"$APP/mine"
  package --arch arm64 --binary "$ARM"
  [ "$status" -eq 1 ]
  [[ $output == *'not made by this script'* ]]
  [ -e "$APP/mine" ]
}

@test "deploy-117 an executable for something else is refused" {
  for wrong in linux intel nothing; do
    package --arch arm64 --binary "$BATS_TEST_TMPDIR/$wrong"
    [ "$status" -eq 1 ]
    [[ $output == *'bun build.ts --target darwin-arm64'* ]]
  done
  for words in '--arch ppc' '--arch' '--what' '--binary'; do
    # shellcheck disable=SC2086 # two words
    package $words
    [ "$status" -eq 1 ]
    [[ $output == error:* ]]
  done
  [ ! -e "$APP" ]
}

@test "deploy-117 opened, it starts the gateway when none runs, and shows the page" {
  package --arch arm64 --binary "$ARM"
  # In the place of the executable: one that says what it was called with, and is well from the third question on.
  cat >"$APP/Contents/Resources/clawdbot" <<'END'
#!/bin/sh
echo "$*" >>"$HOME/calls"
case $* in
  health) [ -e "$HOME/up" ] ;;
  'gateway start') : >"$HOME/up" ;;
  'gateway --allow-unconfigured') : >"$HOME/up" ;;
  'dashboard --open') [ ! -e "$HOME/no-page" ] ;;
esac
END
  home="$BATS_TEST_TMPDIR/home of me"
  mkdir "$home"
  HOME=$home run "$APP/Contents/MacOS/Clawdbot"
  [ "$status" -eq 0 ]
  [ "$(sort -u "$home/calls" | tr '\n' ,)" = 'dashboard --open,gateway --allow-unconfigured,health,' ]
  # It runs: nothing is started.
  rm "$home/calls"
  HOME=$home run "$APP/Contents/MacOS/Clawdbot"
  [ "$(tr '\n' , <"$home/calls")" = 'health,dashboard --open,' ]
  # A service that is installed is started instead of a second gateway.
  rm "$home/calls" "$home/up"
  mkdir -p "$home/Library/LaunchAgents"
  : >"$home/Library/LaunchAgents/com.clawdbot.gateway.plist"
  HOME=$home run "$APP/Contents/MacOS/Clawdbot"
  [ "$status" -eq 0 ]
  [ "$(sort -u "$home/calls" | tr '\n' ,)" = 'dashboard --open,gateway start,health,' ]
  # A page that cannot be opened is said.
  : >"$home/no-page"
  HOME=$home run "$APP/Contents/MacOS/Clawdbot"
  [ "$status" -eq 1 ]
  [[ $output == *'could not be opened'* ]]
}

@test "deploy-117 opened, the real program shows its page" {
  [ -x "${BINARY:-}" ] || skip 'no executable'
  package --arch arm64 --binary "$ARM"
  # The executable of this system in the place of the one for macOS, and xdg-open in the place of open.
  cp "$BINARY" "$APP/Contents/Resources/clawdbot"
  home="$BATS_TEST_TMPDIR/home of me"
  mkdir -p "$home/.clawdbot" "$BATS_TEST_TMPDIR/bin"
  port=$((20000 + $$ % 20000))
  printf '{ gateway: { port: %s } }' "$port" >"$home/.clawdbot/clawdbot.json"
  mkfifo "$BATS_TEST_TMPDIR/opened"
  printf '#!/bin/sh\necho "$1" >"%s/opened"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/xdg-open"
  chmod +x "$BATS_TEST_TMPDIR/bin/xdg-open"
  env -i PATH="$BATS_TEST_TMPDIR/bin:$PATH" HOME="$home" "$APP/Contents/MacOS/Clawdbot" 3>&- &
  url=$(timeout 60 cat "$BATS_TEST_TMPDIR/opened")
  wait $!
  pid=$(sed -n 's/.*(PID \([0-9]*\)).*/\1/p' "$home/Library/Logs/Clawdbot/gateway.log" | head -n 1)
  kill "$pid"
  [[ $url == "http://127.0.0.1:$port/#ticket="* ]]
}
