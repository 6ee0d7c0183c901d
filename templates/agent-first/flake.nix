# Your assistant, as a whole in one folder. Fill in the five placeholders in angle brackets (see the comments), then run
#   home-manager switch --flake .#<user>
# and check with `systemctl --user status clawdbot-gateway` (Linux) or `launchctl print gui/$UID/com.clawdbot.gateway` (macOS).
{
  description = "clawdbot on my own machine";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    home-manager = {
      url = "github:nix-community/home-manager";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    clawdbot = {
      url = "github:clawdbot/clawdbot";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      nixpkgs,
      home-manager,
      clawdbot,
      ...
    }:
    let
      # x86_64-linux, aarch64-linux, x86_64-darwin or aarch64-darwin (a Mac with an M chip)
      system = "<system>";
    in
    {
      # What `whoami` says.
      homeConfigurations."<user>" = home-manager.lib.homeManagerConfiguration {
        pkgs = nixpkgs.legacyPackages.${system};
        modules = [
          clawdbot.homeManagerModules.default
          {
            home.username = "<user>";
            # /home/you on Linux, /Users/you on macOS
            home.homeDirectory = "<homeDir>";
            home.stateVersion = "25.05";
            programs.home-manager.enable = true;

            programs.clawdbot = {
              enable = true;
              # AGENTS.md, SOUL.md and TOOLS.md: who your assistant is and what it may do.
              documents = ./documents;

              config = {
                channels.telegram = {
                  enabled = true;
                  # The file with the token that @BotFather gave you, readable by you only (chmod 600).
                  tokenFile = "<tokenPath>";
                  # Your own number, from @userinfobot: nobody else can talk to the assistant.
                  allowFrom = [ <allowFrom> ];
                };
              };

              # The key of your model, in a file too. Until it is there the built-in demo model answers.
              secretFiles.ANTHROPIC_API_KEY = "<homeDir>/.secrets/anthropic";

              instances.default.enable = true;
            };
          }
        ];
      };
    };
}
