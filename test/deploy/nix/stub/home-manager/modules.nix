# The options of Home Manager that our module sets.
{ lib, ... }:
let
  loose = lib.mkOption { type = lib.types.attrsOf lib.types.anything; default = { }; };
  list = lib.mkOption { type = lib.types.listOf lib.types.anything; default = [ ]; };
  text = lib.mkOption { type = lib.types.str; };
in
{
  options = {
    home = { username = text; homeDirectory = text; stateVersion = text; file = loose; packages = list; activation = loose; };
    programs.home-manager = loose;
    systemd.user.services = loose;
    launchd.agents = loose;
    assertions = list;
  };
}
