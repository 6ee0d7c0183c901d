# `pkgs.clawdbot`, under its other name too.
final: _prev: {
  inherit (import ./. { pkgs = final; }) clawdbot clawdbot-from-source;
  openclaw = final.clawdbot;
}
