/** What the NixOS module makes: one service of the machine, as a user of its own. And what systemd itself says about both units. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { missing, run } from "../lab.ts";
import { HERE, homeManager, type Made, type Nix, noNix, openNix, type Unit } from "./nix.ts";

setDefaultTimeout(120_000);
const noSystemd = noNix ?? missing({ "systemd-analyze": "systemd" });

const machine = (settings: string) => `
let
  result = (lib.evalModules {
    specialArgs = { inherit lib pkgs; };
    modules = [
      (stub + "/nixos.nix")
      (root + "/nix/module/nixos.nix")
      { services.openclaw = { checkConfig = false; package = pkgs.git; } // ${settings}; }
    ];
  }).config;
  file = result.environment.etc."clawdbot/clawdbot.json".source or { text = "{}"; };
in
{
  wrong = map (a: a.message) (builtins.filter (a: !a.assertion) result.assertions);
  service = result.systemd.services.clawdbot-gateway or null;
  config = builtins.fromJSON file.text;
  ports = result.networking.firewall.allowedTCPPorts;
  users = result.users;
  packages = map (p: p.name) result.environment.systemPackages;
}`;
type Machine = {
  wrong: string[];
  service: { environment: Record<string, string>; serviceConfig: Record<string, unknown> } & Record<
    string,
    unknown
  >;
  config: object;
  ports: number[];
  users: object;
  packages: string[];
};

describe.skipIf(noNix !== undefined)("NixOS", () => {
  let nix: Nix;
  beforeAll(() => {
    nix = openNix();
  });
  afterAll(() => nix[Symbol.dispose]());
  const make = (settings: string) => nix.value(machine(settings)) as Machine;

  test("deploy-036 the service of the machine runs as its own user, at boot, shut in", () => {
    const made = make(`{
      enable = true;
      openFirewall = true;
      config = { gateway.bind = "lan"; gateway.auth.token = "\${"$"}{TOKEN}"; };
      secretFiles.TOKEN = "/run/secrets/100%";
    }`);
    expect(made.wrong).toEqual([]);
    expect(made.ports).toEqual([18789]);
    expect(made.users).toMatchObject({ users: { clawdbot: { isSystemUser: true } } });
    expect(made.packages).toEqual(["clawdbot", "openclaw", "moltbot"]);
    expect(made.config).toMatchObject({ gateway: { bind: "lan", mode: "local", port: 18789 } });
    expect(made.service["wantedBy"]).toEqual(["multi-user.target"]);
    expect(made.service.serviceConfig).toMatchObject({
      User: "clawdbot",
      StateDirectory: "clawdbot",
      StateDirectoryMode: "0700",
      ProtectSystem: "strict",
      ProtectHome: true,
      CapabilityBoundingSet: "",
      LoadCredential: ["TOKEN:/run/secrets/100%%"],
    });
    expect(
      make(`{ enable = true; workspaceDir = "/srv/clawd"; }`).service.serviceConfig,
    ).toMatchObject({
      ReadWritePaths: ["-/srv/clawd"],
    });
    expect(make("{ enable = false; }")).toMatchObject({ service: null, packages: [], wrong: [] });
  });

  test("deploy-036 secrets in the clear and hostile values are refused", () => {
    const wrong = (settings: string) => make(`{ enable = true; ${settings} }`).wrong.join("\n");
    expect(wrong(`config.gateway.auth.token = "abc";`)).toContain("gateway.auth.token");
    expect(wrong(`environment.OPENAI_API_KEY = "sk-1";`)).toContain("OPENAI_API_KEY");
    expect(wrong(`environment."A\\nB" = "x";`)).toContain("no names of variables");
    expect(wrong(`secretFiles.A = "/run/a:b";`)).toContain("without `:`");
    expect(wrong(`secretFiles.A = "/nix/store/a";`)).toContain("outside of /nix/store");
    expect(wrong(`stateDir = "/etc";`)).toContain("directly in /var/lib");
    expect(wrong(`stateDir = "/var/lib/x\\nUser=root";`)).toContain("directly in /var/lib");
    expect(wrong(`workspaceDir = "/srv/a b";`)).toContain("workspaceDir");
    expect(wrong(`toolNames = [ "gti" ];`)).toContain("no package gti");
  });

  /** As Home Manager and NixOS write a unit: a list is the same key several times. */
  const unitText = (unit: Record<string, Record<string, unknown>>) =>
    Object.entries(unit)
      .map(([section, keys]) => {
        const lines = Object.entries(keys).flatMap(([key, value]) =>
          (Array.isArray(value) ? value : [value]).map((one) => `${key}=${String(one)}`),
        );
        return `[${section}]\n${lines.join("\n")}\n`;
      })
      .join("\n");
  /** Every program of the units is there for the check. */
  const verify = (
    name: string,
    unit: Record<string, Record<string, unknown>>,
    ...flags: string[]
  ) => {
    const dir = join(nix.dir, `units-${crypto.randomUUID()}`);
    mkdirSync(dir);
    const text = unitText(unit).replace(/^ExecStart=\S+/m, "ExecStart=/bin/true");
    const file = join(dir, `${name}.service`);
    writeFileSync(file, text);
    const env = { PATH: "/usr/bin:/bin", HOME: dir, XDG_RUNTIME_DIR: dir };
    return { text, ...run(["systemd-analyze", "verify", "--man=no", ...flags, file], { env }) };
  };

  test.skipIf(noSystemd !== undefined)(
    "deploy-046 systemd has no objections to the unit of Home Manager",
    () => {
      const made = nix.value(
        homeManager(
          `{ enable = true; instances.default = { logPath = "/home/ada/a b/100%/log"; }; instances.work = { gatewayPort = 2; }; }`,
          HERE,
        ),
        HERE,
      ) as Made;
      expect(made.wrong).toEqual([]);
      for (const [name, unit] of Object.entries(made.units)) {
        const { text, stderr, code } = verify(name, unit as Unit, "--user");
        expect(stderr).not.toMatch(/Unknown|Failed to parse|Invalid|not absolute|ignoring/i);
        expect(code).toBe(0);
        expect(text).toContain("WantedBy=default.target");
      }
    },
  );

  test.skipIf(noSystemd !== undefined)(
    "deploy-036 systemd has no objections to the unit of NixOS",
    () => {
      const { service } = make(`{ enable = true; secretFiles.A = "/run/secrets/a"; }`);
      const { stderr, code } = verify("clawdbot-gateway", {
        Service: {
          ...service.serviceConfig,
          Environment: "CLAWDBOT_SERVICE_MARKER=nix",
          User: "root",
          Group: "root",
        },
      });
      expect(stderr).not.toMatch(/Unknown|Failed to parse|Invalid|not absolute|ignoring/i);
      expect(code).toBe(0);
    },
  );
});
