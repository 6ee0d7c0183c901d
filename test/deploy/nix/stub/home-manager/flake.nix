{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs = { nixpkgs, ... }: {
    lib.homeManagerConfiguration = { pkgs, modules }:
      nixpkgs.lib.evalModules { modules = [ ./modules.nix ] ++ modules; specialArgs = { inherit pkgs; inherit (nixpkgs) lib; }; };
  };
}
