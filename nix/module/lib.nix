# What both modules are made with: checks of what a user wrote, and texts in which nothing of it can become code.
{ lib, pkgs }:
let
  matches = pattern: text: builtins.isString text && builtins.match pattern text != null;
  secretKey = ".*([Tt]oken|[Pp]assword|[Ss]ecret|[Aa]pi_?[Kk]ey|_TOKEN|_PASSWORD|_SECRET|_KEY|_PASSPHRASE)";
  # `${NAME}` in the config names a variable; the secret itself is elsewhere.
  isReference = matches "[$][{][A-Za-z_][A-Za-z0-9_]*[}]";
  names = [
    "clawdbot"
    "openclaw"
    "moltbot"
  ];
in
rec {
  inherit matches;

  # Of an instance, a skill, a tool: it becomes part of file names and unit names.
  validName = matches "[A-Za-z0-9][A-Za-z0-9_-]{0,63}";
  validUnit = matches "[A-Za-z0-9][A-Za-z0-9:_.@-]{0,127}";
  validVariable = matches "[A-Za-z_][A-Za-z0-9_]*";
  # A line end in a path would begin another setting of a unit.
  validPath = matches "/[^[:cntrl:]]*";

  # A path that is the whole rest of a line of a unit.
  unitPath = lib.replaceStrings [ "%" ] [ "%%" ];

  # A folder for an instance that names none: `default` has the plain one.
  suffixed = name: base: if name == "default" then base else "${base}-${name}";

  # Null means "not set", as everywhere in Nix; the program would refuse it.
  stripNulls =
    value:
    if builtins.isAttrs value then
      lib.mapAttrs (_: stripNulls) (lib.filterAttrs (_: v: v != null) value)
    else if builtins.isList value then
      map stripNulls (builtins.filter (v: v != null) value)
    else
      value;

  # Paths of values that look like secrets in the clear. Whatever is in the config is readable by everybody on the machine.
  plainSecrets =
    let
      walk =
        path: value:
        if builtins.isAttrs value then
          lib.concatLists (lib.mapAttrsToList (name: walk (path ++ [ name ])) value)
        else if builtins.isList value then
          lib.concatLists (lib.imap0 (i: walk (path ++ [ (toString i) ])) value)
        else if
          builtins.isString value
          && value != ""
          && path != [ ]
          && matches secretKey (lib.last path)
          && !isReference value
        then
          [ (lib.concatStringsSep "." path) ]
        else
          [ ];
    in
    walk [ ];

  # A name that says "secret" with a value that is neither a path nor empty.
  plainSecretVariables =
    env:
    builtins.attrNames (
      lib.filterAttrs (
        name: value: matches secretKey name && builtins.isString value && value != "" && !validPath value
      ) env
    );

  configFile =
    {
      package,
      config,
      check,
    }:
    let
      text = pkgs.writeText "clawdbot.json" (builtins.toJSON (stripNulls config));
      canRun = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
    in
    if !(check && canRun) then
      text
    else
      # A config that the gateway would refuse fails here, while the old one still runs.
      pkgs.runCommand "clawdbot.json" { } ''
        export HOME="$TMPDIR" CLAWDBOT_STATE_DIR="$TMPDIR/state" CLAWDBOT_CONFIG_PATH=${text}
        if ! ${package}/bin/clawdbot config validate >&2; then
          echo "clawdbot: programs.clawdbot.config has the problems named above." >&2
          exit 1
        fi
        cp ${text} "$out"
      '';

  # The program with the environment of one instance: what the service runs, and what a person types. `env` values are texts;
  # `secrets` are files whose content goes into the variable when the program starts.
  wrapper =
    {
      package,
      programs ? names,
      stateDir,
      configPath,
      path,
      env,
      secrets,
    }:
    let
      # Only a variable that the caller has not set: one command may look at another state on purpose.
      default = name: value: ''
        if [ -z "''${${name}-}" ]; then export ${name}=${lib.escapeShellArg value}; fi
      '';
      export = name: value: "export ${name}=${lib.escapeShellArg value}\n";
      secret = name: file: ''
        if [ -r ${lib.escapeShellArg file} ]; then
          ${name}=$(cat ${lib.escapeShellArg file})
          export ${name}
        else
          printf '%s\n' ${lib.escapeShellArg "clawdbot: the secret file ${file} for ${name} cannot be read."} >&2
        fi
      '';
      each = f: values: lib.concatStrings (lib.mapAttrsToList f (lib.filterAttrs (n: _: validVariable n) values));
      text = ''
        # Made by Nix. Change programs.clawdbot in the Nix configuration instead.
        export CLAWDBOT_NIX_MODE=1
        ${default "CLAWDBOT_STATE_DIR" stateDir}${default "CLAWDBOT_CONFIG_PATH" configPath}${
          lib.optionalString (path != "") ''
            export PATH=${lib.escapeShellArg path}''${PATH:+:$PATH}
          ''
        }${each export env}${each secret secrets}exec -a "''${0##*/}" ${package}/bin/clawdbot "$@"
      '';
    in
    map (name: pkgs.writeShellScriptBin name text) programs;

  # Packages by their names in nixpkgs. Unknown ones are told by `unknownTools`.
  toolPackages = map (name: pkgs.${name} or null);
  unknownTools = builtins.filter (name: !(pkgs ? ${name}));

  # The common commands of the agent's shell: a service of systemd or launchd begins with next to none.
  commonTools = [
    "bash"
    "coreutils"
    "findutils"
    "gnugrep"
    "gnused"
    "gawk"
    "gnutar"
    "gzip"
    "curl"
    "git"
    "jq"
    "ripgrep"
  ];

  # What a unit has that runs a gateway, of the user's systemd and the machine's.
  serviceSettings = {
    Type = "exec";
    Restart = "always";
    RestartSec = 5;
    # A config that cannot be used, or another gateway: trying again does not help.
    RestartPreventExitStatus = 78;
    SuccessExitStatus = 143;
    KillMode = "mixed";
    TimeoutStopSec = 30;
    UMask = "0077";
    OOMScoreAdjust = 200;
    OOMPolicy = "continue";
  };
  # What a user's systemd can do without root. sudo and ping of the agent's shell end with it.
  hardening = {
    NoNewPrivileges = true;
    LockPersonality = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
  };
}
