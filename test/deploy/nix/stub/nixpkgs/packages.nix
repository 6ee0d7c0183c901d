# A few packages of one system, made with /bin/sh and this machine's own commands, so that they really build without a network.
{ system }:
let
  lib = import ./lib.nix;
  shell = name: env: script:
    derivation ({ inherit name system; builder = "/bin/sh"; args = [ "-eu" "-c" script ]; PATH = "/usr/bin:/bin"; } // env);
  hostPlatform = {
    inherit system;
    isDarwin = lib.last (lib.splitString "-" system) == "darwin";
    isLinux = lib.last (lib.splitString "-" system) == "linux";
    isAarch64 = head == "aarch64";
  };
  head = lib.head (lib.splitString "-" system);
  # The phases that our packages have, in stdenv's order. Like stdenv it strips what it was not told to leave alone.
  phases = ''
    runHook() { :; }
    cd "$TMPDIR"
    if [ -z "''${dontUnpack-}" ]; then cp -r "$src" source; chmod -R u+w source; cd source; fi
    eval "''${buildPhase-}"
    eval "$installPhase"
    if [ -z "''${dontFixup-}" ] && [ -z "''${dontStrip-}" ]; then strip "$out"/bin/* 2>/dev/null || :; fi
    if [ -n "''${doInstallCheck-}" ]; then eval "$installCheckPhase"; fi
  '';
  stdenv = {
    inherit hostPlatform;
    buildPlatform = hostPlatform // { canExecute = other: other.system == system; };
    cc.bintools.dynamicLinker = "/lib64/ld-linux-x86-64.so.2";
    mkDerivation = args:
      shell "${args.pname}-${args.version}" (removeAttrs args [ "meta" "passthru" "nativeBuildInputs" "impureEnvVars" ]) phases
      // { inherit (args) pname version; meta = args.meta or { }; } // args.passthru or { };
  };
  tool = name: shell name { } "mkdir -p $out/bin; ln -s /usr/bin/${name} $out/bin/${name}" // { pname = name; };
  self = {
    inherit lib stdenv;
    stdenvNoCC = stdenv;
    fetchurl = { url, sha256 }: import <nix/fetchurl.nix> { inherit url sha256; };
    callPackage = file: more:
      let f = if builtins.isFunction file then file else import file; in f (builtins.intersectAttrs (builtins.functionArgs f) self // more);
    writeText = name: text: shell name { inherit text; } ''printf %s "$text" > $out'';
    writeShellScriptBin = name: body:
      shell name { text = "#!/bin/bash\n${body}"; } ''mkdir -p $out/bin; printf '%s\n' "$text" > $out/bin/${name}; chmod 755 $out/bin/${name}'';
    runCommand = shell;
  }
  // lib.genAttrs [ "bash" "bun" "coreutils" "curl" "ffmpeg" "findutils" "gawk" "git" "gnugrep" "gnused" "gnutar" "gzip" "jq" "patchelf" "ripgrep" ] tool;
in
self
