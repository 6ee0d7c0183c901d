# The options of `programs.clawdbot`; their names are those of the older module, so a configuration for that one is read as it is.
{
  lib,
  pkgs,
  home,
}:
let
  inherit (lib) mkOption mkEnableOption types;
  ours = import ./lib.nix { inherit lib pkgs; };
  json = types.attrsOf types.anything;

  text =
    default: description:
    mkOption {
      type = types.str;
      inherit default description;
    };
  switch =
    default: description:
    mkOption {
      type = types.bool;
      inherit default description;
    };
  folder =
    default: description:
    mkOption {
      type = types.str;
      inherit default description;
    };

  plugin = types.submodule {
    options = {
      source = mkOption {
        type = types.either types.str types.raw;
        description = "The plugin's flake: an input of yours, or a reference with a revision.";
      };
      config = {
        env = mkOption {
          type = types.attrsOf (types.either types.str secretFile);
          default = { };
          example = {
            PADEL_AUTH_FILE = "/home/you/.secrets/padel";
            PADEL_TOKEN.file = "/home/you/.secrets/padel-token";
          };
          description = "Variables of the plugin: texts, or files whose content is read at the start.";
        };
        settings = mkOption {
          type = json;
          default = { };
          description = "Written as config.json into the plugin's first state folder.";
        };
      };
    };
  };
  secretFile = types.submodule { options.file = mkOption { type = types.str; }; };

  skill = types.submodule {
    options = {
      name = mkOption { type = types.str; };
      description = text "" "One sentence: when the agent should use it.";
      homepage = mkOption {
        type = types.nullOr types.str;
        default = null;
      };
      body = text "" "The instructions, of an inline skill.";
      mode = mkOption {
        type = types.enum [
          "symlink"
          "copy"
          "inline"
        ];
        default = "symlink";
        description = "A link to `source`, a copy that the agent may change, or the text in `body`.";
      };
      source = mkOption {
        type = types.nullOr types.path;
        default = null;
      };
    };
  };

  # The same in `programs.clawdbot` and in each of its instances.
  shared = {
    plugins = mkOption {
      type = types.listOf plugin;
      default = [ ];
    };
    config = mkOption {
      type = json;
      default = { };
      example = {
        channels.telegram = {
          enabled = true;
          tokenFile = "/home/you/.secrets/telegram-bot-token";
          allowFrom = [ 12345678 ];
        };
      };
      description = ''
        clawdbot.json as a Nix value. It is checked when it is built. Everybody on the machine can read it, so no secrets: give
        `…File` keys the path of a file, or write "\''${NAME}" and set NAME in `secretFiles` or in the file .env of the state folder.
      '';
    };
    secretFiles = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example.ANTHROPIC_API_KEY = "/home/you/.secrets/anthropic";
      description = "Variables of the gateway, each with the file that its value is read from when it starts.";
    };
  };

  instance =
    cfg:
    types.submodule (
      { name, ... }:
      {
        options = shared // {
          enable = switch true "Whether this gateway runs.";
          package = mkOption {
            type = types.package;
            default = cfg.package;
          };
          stateDir = folder (if name == "default" then cfg.stateDir else "${home}/.clawdbot-${name}") "Its state.";
          workspaceDir = folder (
            if name == "default" then cfg.workspaceDir else "${home}/clawd-${name}"
          ) "Where its agent works.";
          configPath = mkOption {
            type = types.nullOr types.str;
            default = null;
            description = "Where the link to the config is; null: clawdbot.json in `stateDir`.";
          };
          logPath = mkOption {
            type = types.nullOr types.str;
            default = null;
            description = "File for what the gateway prints. Null: the journal on Linux, ~/.local/state/clawdbot on macOS.";
          };
          gatewayPort = mkOption {
            type = types.port;
            default = if name == "default" then cfg.gatewayPort else 18789;
            description = "Two gateways need two ports.";
          };
          launchd.enable = switch cfg.launchd.enable "An agent of launchd (macOS).";
          launchd.label = text (
            if name == "default" then "com.clawdbot.gateway" else "com.clawdbot.gateway.${name}"
          ) "Its label.";
          systemd.enable = switch cfg.systemd.enable "A unit of the user's systemd (Linux).";
          systemd.unitName = text (ours.suffixed name "clawdbot-gateway") "Its name, without `.service`.";
          appDefaults = {
            enable = switch (name == "default") "The macOS app belongs to this gateway.";
            nixMode = switch true "Tell the app, and what it starts, that Nix makes the config.";
            attachExistingOnly = switch true "The app starts no gateway of its own.";
          };
        };
      }
    );
in
cfg:
shared
// {
  enable = mkEnableOption "clawdbot, a personal AI assistant";
  package = mkOption {
    type = types.package;
    default = (import ../. { inherit pkgs; }).clawdbot;
    description = "The released executable, or clawdbot-from-source.";
  };
  toolNames = mkOption {
    type = types.nullOr (types.listOf types.str);
    default = null;
    example = [
      "git"
      "ffmpeg"
    ];
    description = "Packages of nixpkgs on the agent's PATH, in place of the common ones.";
  };
  excludeTools = mkOption {
    type = types.listOf types.str;
    default = [ ];
    description = "Of these the agent gets none.";
  };
  tools = mkOption {
    type = types.listOf types.package;
    default = [ ];
    example = lib.literalExpression "[ pkgs.ffmpeg ]";
    description = "More packages on the agent's PATH.";
  };
  firstParty = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, ... }:
        {
          options.enable = mkEnableOption "this tool";
          options.package = mkOption {
            type = types.nullOr types.package;
            default = pkgs.${name} or null;
            description = "Its package, when nixpkgs has none of that name.";
          };
        }
      )
    );
    default = { };
    description = "Single tools for the agent, by name.";
  };
  appPackage = mkOption {
    type = types.nullOr types.package;
    default = null;
    description = "A package with the macOS app in Applications/.";
  };
  installApp = switch false "Link the app of `appPackage` into ~/Applications.";
  stateDir = folder "${home}/.clawdbot" "State of the instance `default`.";
  workspaceDir = folder "${home}/clawd" "Workspace of the instance `default`.";
  documents = mkOption {
    type = types.nullOr types.path;
    default = null;
    description = "A folder with AGENTS.md, SOUL.md and TOOLS.md, which go into the workspace.";
  };
  skills = mkOption {
    type = types.listOf skill;
    default = [ ];
  };
  launchd.enable = switch pkgs.stdenv.hostPlatform.isDarwin "Agents of launchd (macOS).";
  systemd.enable = switch pkgs.stdenv.hostPlatform.isLinux "Units of the user's systemd (Linux).";
  systemd.hardening = switch true "The gateway and the agent's commands gain no rights, so no sudo and no ping.";
  exposePluginPackages = switch true "The packages of plugins are also on your own PATH.";
  reloadScript.enable = mkEnableOption "the command clawdbot-reload, which restarts the gateways";
  checkConfig = switch true "Check the config when it is built.";
  gatewayPort = mkOption {
    type = types.port;
    default = 18789;
    description = "Port of the instance `default`.";
  };
  instances = mkOption {
    type = types.attrsOf (instance cfg);
    default = { };
    description = "Gateways. Without any there is one, `default`.";
  };
}
