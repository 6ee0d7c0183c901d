# Home Manager: `programs.clawdbot`, also as `programs.openclaw`. Makes the config, the agent's documents and skills, and a service
# per instance. The config is a link to a file of the store, which the program reads and never writes (CLAWDBOT_NIX_MODE=1).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.programs.clawdbot;
  home = config.home.homeDirectory;
  inherit (pkgs.stdenv.hostPlatform) isDarwin isLinux system;
  ours = import ./lib.nix { inherit lib pkgs; };
  plugins = import ./plugin.nix { inherit lib system; };
  options = import ./options.nix { inherit lib pkgs home; };

  instances =
    let
      all = if cfg.instances == { } then { default = single; } else cfg.instances;
    in
    lib.mapAttrs described (lib.filterAttrs (_: instance: instance.enable) all);
  # Without instances the options of `programs.clawdbot` itself describe the one gateway.
  single = {
    enable = true;
    inherit (cfg)
      package
      stateDir
      workspaceDir
      gatewayPort
      ;
    configPath = null;
    logPath = null;
    plugins = [ ];
    config = { };
    secretFiles = { };
    launchd = {
      inherit (cfg.launchd) enable;
      label = "com.clawdbot.gateway";
    };
    systemd = {
      inherit (cfg.systemd) enable;
      unitName = "clawdbot-gateway";
    };
    appDefaults = {
      enable = true;
      nixMode = true;
      attachExistingOnly = true;
    };
  };

  tools =
    let
      wanted = if cfg.toolNames == null then ours.commonTools else cfg.toolNames;
      names = builtins.filter (name: !(builtins.elem name cfg.excludeTools)) wanted;
      enabled = lib.filterAttrs (_: tool: tool.enable) cfg.firstParty;
    in
    {
      inherit names enabled;
      unknown = ours.unknownTools names;
      lacking = builtins.attrNames (lib.filterAttrs (_: tool: tool.package == null) enabled);
      packages =
        builtins.filter (package: package != null) (
          ours.toolPackages names ++ map (tool: tool.package) (builtins.attrValues enabled) ++ cfg.tools
        );
    };

  # Everything about one instance that is worked out from its options.
  described =
    given: instance:
    let
      # A name that no file can have is refused by the assertions, which come after the files.
      name = if ours.validName given then given else "invalid";
      loaded = map plugins.load (cfg.plugins ++ instance.plugins);
      usable = builtins.filter (plugin: plugin.problem == null) loaded;
      variables = lib.foldl' (all: plugin: all // plugin.config.env) { } usable;
      texts = lib.filterAttrs (n: v: ours.validVariable n && builtins.isString v) variables;
      files = lib.mapAttrs (_: v: v.file) (
        lib.filterAttrs (n: v: ours.validVariable n && !builtins.isString v) variables
      );
      secrets = cfg.secretFiles // instance.secretFiles // files;
      packages = lib.concatMap (plugin: plugin.packages) usable;
      written = lib.recursiveUpdate cfg.config instance.config;
      configPath =
        if instance.configPath == null then "${instance.stateDir}/clawdbot.json" else instance.configPath;
      file = ours.configFile {
        inherit (instance) package;
        check = cfg.checkConfig;
        config = lib.foldl' lib.recursiveUpdate { } [
          {
            gateway = {
              mode = "local";
              port = instance.gatewayPort;
            };
            agents.defaults.workspace = instance.workspaceDir;
          }
          # The agent's commands get what the config's own `env` has, not what the gateway itself was started with.
          (lib.optionalAttrs (variables != { }) {
            env.vars = texts // lib.mapAttrs (n: _: "\${${n}}") files;
          })
          written
        ];
      };
      programs = ours.wrapper {
        inherit (instance) package stateDir;
        inherit configPath secrets;
        programs =
          if name == "default" then
            [
              "clawdbot"
              "openclaw"
              "moltbot"
            ]
          else
            [ "clawdbot-${name}" ];
        path = lib.makeBinPath (tools.packages ++ packages);
        env = texts;
      };
      command = "${builtins.head programs}/bin/${ours.suffixed name "clawdbot"}";
      logPath =
        if instance.logPath != null then
          instance.logPath
        else if isDarwin then
          "${home}/.local/state/${ours.suffixed name "clawdbot"}/gateway.log"
        else
          null;
    in
    instance
    // {
      inherit
        name
        loaded
        usable
        variables
        secrets
        packages
        written
        configPath
        file
        programs
        command
        logPath
        ;
      arguments = [
        "gateway"
        "--port"
        (toString instance.gatewayPort)
      ];
    };
  each = f: lib.mapAttrsToList (_: f) instances;
  concatEach = f: lib.concatLists (each f);

  documents = import ./documents.nix {
    inherit
      lib
      pkgs
      ours
      cfg
      ;
    tools = tools.packages;
  };
  assertions = import ./assertions.nix {
    inherit
      lib
      pkgs
      ours
      plugins
      cfg
      home
      tools
      isDarwin
      ;
  };

  # Home Manager names files by their path below the home folder.
  below = lib.removePrefix "${home}/";
  files = lib.foldl' (all: more: all // more) { } (
    each (
      instance:
      {
        ${below instance.configPath}.source = instance.file;
      }
      // lib.mapAttrs' (path: value: lib.nameValuePair (below path) value) (documents.files instance)
      // lib.listToAttrs (
        map (
          plugin:
          lib.nameValuePair "${builtins.head plugin.stateDirs}/config.json" {
            text = builtins.toJSON (ours.stripNulls plugin.config.settings);
          }
        ) (builtins.filter (p: p.config.settings != { } && p.stateDirs != [ ]) instance.usable)
      )
    )
  );

  agent = instance: {
    enable = true;
    config = {
      Label = instance.launchd.label;
      ProgramArguments = [
        "${start instance}/bin/clawdbot-start"
        instance.command
      ]
      ++ instance.arguments;
      EnvironmentVariables.CLAWDBOT_SERVICE_MARKER = "nix";
      RunAtLoad = true;
      KeepAlive = true;
      ThrottleInterval = 5;
      ProcessType = "Background";
      Umask = 63;
      WorkingDirectory = home;
      StandardOutPath = instance.logPath;
      StandardErrorPath = instance.logPath;
    };
  };
  # launchd appends to this file for ever; the gateway's own log is rotated, and is elsewhere.
  start =
    instance:
    pkgs.writeShellScriptBin "clawdbot-start" ''
      log=${lib.escapeShellArg instance.logPath}
      if [ -f "$log" ] && [ "$(wc -c < "$log")" -gt 10000000 ]; then
        tail -c 1000000 "$log" > "$log.1"
        : > "$log"
      fi
      exec "$@"
    '';

  unit = instance: {
    Unit = {
      Description = "Clawdbot gateway${lib.optionalString (instance.name != "default") " (${instance.name})"}";
      Documentation = "https://github.com/clawdbot/clawdbot";
      StartLimitIntervalSec = 60;
      StartLimitBurst = 10;
    };
    Service =
      ours.serviceSettings
      // lib.optionalAttrs cfg.systemd.hardening ours.hardening
      // {
        ExecStart = "${instance.command} ${lib.concatStringsSep " " instance.arguments}";
        WorkingDirectory = "%h";
        Environment = [ "CLAWDBOT_SERVICE_MARKER=nix" ];
      }
      // lib.optionalAttrs (instance.logPath != null) {
        StandardOutput = "append:${ours.unitPath instance.logPath}";
        StandardError = "append:${ours.unitPath instance.logPath}";
      };
    # Without it the unit is there, but does not start with the session.
    Install.WantedBy = [ "default.target" ];
  };

  reload = pkgs.writeShellScriptBin "clawdbot-reload" (
    lib.concatStrings (
      each (
        instance:
        if isDarwin then
          ''
            launchctl kickstart -k "gui/$(id -u)/"${lib.escapeShellArg instance.launchd.label}
          ''
        else
          ''
            systemctl --user restart ${lib.escapeShellArg "${instance.systemd.unitName}.service"}
          ''
      )
    )
  );

  folders = concatEach (
    instance:
    [
      instance.stateDir
      instance.workspaceDir
    ]
    ++ lib.optional (instance.logPath != null) (dirOf instance.logPath)
    ++ lib.concatMap (plugin: map (dir: "${home}/${dir}") plugin.stateDirs) instance.usable
  );
  app = builtins.filter (instance: instance.appDefaults.enable) (builtins.attrValues instances);
