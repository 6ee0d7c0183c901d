/** Where commands run, and with which rights: this program has no sandbox, so nobody may believe that there is one. */
import { existsSync, statSync } from "node:fs";

import { inContainer } from "../../base/platform.ts";
import { isRecord, valueAt } from "../../config/path.ts";
import type { Check, Finding, Scene } from "../check.ts";

/** Modes of a sandbox that a config asks for, with their keys; none that says off. */
function wishes({ loaded }: Scene): string[] {
  const tree = loaded.resolved;
  const asks = (path: string[]) => {
    const mode = valueAt(tree, path);
    return typeof mode === "string" && mode !== "off" ? [path.join(".")] : [];
  };
  const agents = valueAt(tree, ["agents", "list"]);
  return [
    ...asks(["agents", "defaults", "sandbox", "mode"]),
    ...(Array.isArray(agents) ? agents : []).flatMap((agent, i) =>
      isRecord(agent) ? asks(["agents", "list", String(i), "sandbox", "mode"]) : [],
    ),
  ];
}

export const sandboxCheck: Check = {
  id: "sandbox",
  title: "Commands",
  async run(scene) {
    const { config } = scene.loaded;
    const keys = wishes(scene);
    const found: Finding[] = [];
    if (keys.length > 0)
      found.push({
        severity: "warning",
        message: `The config asks for a sandbox (${keys.join(", ")}), but this version has none: commands of the assistant run on this machine, as this user.`,
        fixHint: `${scene.command} config set tools.exec.security deny`,
        path: keys[0]!,
        audit: { id: "sandbox.not_built", title: "The sandbox of the config does not exist" },
        fix: {
          kind: "choice",
          label: "Switch commands of the assistant off (tools.exec.security deny)",
          done: "tools.exec.security is deny now.",
          changes: [{ kind: "set", path: ["tools", "exec", "security"], value: "deny" }],
        },
      });
    if (config?.tools.exec.host === "sandbox" && keys.length === 0)
      found.push({
        severity: "warning",
        message:
          "tools.exec.host is sandbox, but this version has none: commands of the assistant run on this machine, as this user.",
        fixHint: `${scene.command} config set tools.exec.security deny`,
        path: "tools.exec.host",
        audit: {
          id: "tools.exec.host_sandbox_no_sandbox_defaults",
          title: "Commands do not run in a sandbox",
        },
      });
    return [...found, ...rights(scene)];
  },
};

/** What commands could do beyond the files of their user. */
function rights({ env }: Scene): Finding[] {
  const found: Finding[] = [];
  const contained = inContainer(env);
  if (process.getuid?.() === 0)
    found.push({
      severity: "info",
      message: `This runs as root${contained ? " inside a container" : ""}; a gateway that does so gives the assistant's commands every right there.`,
      fixHint: contained
        ? "Set CLAWDBOT_DROP_UID, or use the image's own user."
        : "Run the gateway as a user of its own.",
      audit: {
        id: contained ? "container.root_user" : "process.root_user",
        title: "It runs as root",
      },
    });
  if (contained && existsSync(DOCKER) && statSync(DOCKER).isSocket())
    found.push({
      severity: "critical",
      message: `${DOCKER} is mounted into this container: whoever can make the assistant run a command owns the host.`,
      fixHint: "Start the container without that mount.",
      path: DOCKER,
      audit: {
        id: "container.docker_socket_mounted",
        title: "The container controls its host",
      },
    });
  return found;
}

const DOCKER = "/var/run/docker.sock";
