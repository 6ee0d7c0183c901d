# The packages of one system. `clawdbot` is the released file where the release has one for this system, else built here.
{ pkgs }:
let
  release = builtins.fromJSON (builtins.readFile ./release.json);
  released = release.systems ? ${pkgs.stdenv.hostPlatform.system};
in
rec {
  clawdbot = if released then pkgs.callPackage ./package.nix { } else clawdbot-from-source;
  clawdbot-from-source = pkgs.callPackage ./from-source.nix { };
}
