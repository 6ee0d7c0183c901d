# The options of NixOS that our module sets.
{ lib, ... }:
let
  loose = lib.mkOption { type = lib.types.attrsOf lib.types.anything; default = { }; };
  list = lib.mkOption { type = lib.types.listOf lib.types.anything; default = [ ]; };
in
{
  options = {
    environment = { etc = loose; systemPackages = list; };
    networking.firewall.allowedTCPPorts = list;
    users = { users = loose; groups = loose; };
    systemd.services = loose;
    assertions = list;
  };
}