in
{
  imports = [ (lib.mkAliasOptionModule [ "programs" "openclaw" ] [ "programs" "clawdbot" ]) ];

  options.programs.clawdbot = options cfg;

  config = lib.mkIf cfg.enable {
    assertions = assertions instances;

    home.packages =
      concatEach (instance: instance.programs)
      ++ lib.optionals cfg.exposePluginPackages (concatEach (instance: instance.packages))
      ++ lib.optional cfg.reloadScript.enable reload;

    home.file =
      files
      // lib.optionalAttrs (isDarwin && cfg.installApp && cfg.appPackage != null) {
        "Applications/Clawdbot.app".source = "${cfg.appPackage}/Applications/Clawdbot.app";
      };

    home.activation = {
      clawdbotGuard = lib.hm.dag.entryBefore [ "checkLinkTargets" ] (documents.guard instances);
      # Before the services start: launchd makes a log file, but not its folder.
      clawdbotFolders = lib.hm.dag.entryBetween [ "setupLaunchAgents" "reloadSystemd" ] [ "writeBoundary" ] ''
        run mkdir -p -m 700 ${lib.escapeShellArgs folders}
        ${documents.copies instances}
      '';
    }
    // lib.optionalAttrs (isDarwin && app != [ ]) {
      # Apps with windows do not see the variables of the shell.
      clawdbotApp =
        let
          wanted = (builtins.head app).appDefaults;
          set = key: value: "run /usr/bin/defaults write com.clawdbot.mac ${key} -bool ${lib.boolToString value}\n";
        in
        lib.hm.dag.entryAfter [ "writeBoundary" ] (
          set "clawdbot.nixMode" wanted.nixMode
          + set "clawdbot.gateway.attachExistingOnly" wanted.attachExistingOnly
        );
    };

    systemd.user.services = lib.mkIf isLinux (
      lib.listToAttrs (
        map (instance: lib.nameValuePair instance.systemd.unitName (unit instance)) (
          builtins.filter (instance: instance.systemd.enable) (builtins.attrValues instances)
        )
      )
    );

    launchd.agents = lib.mkIf isDarwin (
      lib.listToAttrs (
        map (instance: lib.nameValuePair instance.launchd.label (agent instance)) (
          builtins.filter (instance: instance.launchd.enable) (builtins.attrValues instances)
        )
      )
    );
  };
}
