/** What the Home Manager module makes: units, agents, files; and what it refuses. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { run } from "../lab.ts";
import { homeManager, homeOf, type Made, type Nix, noNix, openNix } from "./nix.ts";

setDefaultTimeout(120_000);
const LINUX = "x86_64-linux";
const MAC = "aarch64-darwin";

describe.skipIf(noNix !== undefined)("home manager", () => {
  let nix: Nix;
  beforeAll(() => {
    nix = openNix();
  });
  afterAll(() => nix[Symbol.dispose]());
  const make = (settings: string, system = LINUX, option = "clawdbot") =>
    nix.value(homeManager(settings, system, option), system) as Made;
  const wrong = (settings: string, system = LINUX) => make(settings, system).wrong.join("\n");

  test("deploy-036 programs.openclaw is another name of programs.clawdbot", () => {
    expect(make("{ enable = true; gatewayPort = 19001; }", LINUX, "openclaw")).toEqual(
      make("{ enable = true; gatewayPort = 19001; }"),
    );
    expect(make("{ enable = false; }")).toMatchObject({
      units: {},
      files: {},
      packages: [],
      wrong: [],
    });
  });

  test("deploy-037 every option of the older module is there", () => {
    const made = make(`{
      enable = true;
      toolNames = [ "git" "jq" "curl" ];
      excludeTools = [ "curl" ];
      tools = [ pkgs.ripgrep ];
      installApp = false;
      appPackage = null;
      stateDir = "/home/ada/.clawdbot";
      workspaceDir = "/home/ada/clawd";
      documents = root + "/templates/agent-first/documents";
      skills = [
        { name = "inline"; description = "d"; homepage = "https://x"; body = "b"; mode = "inline"; }
        { name = "linked"; description = "d"; mode = "symlink"; source = root + "/nix"; }
        { name = "copied"; description = "d"; mode = "copy"; source = root + "/nix"; }
      ];
      plugins = [ { source = { clawdbotPlugin = { name = "p"; packages = [ pkgs.ffmpeg ]; needs.stateDirs = [ ".config/p" ]; }; };
                    config = { env.A = "1"; settings.x = 1; }; } ];
      firstParty.ffmpeg.enable = true;
      launchd.enable = false;
      systemd.enable = true;
      exposePluginPackages = false;
      reloadScript.enable = true;
      config.gateway.bind = "loopback";
      instances.default = {
        enable = true;
        package = pkgs.git;
        stateDir = "/home/ada/.clawdbot";
        workspaceDir = "/home/ada/clawd";
        configPath = "/home/ada/.clawdbot/clawdbot.json";
        logPath = "/home/ada/gateway.log";
        gatewayPort = 19002;
        plugins = [ ];
        config.gateway.tls = null;
        launchd.label = "a.b";
        systemd.unitName = "mine";
        appDefaults.enable = true;
      };
    }`);
    expect(made.wrong).toEqual([]);
    expect(Object.keys(made.files)).toEqual([
      ".clawdbot/clawdbot.json",
      ".config/p/config.json",
      "clawd/AGENTS.md",
      "clawd/SOUL.md",
      "clawd/TOOLS.md",
      "clawd/skills/inline/SKILL.md",
      "clawd/skills/linked",
    ]);
    expect(made.config).toEqual({
      agents: { defaults: { workspace: "/home/ada/clawd" } },
      env: { vars: { A: "1" } },
      gateway: { bind: "loopback", mode: "local", port: 19002 },
    });
    expect(made.units["mine"]!.Service["StandardOutput"]).toBe("append:/home/ada/gateway.log");
    expect(made.packages).toEqual(["clawdbot", "openclaw", "moltbot", "clawdbot-reload"]);
    expect(made.activation["clawdbotFolders"]!.data).toContain("/home/ada/clawd/skills/copied");
    for (const tool of ["git", "jq", "ripgrep", "ffmpeg"])
      expect(made.files["clawd/TOOLS.md"]).toContain(`- ${tool}`);
    expect(made.files["clawd/TOOLS.md"]).not.toContain("- curl");
  });

  test("deploy-046 the unit is called clawdbot-gateway, and its program is the one with the environment of Nix mode", () => {
    const { units, agents } = make("{ enable = true; }");
    expect(agents).toEqual({});
    expect(Object.keys(units)).toEqual(["clawdbot-gateway"]);
    const { Service } = units["clawdbot-gateway"]!;
    expect(Service["ExecStart"]).toMatch(/^\/\S+\/bin\/clawdbot gateway --port 18789$/);
  });

  test("deploy-040 the unit of the user's systemd starts with the session, restarts, and logs to the journal", () => {
    const { units } = make("{ enable = true; }");
    const { Unit, Service, Install } = units["clawdbot-gateway"]!;
    expect(Install).toEqual({ WantedBy: ["default.target"] });
    expect(Unit).toMatchObject({ Description: "Clawdbot gateway", StartLimitBurst: 10 });
    expect(Service).toMatchObject({
      Restart: "always",
      RestartPreventExitStatus: 78,
      KillMode: "mixed",
      UMask: "0077",
      NoNewPrivileges: true,
      Environment: ["CLAWDBOT_SERVICE_MARKER=nix"],
    });
    // To the journal, not to a file that others could have made first.
    expect(Service).not.toHaveProperty("StandardOutput");
    expect(JSON.stringify(units).replaceAll(nix.dir, "")).not.toContain("/tmp");
  });

  test("deploy-040 the agent of launchd runs at the login and after an end, and logs below the home folder", () => {
    const { units, agents, activation } = make("{ enable = true; }", MAC);
    expect(units).toEqual({});
    expect(agents["com.clawdbot.gateway"]!.config).toMatchObject({
      Label: "com.clawdbot.gateway",
      RunAtLoad: true,
      KeepAlive: true,
      Umask: 0o77,
      StandardOutPath: "/Users/ada/.local/state/clawdbot/gateway.log",
      StandardErrorPath: "/Users/ada/.local/state/clawdbot/gateway.log",
    });
    const words = agents["com.clawdbot.gateway"]!.config["ProgramArguments"] as string[];
    expect(words.slice(2)).toEqual(["gateway", "--port", "18789"]);
    expect(activation["clawdbotFolders"]!.data).toContain("'/Users/ada/.local/state/clawdbot'");
    expect(activation["clawdbotApp"]!.data).toContain(
      "run /usr/bin/defaults write com.clawdbot.mac clawdbot.nixMode -bool true",
    );
  });

  test("deploy-038 a token file stays a path, and secrets in the clear are refused", () => {
    const made = make(
      `{ enable = true; config.channels.telegram = { tokenFile = "/home/ada/.secrets/bot"; allowFrom = [ 1 ]; }; config.gateway.auth.token = "\${"$"}{TOKEN}"; }`,
    );
    expect(made.wrong).toEqual([]);
    expect(made.config).toMatchObject({
      channels: { telegram: { tokenFile: "/home/ada/.secrets/bot" } },
    });
    const refused = (settings: string) => wrong(`{ enable = true; ${settings} }`);
    expect(refused(`config.channels.telegram.botToken = "123:abc";`)).toContain(
      "secrets in the clear (channels.telegram.botToken)",
    );
    expect(refused(`config.gateway.auth.password = "hunter2";`)).toContain("gateway.auth.password");
    expect(refused(`config.env.vars.OPENAI_API_KEY = "sk-1";`)).toContain(
      "env.vars.OPENAI_API_KEY",
    );
    expect(refused(`config.channels.discord.accounts.a.token = "x";`)).toContain(
      "accounts.a.token",
    );
    expect(refused(`secretFiles.KEY = "/nix/store/x-key";`)).toContain("outside of /nix/store");
    expect(refused(`secretFiles.KEY = "relative";`)).toContain("secretFiles: KEY");
    expect(
      refused(`plugins = [ { source.clawdbotPlugin.name = "p"; config.env.P_TOKEN = "abc"; } ];`),
    ).toContain("secrets in the clear (P_TOKEN)");
    expect(
      refused(
        `plugins = [ { source.clawdbotPlugin.name = "p"; config.env.P_TOKEN.file = "/home/ada/t"; } ];`,
      ),
    ).toBe("");
  });

  test("deploy-036 two instances have nothing in common, or are refused", () => {
    const two = make(
      "{ enable = true; instances = { default = { }; work = { gatewayPort = 19001; }; }; }",
    );
    expect(two.wrong).toEqual([]);
    expect(Object.keys(two.units)).toEqual(["clawdbot-gateway", "clawdbot-gateway-work"]);
    expect(Object.keys(two.files)).toEqual([
      ".clawdbot-work/clawdbot.json",
      ".clawdbot/clawdbot.json",
    ]);
    expect(two.packages).toEqual(["clawdbot", "openclaw", "moltbot", "clawdbot-work"]);
    expect(wrong("{ enable = true; instances = { default = { }; work = { }; }; }")).toContain(
      "the same gatewayPort: [18789]",
    );
    const same = `gatewayPort = 1; stateDir = "/home/ada/s"; workspaceDir = "/home/ada/w"; appDefaults.enable = true; systemd.unitName = "u"; launchd.label = "l";`;
    const said = wrong(`{ enable = true; instances = { a = { ${same} }; b = { ${same} }; }; }`);
    for (const what of [
      "stateDir",
      "workspaceDir",
      "gatewayPort",
      "configPath",
      "systemd.unitName",
      "launchd.label",
    ])
      expect(said).toContain(`the same ${what}`);
    expect(said).toContain("appDefaults.enable = false");
  });

  test("deploy-036 what is missing or mistyped is said with the remedy", () => {
    const refused = (settings: string) => wrong(`{ enable = true; ${settings} }`);
    expect(refused(`documents = root + "/docs";`)).toContain("has no AGENTS.md, SOUL.md, TOOLS.md");
    expect(refused(`toolNames = [ "git" "gti" ];`)).toContain("no package gti (toolNames)");
    expect(refused(`firstParty.peekaboo.enable = true;`)).toContain(
      "no package peekaboo (firstParty)",
    );
    expect(
      refused(`skills = [ { name = "a"; mode = "inline"; } { name = "a"; mode = "inline"; } ];`),
    ).toContain("Two skills have the same name: a");
    expect(refused(`skills = [ { name = "a"; } ];`)).toContain("The skill a needs a source");
    expect(refused(`plugins = [ { source = "github:a/b"; } ];`)).toContain("is not pinned");
    expect(refused(`plugins = [ { source = "github:a/b?ref=main"; } ];`)).toContain(
      "is not pinned",
    );
    expect(refused(`plugins = [ { source = { }; } ];`)).toContain("no output clawdbotPlugin");
    expect(
      refused(
        `plugins = [ { source.openclawPlugin = { name = "p"; needs.requiredEnv = [ "A_FILE" ]; }; } ];`,
      ),
    ).toContain("needs config.env.A_FILE");
    expect(
      refused(`plugins = [ { source.moltbotPlugin.name = "p"; config.settings.a = 1; } ];`),
    ).toContain("names no needs.stateDirs");
    expect(refused(`plugins = [ { source.clawdbotPlugin = s: { name = s; }; } ];`)).toBe("");
    expect(() => make("{ enable = true; gatewayPrt = 1; }")).toThrow("gatewayPrt' does not exist");
    expect(() => make("{ enable = true; gatewayPort = 70000; }")).toThrow("not of type port");
  });

  test("deploy-040 hostile names and paths are refused before anything is made of them", () => {
    const refused = (settings: string) => wrong(`{ enable = true; ${settings} }`);
    for (const name of ["a\\nExecStart=x", "a b", "../x", 'a\\"b', "a%h", "a$(id)"]) {
      expect(refused(`instances."${name}" = { stateDir = "/home/ada/s"; };`)).toContain(
        "needs a name",
      );
      expect(refused(`instances.default.systemd.unitName = "${name}";`)).toContain(
        "no name of a unit",
      );
      expect(refused(`instances.default.launchd.label = "${name}";`)).toContain("is no label");
      expect(refused(`skills = [ { name = "${name}"; mode = "inline"; } ];`)).toContain(
        "Skills need names",
      );
      expect(refused(`secretFiles."${name}" = "/home/ada/k";`)).toContain("no names of variables");
      expect(
        refused(`plugins = [ { source.clawdbotPlugin.name = "p"; config.env."${name}" = "v"; } ];`),
      ).toContain("no names of variables");
      expect(refused(`plugins = [ { source.clawdbotPlugin.name = "${name}"; } ];`)).toContain(
        "no usable name",
      );
    }
    for (const path of ["/home/ada/a\\nb", "/etc/x", "relative", "/home/ada/../eve"])
      expect(refused(`stateDir = "${path}";`)).toContain("stateDir");
    expect(refused(`instances.default.logPath = "/home/ada/a\\nUser=root";`)).toContain("logPath");
    expect(
      refused(
        `plugins = [ { source.clawdbotPlugin = { name = "p"; needs.stateDirs = [ "../../etc" ]; }; } ];`,
      ),
    ).toContain("outside of the home folder");
  });

  test("deploy-040 a percent sign in a path is no specifier of systemd", () => {
    const { units, wrong: none } = make(
      `{ enable = true; instances.default = { logPath = "/home/ada/100%h/log"; stateDir = "/home/ada/50%u"; }; }`,
    );
    expect(none).toEqual([]);
    expect(units["clawdbot-gateway"]!.Service["StandardOutput"]).toBe(
      "append:/home/ada/100%%h/log",
    );
  });

  const HOSTILE = `quote " single ' dollar $(touch /tmp/clawdbot-nix-hostile) \${HOME} back\\slash percent %h end`;
  const nixText = (text: string) =>
    `"${text.replace(/["\\]/g, "\\$&").replaceAll("${", "\\${").replaceAll("\n", "\\n")}"`;
  /** The wrapper, really made and really run around a program that prints its environment. */
  const wrapped = (settings: string, env: Record<string, string> = {}) => {
    const { path, stderr } = nix.build(`
      let
        show = pkgs.runCommand "show" { } ''
          mkdir -p $out/bin
          printf '#!/bin/bash\\necho "$0" "$@"\\nenv -0\\n' > $out/bin/clawdbot
          chmod 755 $out/bin/clawdbot
        '';
        result = (lib.evalModules {
          specialArgs = { inherit lib pkgs; };
          modules = [ (stub + "/home-manager/modules.nix") (root + "/nix/module/home-manager.nix") {
            home = { username = "ada"; homeDirectory = "/home/ada"; stateVersion = "1"; };
            programs.clawdbot = { enable = true; checkConfig = false; package = show; } // ${settings};
          } ];
        }).config;
      in builtins.head result.home.packages`);
    if (!path) throw new Error(stderr);
    const done = run([join(path, "bin/clawdbot"), "a b", "c"], {
      env: { PATH: "/usr/bin:/bin", ...env },
    });
    const [first, ...rest] = done.stdout.split("\0");
    const [head, ...line] = first!.split("\n");
    const all = [line.join("\n"), ...rest].filter(Boolean);
    return {
      head,
      stderr: done.stderr,
      env: Object.fromEntries(
        all.map((v) => [v.slice(0, v.indexOf("=")), v.slice(v.indexOf("=") + 1)]),
      ),
      text: readFileSync(join(path, "bin/clawdbot"), "utf8"),
    };
  };

  test("deploy-045 the program of the profile knows state, config and Nix mode, and other values can be given", () => {
    const plain = wrapped("{ }");
    expect(plain.head).toEndWith(" a b c");
    expect(plain.env).toMatchObject({
      CLAWDBOT_NIX_MODE: "1",
      CLAWDBOT_STATE_DIR: "/home/ada/.clawdbot",
      CLAWDBOT_CONFIG_PATH: "/home/ada/.clawdbot/clawdbot.json",
    });
    expect(plain.env["PATH"]).toMatch(/-bash\/bin:.*-ripgrep\/bin:\/usr\/bin:\/bin$/);
    expect(wrapped("{ }", { CLAWDBOT_STATE_DIR: "/elsewhere" }).env).toMatchObject({
      CLAWDBOT_STATE_DIR: "/elsewhere",
      CLAWDBOT_NIX_MODE: "1",
    });
  });

  test("deploy-036 values of variables arrive as they are, whatever is in them", () => {
    for (const value of [HOSTILE, "two\nlines\nexport X=1"]) {
      const seen = wrapped(
        `{ plugins = [ { source.clawdbotPlugin.name = "p"; config.env.VALUE = ${nixText(value)}; } ]; stateDir = "/home/ada/" + ${nixText(HOSTILE)}; }`,
      );
      expect(seen.stderr).toBe("");
      expect(seen.env["VALUE"]).toBe(value);
      expect(seen.env["CLAWDBOT_STATE_DIR"]).toBe(`/home/ada/${HOSTILE}`);
      expect(seen.env).not.toHaveProperty("X");
    }
    expect(run(["test", "-e", "/tmp/clawdbot-nix-hostile"]).code).toBe(1);
  });

  test("deploy-038 secrets are read when the program starts, and never get into the store", () => {
    const file = join(nix.dir, "a secret's file");
    writeFileSync(file, "s3cret-value\n", { mode: 0o600 });
    const seen = wrapped(
      `{ secretFiles = { KEY = ${nixText(file)}; GONE = "/nowhere/key"; }; plugins = [ { source.clawdbotPlugin.name = "p"; config.env.P_TOKEN.file = ${nixText(file)}; } ]; }`,
    );
    expect(seen.env["KEY"]).toBe("s3cret-value");
    expect(seen.env["P_TOKEN"]).toBe("s3cret-value");
    expect(seen.env).not.toHaveProperty("GONE");
    expect(seen.stderr).toBe("clawdbot: the secret file /nowhere/key for GONE cannot be read.\n");
    expect(run(["grep", "-rlF", "s3cret-value", join(nix.dir, "store")]).stdout).toBe("");
  });

  test("deploy-039 the guard of the activation refuses to replace files that somebody wrote", () => {
    const home = join(nix.dir, "guard");
    mkdirSync(join(home, ".clawdbot"), { recursive: true });
    const { guard } = nix.value(`
      let made = ${homeManager('{ enable = true; documents = root + "/templates/agent-first/documents"; }')}; in
      { guard = made.activation.clawdbotGuard.data; }`) as { guard: string };
    const check = () => run(["bash", "-eu", "-c", guard.replaceAll("/home/ada", home)]);
    expect(check().code).toBe(0);
    const config = join(home, ".clawdbot/clawdbot.json");
    symlinkSync(join(nix.dir, "nowhere"), config);
    expect(check().code).toBe(0);
    mkdirSync(join(home, "clawd"));
    writeFileSync(join(home, "clawd/SOUL.md"), "mine");
    const refused = check();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`${home}/clawd/SOUL.md is a file of your own`);
    expect(readFileSync(join(home, "clawd/SOUL.md"), "utf8")).toBe("mine");
    expect(homeOf(LINUX)).toBe("/home/ada");
  });

  test("deploy-037 a copied skill is renewed with its source, and never over a folder of the user's", () => {
    const home = join(nix.dir, "copies");
    const activate = (source: string) => {
      const { path, stderr } = nix.build(`
        let result = (lib.evalModules {
          specialArgs = { inherit lib pkgs; };
          modules = [ (stub + "/home-manager/modules.nix") (root + "/nix/module/home-manager.nix") {
            home = { username = "ada"; homeDirectory = "${home}"; stateVersion = "1"; };
            programs.clawdbot = { enable = true; checkConfig = false; package = pkgs.git;
              skills = [ { name = "s"; mode = "copy"; source = ${source}; } ]; };
          } ];
        }).config; in
        pkgs.writeText "activate" result.home.activation.clawdbotFolders.data`);
      if (!path) throw new Error(stderr);
      return run(["bash", "-eu", "-c", `run() { "$@"; }\n. ${path}`]);
    };
    mkdirSync(join(nix.dir, "one"));
    mkdirSync(join(nix.dir, "two"));
    writeFileSync(join(nix.dir, "one/SKILL.md"), "first");
    writeFileSync(join(nix.dir, "two/SKILL.md"), "second");
    const skill = join(home, "clawd/skills/s");
    expect(activate(join(nix.dir, "one"))).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(join(skill, "SKILL.md"), "utf8")).toBe("first");
    writeFileSync(join(skill, "SKILL.md"), "changed by the agent");
    expect(activate(join(nix.dir, "one")).code).toBe(0);
    expect(readFileSync(join(skill, "SKILL.md"), "utf8")).toBe("changed by the agent");
    expect(activate(join(nix.dir, "two")).code).toBe(0);
    expect(readFileSync(join(skill, "SKILL.md"), "utf8")).toBe("second");
    run(["rm", join(skill, ".from-nix")]);
    expect(activate(join(nix.dir, "one")).stderr).toContain(
      "is not from Nix, so it stays as it is",
    );
    expect(readFileSync(join(skill, "SKILL.md"), "utf8")).toBe("second");
  });
});
