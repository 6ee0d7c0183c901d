# The released executable, by the fixed hash in release.json. The Linux file carries its own loader and C library, so it runs on
# NixOS as it is. Nothing may touch it: the program lies in a section behind the machine code, and `strip` removes that section.
{
  lib,
  stdenvNoCC,
  fetchurl,
  release ? builtins.fromJSON (builtins.readFile ./release.json),
  baseUrl ? "https://github.com/clawdbot/clawdbot/releases",
}:
let
  inherit (stdenvNoCC.hostPlatform) system;
  file =
    release.systems.${system} or (throw ''
      clawdbot: ${
        if release.version == null then
          "no release is published yet"
        else
          "release ${release.version} has no file for ${system}"
      }, so there is nothing to download.
      Use the package that builds it from source: clawdbot-from-source
      (`nix build .#clawdbot-from-source`, or programs.clawdbot.package = inputs.clawdbot.packages.${system}.clawdbot-from-source;).
    '');
in
# Asked for first, so that no other error comes before its message.
builtins.seq file stdenvNoCC.mkDerivation {
  pname = "clawdbot";
  inherit (release) version;

  src = fetchurl {
    url = "${baseUrl}/download/v${release.version}/${file.file}";
    inherit (file) sha256;
  };

  dontUnpack = true;
  dontConfigure = true;
  dontBuild = true;

  installPhase = ''
    runHook preInstall
    mkdir -p "$out/bin"
    gzip -dc "$src" > "$out/bin/clawdbot"
    chmod 755 "$out/bin/clawdbot"
    ln -s clawdbot "$out/bin/openclaw"
    ln -s clawdbot "$out/bin/moltbot"
    runHook postInstall
  '';

  dontStrip = true;
  dontPatchELF = true;

  doInstallCheck = stdenvNoCC.buildPlatform.canExecute stdenvNoCC.hostPlatform;
  installCheckPhase = ''
    test "$(HOME="$TMPDIR" "$out/bin/clawdbot" --version)" = "$version"
  '';

  meta = {
    description = "Personal AI assistant: gateway, channels and Control UI in one file";
    homepage = "https://github.com/clawdbot/clawdbot";
    license = lib.licenses.mit;
    mainProgram = "clawdbot";
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
      "x86_64-darwin"
      "aarch64-darwin"
    ];
    sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
  };
}
