{
  description = "clawdbot: a personal AI assistant on your own machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      # A nixpkgs that has given up one of them has no packages for it, and then neither do we.
      systems = builtins.filter (system: nixpkgs.legacyPackages ? ${system}) [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      # As imports of a path, so that the same module given twice counts once, and errors name the file.
      homeManagerModule.imports = [ ./nix/module/home-manager.nix ];
      nixosModule.imports = [ ./nix/module/nixos.nix ];
      agentFirst = {
        path = ./templates/agent-first;
        description = "An assistant of your own with Home Manager: fill in five placeholders and switch";
      };
    in
    {
      packages = lib.genAttrs systems (
        system:
        let
          ours = import ./nix { pkgs = nixpkgs.legacyPackages.${system}; };
        in
        {
          inherit (ours) clawdbot clawdbot-from-source;
          default = ours.clawdbot;
        }
      );

      overlays.default = import ./nix/overlay.nix;

      homeManagerModules = {
        clawdbot = homeManagerModule;
        openclaw = homeManagerModule;
        default = homeManagerModule;
      };

      nixosModules = {
        clawdbot = nixosModule;
        openclaw = nixosModule;
        default = nixosModule;
      };

      templates = {
        agent-first = agentFirst;
        default = agentFirst;
      };
    };
}
