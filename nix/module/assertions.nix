# What a configuration must not say. Each message names the option and what to write instead.
{
  lib,
  pkgs,
  ours,
  plugins,
  cfg,
  home,
  tools,
  isDarwin,
}:
instances:
let
  list = lib.concatStringsSep ", ";
  none = problems: map (message: { assertion = false; inherit message; }) problems;
  check = assertion: message: { inherit assertion; message = "programs.clawdbot: ${message}"; };
  all = builtins.attrValues instances;
  prefixed = map (problem: "programs.clawdbot: ${problem}");

  # Values that more than one has, of a list.
  twice =
    values:
    lib.unique (builtins.filter (value: lib.count (other: other == value) values > 1) values);
  shared =
    what: of:
    let
      found = twice (map of all);
    in
    check (found == [ ]) "Two instances have the same ${what}: ${builtins.toJSON found}.";

  documents = import ./documents.nix {
    inherit
      lib
      pkgs
      ours
      cfg
      ;
  };
  missingDocuments =
    if cfg.documents == null then [ ] else builtins.filter (name: !documents.has name) documents.required;

  ofInstance =
    name: instance:
    let
      at = "instances.${name}";
      inHome = path: ours.validPath path && lib.hasPrefix "${home}/" path && !ours.matches "(.*/)?[.][.](/.*)?" path;
      paths = lib.filterAttrs (_: path: path != null) {
        inherit (instance) stateDir workspaceDir configPath;
      };
      wrongPaths = builtins.attrNames (lib.filterAttrs (_: path: !inHome path) paths);
      secrets = ours.plainSecrets instance.written;
      variables = builtins.attrNames instance.secretFiles ++ builtins.attrNames cfg.secretFiles;
      wrongVariables = builtins.filter (v: !ours.validVariable v) variables;
      wrongFiles = builtins.attrNames (
        lib.filterAttrs (_: file: !ours.validPath file || lib.hasPrefix "/nix/store/" file) instance.secrets
      );
      skills = map (skill: skill.name) (documents.skillsOf instance);
      wrongSkills = builtins.filter (skill: !ours.validName skill) skills;
    in
    [
      (check (ours.validName name) "The instance ${builtins.toJSON name} needs a name of letters, digits, `-` and `_`.")
      (check (wrongPaths == [ ])
        "${at}: ${list wrongPaths} must be whole paths below ${home}, without `..` and line ends. Write \"\${config.home.homeDirectory}/…\"."
      )
      (check (instance.logPath == null || ours.validPath instance.logPath)
        "${at}.logPath must be a whole path without line ends."
      )
      (check (!isDarwin || instance.logPath == null || !ours.matches ".*[<>&].*" instance.logPath)
        "${at}.logPath cannot contain <, > or & on macOS."
      )
      (check (ours.validUnit instance.systemd.unitName)
        "${at}.systemd.unitName: ${builtins.toJSON instance.systemd.unitName} is no name of a unit."
      )
      (check (ours.matches "[A-Za-z0-9][A-Za-z0-9._-]{0,127}" instance.launchd.label)
        "${at}.launchd.label: ${builtins.toJSON instance.launchd.label} is no label."
      )
      (check (secrets == [ ]) ''
        The config has secrets in the clear (${list secrets}); everybody can read /nix/store.
        Put each into a file (chmod 600). A channel's token: its key tokenFile with the path of that file. Anything else: write
        "''\${NAME}" in the config and secretFiles.NAME = "${home}/.secrets/…";'')
      (check (
        wrongVariables == [ ]
      ) "secretFiles: these are no names of variables: ${builtins.toJSON wrongVariables}.")
      (check (wrongFiles == [ ])
        "secretFiles: ${list wrongFiles} must be paths in quotes to files outside of /nix/store: \"${home}/.secrets/…\". A path without quotes is copied into the store."
      )
      (check (twice skills == [ ]) "Two skills have the same name: ${list (twice skills)}.")
      (check (
        wrongSkills == [ ]
      ) "Skills need names of letters, digits, `-` and `_`: ${builtins.toJSON wrongSkills}.")
    ]
    ++ none (prefixed (lib.concatMap plugins.problems instance.loaded));
in
lib.concatLists (lib.mapAttrsToList ofInstance instances)
++ [
  (check (missingDocuments == [ ])
    "documents (${toString cfg.documents}) has no ${list missingDocuments}. The template agent-first has one of each."
  )
  (check (tools.unknown == [ ])
    "nixpkgs has no package ${list tools.unknown} (toolNames). Look for its name with: nix search nixpkgs <command>"
  )
  (check (tools.lacking == [ ])
    "nixpkgs has no package ${list tools.lacking} (firstParty). Give it yourself: firstParty.<name>.package = …;"
  )
  (check (
    lib.count (instance: instance.appDefaults.enable) all <= 1
  ) "The macOS app can belong to one instance only: set appDefaults.enable = false; in the others.")
  (shared "stateDir" (instance: instance.stateDir))
  (shared "workspaceDir" (instance: instance.workspaceDir))
  (shared "gatewayPort" (instance: instance.gatewayPort))
  (shared "configPath" (instance: instance.configPath))
  (shared "systemd.unitName" (instance: instance.systemd.unitName))
  (shared "launchd.label" (instance: instance.launchd.label))
]
++ map (
  skill:
  check (
    skill.mode == "inline" || skill.source != null
  ) "The skill ${skill.name} needs a source (or mode = \"inline\"; with a body)."
) cfg.skills
