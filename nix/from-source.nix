# Built here from this repository. The packages of bun.lock come in one download with a fixed hash (deps.json), which also brings the
# exact Bun that the build asks for; the `bun` of nixpkgs only fetches. The result is the plain executable: it uses the loader and the
# C library of nixpkgs, which it gets from the patched Bun that it is made of.
{
  lib,
  stdenv,
  stdenvNoCC,
  bun,
  patchelf,
  deps ? builtins.fromJSON (builtins.readFile ./deps.json),
}:
let
  inherit (stdenv) hostPlatform;
  os = if hostPlatform.isDarwin then "darwin" else "linux";
  cpu = if hostPlatform.isAarch64 then "arm64" else "x64";
  engine = "node_modules/@oven/bun-${os}-${if hostPlatform.isAarch64 then "aarch64" else "x64"}/bin/bun";
  inherit (builtins.fromJSON (builtins.readFile ../package.json)) version;

  # What is built from; the rest of the repository may change without a new build.
  wanted = [
    "LICENSES"
    "build.ts"
    "bun.lock"
    "bunfig.toml"
    "docs"
    "package.json"
    "scripts"
    "src"
    "tsconfig.json"
    "web"
  ];
  root = toString ../.;
  source =
    names:
    builtins.path {
      path = ../.;
      name = "clawdbot-source";
      filter =
        path: _type:
        let
          top = builtins.head (lib.splitString "/" (lib.removePrefix "${root}/" (toString path)));
        in
        builtins.elem top names;
    };

  nodeModules = stdenvNoCC.mkDerivation {
    pname = "clawdbot-node-modules";
    inherit version;
    src = source [
      "package.json"
      "bun.lock"
    ];
    nativeBuildInputs = [ bun ];
    impureEnvVars = lib.fetchers.proxyImpureEnvVars;
    dontConfigure = true;
    buildPhase = ''
      runHook preBuild
      export HOME="$TMPDIR"
      bun install --frozen-lockfile --ignore-scripts --linker hoisted --backend copyfile \
        --os ${os} --cpu ${cpu} --libc glibc
      runHook postBuild
    '';
    installPhase = ''
      runHook preInstall
      rm -rf node_modules/.bin node_modules/.cache
      mv node_modules "$out"
      runHook postInstall
    '';
    # A download with a fixed hash must not name anything of the store.
    dontFixup = true;
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash =
      deps.systems.${hostPlatform.system}
        or (throw "clawdbot cannot be built on ${hostPlatform.system}: Bun ${deps.bun} is not made for it.");
  };
in
stdenv.mkDerivation {
  pname = "clawdbot";
  inherit version;
  src = source wanted;

  nativeBuildInputs = lib.optionals hostPlatform.isLinux [ patchelf ];

  dontConfigure = true;
  buildPhase = ''
    runHook preBuild
    export HOME="$TMPDIR"
    cp -r ${nodeModules} node_modules
    chmod -R u+w node_modules
    chmod 755 ${engine}
    ${lib.optionalString hostPlatform.isLinux ''
      patchelf --set-interpreter ${stdenv.cc.bintools.dynamicLinker} ${engine}
    ''}
    ${engine} build.ts --plain --outdir out
    runHook postBuild
  '';

  installPhase = ''
    runHook preInstall
    mkdir -p "$out/bin"
    cp out/clawdbot "$out/bin/clawdbot"
    chmod 755 "$out/bin/clawdbot"
    ln -s clawdbot "$out/bin/openclaw"
    ln -s clawdbot "$out/bin/moltbot"
    runHook postInstall
  '';

  # The program lies in a section of the executable that `strip` removes; what is left would be a plain Bun.
  dontStrip = true;
  dontPatchELF = true;

  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    test "$(HOME="$TMPDIR" "$out/bin/clawdbot" --version)" = "$version"
  '';

  passthru = { inherit nodeModules; };

  meta = {
    description = "Personal AI assistant: gateway, channels and Control UI in one file (built from source)";
    homepage = "https://github.com/clawdbot/clawdbot";
    license = lib.licenses.mit;
    mainProgram = "clawdbot";
    platforms = builtins.attrNames deps.systems;
  };
}
