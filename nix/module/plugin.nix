# Plugins: flakes with an output `clawdbotPlugin` (or `openclawPlugin`, `moltbotPlugin`):
#   { name; skills = [ folder ]; packages = [ package ]; needs = { stateDirs = [ "under/home" ]; requiredEnv = [ "NAME" ]; }; }
# or a function of the system that gives it. A source is the flake itself (an input, so your flake.lock pins it), or a reference that
# names its revision; anything else would be another program tomorrow.
{ lib, system }:
let
  ours = import ./lib.nix { inherit lib; pkgs = { }; };
  outputs = [
    "clawdbotPlugin"
    "openclawPlugin"
    "moltbotPlugin"
  ];
  pinned =
    ref:
    ours.matches "(path:)?/nix/store/[^[:cntrl:]]+" ref
    || ours.matches ".*[?&](narHash=sha256-[A-Za-z0-9+/=%]+|rev=[0-9a-f]{40}).*" ref
    || ours.matches "[a-z]+:[^/?]+/[^/?]+/[0-9a-f]{40}([?].*)?" ref;
  shown = source: if builtins.isString source then source else "(a flake)";
in
rec {
  load =
    entry:
    let
      inherit (entry) source;
      isPinned = !builtins.isString source || pinned source;
      flake =
        if !isPinned then
          { }
        else if builtins.isString source then
          builtins.getFlake source
        else
          source;
      output = lib.findFirst (name: flake ? ${name}) null outputs;
      made = if output == null then { } else flake.${output};
      definition = if builtins.isFunction made then made system else made;
    in
    {
      inherit (entry) config;
      problem =
        if !isPinned then
          ''
            The plugin ${shown source} is not pinned: it would be another program whenever its author changes it.
            Make it an input of your flake (inputs.<name>.url = "${shown source}";) and give that: { source = inputs.<name>; }''
        else if output == null then
          "The plugin ${shown source} has no output clawdbotPlugin or openclawPlugin."
        else if !ours.validName (definition.name or null) then
          "The plugin ${shown source} has no usable name (letters, digits, `-` and `_`)."
        else
          null;
      name = definition.name or "unnamed";
      skills = definition.skills or [ ];
      packages = definition.packages or [ ];
      stateDirs = definition.needs.stateDirs or [ ];
      requiredEnv = definition.needs.requiredEnv or [ ];
    };

  # What is wrong with a plugin and what was set for it, one sentence each.
  problems =
    plugin:
    let
      env = plugin.config.env;
      lacking = builtins.filter (name: !(env ? ${name})) plugin.requiredEnv;
      wrongNames = builtins.filter (name: !ours.validVariable name) (builtins.attrNames env);
      secrets = ours.plainSecretVariables env;
      outside = builtins.filter (
        dir: !ours.matches "[^/[:cntrl:]][^[:cntrl:]]*" dir || ours.matches "(.*/)?[.][.](/.*)?" dir
      ) plugin.stateDirs;
      list = lib.concatStringsSep ", ";
    in
    if plugin.problem != null then
      [ plugin.problem ]
    else
      lib.optional (lacking != [ ]) "The plugin ${plugin.name} needs config.env.${list lacking}."
      ++ lib.optional (
        wrongNames != [ ]
      ) "These are no names of variables in config.env of the plugin ${plugin.name}: ${builtins.toJSON wrongNames}."
      ++ lib.optional (secrets != [ ]) ''
        config.env of the plugin ${plugin.name} has secrets in the clear (${list secrets}); everybody can read /nix/store.
        Put each into a file and give its path: ${builtins.head secrets}.file = "/home/you/.secrets/…";''
      ++ lib.optional (
        plugin.config.settings != { } && plugin.stateDirs == [ ]
      ) "The plugin ${plugin.name} has config.settings, but names no needs.stateDirs to put them into."
      ++ lib.optional (
        outside != [ ]
      ) "The plugin ${plugin.name} names state folders outside of the home folder: ${builtins.toJSON outside}.";
}
