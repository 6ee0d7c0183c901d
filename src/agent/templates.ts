/** The first files of a new workspace. The user's and the agent's from then on; a new version never changes them. */
import AGENTS from "./templates/AGENTS.md" with { type: "text" };
import BOOTSTRAP from "./templates/BOOTSTRAP.md" with { type: "text" };
import HEARTBEAT from "./templates/HEARTBEAT.md" with { type: "text" };
import IDENTITY from "./templates/IDENTITY.md" with { type: "text" };
import SOUL from "./templates/SOUL.md" with { type: "text" };
import TOOLS from "./templates/TOOLS.md" with { type: "text" };
import USER from "./templates/USER.md" with { type: "text" };

/** By file name, in the order of the prompt. */
export const TEMPLATES: Record<string, string> = {
  "AGENTS.md": AGENTS,
  "SOUL.md": SOUL,
  "TOOLS.md": TOOLS,
  "IDENTITY.md": IDENTITY,
  "USER.md": USER,
  "HEARTBEAT.md": HEARTBEAT,
};

/** The first conversation; the agent deletes it when it is over. */
export { BOOTSTRAP };
