/** Texts of the help dialogs: how to add a model, how to change what Nix makes. */
export const helpWords = {
  addModelTitle: "Add a model",
  addModelIntro: "Any of these is enough. The gateway finds it at its next start.",
  addModelKey: "An API key",
  addModelKeyText: "Set it where the gateway runs, then restart the gateway:",
  addModelKeyCommand: 'clawdbot config set env.ANTHROPIC_API_KEY "<your key>"',
  addModelKeyNote:
    "OPENAI_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY and others work the same way, also as variables of the environment.",
  addModelLocal: "A model on this machine",
  addModelLocalText: "Start Ollama or LM Studio with a model in it; it is found by itself.",
  addModelLocalCommand: "ollama run qwen3",
  addModelChoose: "Choose the default model",
  addModelChooseText: "Name the model that answers when nobody chose one:",
  addModelChooseCommand:
    "clawdbot config set agents.defaults.model.primary anthropic/claude-sonnet-5-5",

  nixText:
    "So neither these pages nor the command line change it. Change it in your Nix configuration (on NixOS the option is services.clawdbot):",
  nixConfig: 'programs.clawdbot.config = {\n  logging.level = "debug";\n};',
  nixApply: "Then apply it; the gateway takes it up by itself:",
  nixApplyCommand: "home-manager switch",
  nixBackText: "This goes back to how it was:",
  nixBackCommand: "home-manager switch --rollback",
  nixKeyText:
    "Put it into a file that only you can read, and name that file in your Nix configuration:",
  nixKey:
    'programs.clawdbot.secretFiles = {\n  ANTHROPIC_API_KEY = "/home/you/.secrets/anthropic";\n};',
  nixKeyNote:
    "OPENAI_API_KEY, GEMINI_API_KEY, OPENROUTER_API_KEY and others work the same way. Never write the key itself there: everybody on the machine can read /nix/store.",
  nixModel:
    'programs.clawdbot.config.agents.defaults = {\n  model.primary = "anthropic/claude-sonnet-5-5";\n};',
} as const;
