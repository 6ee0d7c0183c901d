# The agent's documents and skills in its workspace: links to the store, but never over a file that somebody wrote there.
{
  lib,
  pkgs,
  ours,
  cfg,
  tools ? [ ],
}:
rec {
  required = [
    "AGENTS.md"
    "SOUL.md"
    "TOOLS.md"
  ];
  optional = [
    "IDENTITY.md"
    "USER.md"
    "HEARTBEAT.md"
    "BOOTSTRAP.md"
  ];
  has = name: builtins.pathExists (cfg.documents + "/${name}");

  # The skills of an instance, those of its plugins included: { name, file } with what `home.file` takes.
  skillsOf =
    instance:
    map (skill: {
      inherit (skill) name;
      file =
        if skill.mode == "inline" then
          { "SKILL.md".text = inline skill; }
        else if skill.mode == "symlink" && skill.source != null then
          { "".source = skill.source; }
        else
          { };
      copy = if skill.mode == "copy" then skill.source else null;
    }) cfg.skills
    ++ lib.concatMap (
      plugin:
      map (folder: {
        name = baseNameOf (toString folder);
        file = {
          "".source = folder;
        };
        copy = null;
      }) plugin.skills
    ) instance.usable;

  # JSON is YAML, so no text can end the header early.
  inline =
    skill:
    ''
      ---
      name: ${builtins.toJSON skill.name}
      description: ${builtins.toJSON skill.description}
      ${lib.optionalString (skill.homepage != null) "homepage: ${builtins.toJSON skill.homepage}\n"}---
    ''
    + "\n${skill.body}\n";

  # What the agent can count on, appended to TOOLS.md.
  report =
    instance:
    let
      line = package: "- ${package.pname or package.name or "a package"}${lib.optionalString (package ? version) " ${package.version}"}";
    in
    ''

      <!-- BEGIN NIX-REPORT -->

      This machine is set up by Nix. These commands are installed; for another one ask the user to add its package to
      `programs.clawdbot.tools` and to run `home-manager switch`. Do not install anything yourself.

      ${lib.concatStringsSep "\n" (map line (tools ++ instance.packages))}

      <!-- END NIX-REPORT -->
    '';

  documentsOf =
    instance:
    if cfg.documents == null then
      { }
    else
      lib.listToAttrs (
        map (
          name:
          lib.nameValuePair "${instance.workspaceDir}/${name}" (
            if name == "TOOLS.md" then
              { text = builtins.readFile (cfg.documents + "/TOOLS.md") + report instance; }
            else
              { source = cfg.documents + "/${name}"; }
          )
        ) (builtins.filter has (required ++ optional))
      );

  # By their whole paths, as `home.file` takes them.
  files =
    instance:
    documentsOf instance
    // lib.listToAttrs (
      lib.concatMap (
        skill:
        lib.mapAttrsToList (
          name: value:
          lib.nameValuePair (
            "${instance.workspaceDir}/skills/${skill.name}" + lib.optionalString (name != "") "/${name}"
          ) value
        ) skill.file
      ) (builtins.filter (skill: ours.validName skill.name) (skillsOf instance))
    );

  # Runs before Home Manager links anything.
  guard =
    instances:
    let
      paths = lib.concatLists (
        lib.mapAttrsToList (
          _: instance: [ instance.configPath ] ++ builtins.attrNames (documentsOf instance)
        ) instances
      );
    in
    ''
      for file in ${lib.escapeShellArgs paths}; do
        if [ -e "$file" ] && [ ! -L "$file" ]; then
          printf '%s\n' "clawdbot: $file is a file of your own, which the one from Nix would replace." >&2
          printf '%s\n' "Take over what you need from it, then move it away: mv \"$file\" \"$file.before-nix\"" >&2
          exit 1
        fi
      done
    '';

  # Skills that the agent may change: copied anew when the source is another one, unless the folder is not ours.
  copies =
    instances:
    lib.concatStrings (
      lib.concatLists (
        lib.mapAttrsToList (
          _: instance:
          map (
            skill:
            let
              # Says which source the copy is of.
              mark = pkgs.writeText "from-nix" "${skill.copy}";
            in
            ''
              target=${lib.escapeShellArg "${instance.workspaceDir}/skills/${skill.name}"}
              if [ -e "$target" ] && [ ! -f "$target/.from-nix" ]; then
                printf '%s\n' "clawdbot: $target is not from Nix, so it stays as it is." >&2
              elif ! cmp -s ${mark} "$target/.from-nix"; then
                run rm -rf "$target"
                run mkdir -p "''${target%/*}"
                run cp -rL ${lib.escapeShellArg "${skill.copy}"} "$target"
                run chmod -R u+w "$target"
                run cp ${mark} "$target/.from-nix"
              fi
            ''
          ) (
            builtins.filter (skill: skill.copy != null && ours.validName skill.name) (skillsOf instance)
          )
        ) instances
      )
    );
}
