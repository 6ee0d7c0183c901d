# NixOS: `services.clawdbot`, also as `services.openclaw`: one gateway of the machine, as a user of its own and shut in as far as a
# program can be whose work is to run commands. For an assistant that works in your own home use the Home Manager module.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption mkEnableOption types;
  cfg = config.services.clawdbot;
  ours = import ./lib.nix { inherit lib pkgs; };
  configPath = "/etc/clawdbot/clawdbot.json";
  file = ours.configFile {
    inherit (cfg) package;
    check = cfg.checkConfig;
    config = lib.recursiveUpdate {
      gateway = {
        mode = "local";
        port = cfg.gatewayPort;
      };
      agents.defaults.workspace = cfg.workspaceDir;
    } cfg.config;
  };
  tools = builtins.filter (package: package != null) (ours.toolPackages cfg.toolNames) ++ cfg.tools;
  programs = ours.wrapper {
    inherit (cfg) package stateDir;
    inherit configPath;
    path = lib.makeBinPath tools;
    env = cfg.environment;
    # systemd reads the files as root and shows them to this service only.
    secrets = { };
  };
  start = pkgs.writeShellScriptBin "clawdbot-start" (
    lib.concatStrings (
      map (name: ''
        ${name}=$(cat "$CREDENTIALS_DIRECTORY"/${name})
        export ${name}
      '') (builtins.filter ours.validVariable (builtins.attrNames cfg.secretFiles))
    )
    + ''
      exec ${builtins.head programs}/bin/clawdbot gateway --port ${toString cfg.gatewayPort}
    ''
  );
  check = assertion: message: {
    inherit assertion;
    message = "services.clawdbot: ${message}";
  };
  list = lib.concatStringsSep ", ";
  secrets = ours.plainSecrets cfg.config ++ ours.plainSecretVariables cfg.environment;
  variables = builtins.attrNames cfg.secretFiles ++ builtins.attrNames cfg.environment;
  wrongVariables = builtins.filter (name: !ours.validVariable name) variables;
  wrongFiles = builtins.attrNames (
    lib.filterAttrs (
      _: path: !ours.matches "/[^:[:cntrl:]]*" path || lib.hasPrefix "/nix/store/" path
    ) cfg.secretFiles
  );
  unknown = ours.unknownTools cfg.toolNames;
in
{
  imports = [ (lib.mkAliasOptionModule [ "services" "openclaw" ] [ "services" "clawdbot" ]) ];

  options.services.clawdbot = {
    enable = mkEnableOption "the clawdbot gateway as a service of this machine";
    package = mkOption {
      type = types.package;
      default = (import ../. { inherit pkgs; }).clawdbot;
      description = "The released executable, or clawdbot-from-source.";
    };
    user = mkOption {
      type = types.str;
      default = "clawdbot";
      description = "Made when it is `clawdbot`.";
    };
    group = mkOption {
      type = types.str;
      default = "clawdbot";
    };
    stateDir = mkOption {
      type = types.str;
      default = "/var/lib/clawdbot";
      description = "Below /var/lib.";
    };
    workspaceDir = mkOption {
      type = types.str;
      default = "${cfg.stateDir}/workspace";
    };
    gatewayPort = mkOption {
      type = types.port;
      default = 18789;
    };
    openFirewall = mkEnableOption "the port in the firewall; needs gateway.bind = \"lan\" and a token";
    config = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      description = "clawdbot.json as a Nix value, without secrets: everybody on the machine can read it.";
    };
    checkConfig = mkOption {
      type = types.bool;
      default = true;
      description = "Check the config when it is built.";
    };
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = "Variables of the gateway that are no secrets.";
    };
    secretFiles = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example.ANTHROPIC_API_KEY = "/run/secrets/anthropic";
      description = "Variables of the gateway, each with the file that root reads its value from.";
    };
    toolNames = mkOption {
      type = types.listOf types.str;
      default = ours.commonTools;
      description = "Packages of nixpkgs on the agent's PATH.";
    };
    tools = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.ffmpeg ]";
      description = "More packages on the agent's PATH.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      (check (secrets == [ ])
        "These are secrets in the clear (${list secrets}); everybody can read /nix/store. Write \"\${NAME}\" in the config and secretFiles.NAME = \"/run/secrets/…\";"
      )
      (check (
        wrongVariables == [ ]
      ) "These are no names of variables: ${builtins.toJSON wrongVariables}.")
      (check (
        wrongFiles == [ ]
      ) "secretFiles: ${list wrongFiles} must be paths in quotes to files outside of /nix/store, without `:`.")
      (check (ours.matches "/var/lib/[A-Za-z0-9._-]+" cfg.stateDir)
        "stateDir must be a folder directly in /var/lib, not ${builtins.toJSON cfg.stateDir}."
      )
      (check (ours.matches "/[A-Za-z0-9._/-]+" cfg.workspaceDir)
        "workspaceDir must be a whole path of letters, digits, `.`, `_` and `-`."
      )
      (check (unknown == [ ]) "nixpkgs has no package ${list unknown} (toolNames).")
    ];

    environment.etc."clawdbot/clawdbot.json".source = file;
    environment.systemPackages = programs;
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ cfg.gatewayPort ];

    users.users = lib.mkIf (cfg.user == "clawdbot") {
      clawdbot = {
        isSystemUser = true;
        inherit (cfg) group;
        home = cfg.stateDir;
      };
    };
    users.groups = lib.mkIf (cfg.group == "clawdbot") { clawdbot = { }; };

    systemd.services.clawdbot-gateway = {
      description = "Clawdbot gateway";
      documentation = [ "https://github.com/clawdbot/clawdbot" ];
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 60;
      startLimitBurst = 10;
      environment.CLAWDBOT_SERVICE_MARKER = "nix";
      serviceConfig =
        ours.serviceSettings
        // ours.hardening
        // {
          ExecStart = "${start}/bin/clawdbot-start";
          User = cfg.user;
          Group = cfg.group;
          StateDirectory = lib.removePrefix "/var/lib/" cfg.stateDir;
          StateDirectoryMode = "0700";
          WorkingDirectory = cfg.stateDir;
          LoadCredential = lib.mapAttrsToList (name: path: "${name}:${ours.unitPath path}") cfg.secretFiles;
          ProtectSystem = "strict";
          ReadWritePaths = lib.optional (
            !lib.hasPrefix "${cfg.stateDir}/" cfg.workspaceDir
          ) "-${cfg.workspaceDir}";
          ProtectHome = true;
          PrivateTmp = true;
          PrivateDevices = true;
          ProtectClock = true;
          ProtectControlGroups = true;
          ProtectHostname = true;
          ProtectKernelLogs = true;
          ProtectKernelModules = true;
          ProtectKernelTunables = true;
          ProtectProc = "invisible";
          RestrictAddressFamilies = [
            "AF_UNIX"
            "AF_INET"
            "AF_INET6"
            "AF_NETLINK"
          ];
          RestrictNamespaces = true;
          CapabilityBoundingSet = "";
          # No MemoryDenyWriteExecute: a JavaScript engine writes machine code.
        };
    };
  };
}
