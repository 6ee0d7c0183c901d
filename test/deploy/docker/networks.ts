/**
 * Telegram, Discord and WhatsApp as a program, for a machine of its own: the engine's. The first line that it prints is where they are;
 * then `telegram: <text>` for everything that was sent to Ann. Lines that it reads: `telegram <text>`, `discord <text>` and
 * `whatsapp <text>`, which Ann then writes, and `scan <code>`, which the owner's phone then scans.
 */
import { startDiscord } from "../../fakes/discord.ts";
import { startTelegram } from "../../fakes/telegram.ts";
import { startWhatsApp } from "../../fakes/whatsapp/index.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const telegram = await startTelegram({ username: "clawd_bot" });
const discord = await startDiscord({});
const whatsapp = startWhatsApp({ prekeys: 0 });
const ann = {
  telegram: telegram.person(42),
  discord: discord.person("ann"),
  whatsapp: whatsapp.person("Ann"),
};
export type Place = { apiRoot: string; token: string };
export type Networks = { telegram: Place; discord: Place; env: Record<string, string> };
const where: Networks = {
  telegram: { apiRoot: telegram.apiRoot, token: telegram.token },
  discord: { apiRoot: discord.apiRoot, token: discord.token },
  env: whatsapp.env,
};
say(JSON.stringify(where));

type Until = (test: () => boolean) => Promise<unknown>;
/** Tells what is new, one line each, as long as the program runs. */
async function tell(name: string, texts: () => string[], until: Until): Promise<void> {
  for (let told = 0; ; told++) {
    await until(() => texts().length > told);
    say(`${name}: ${JSON.stringify(texts()[told])}`);
  }
}
void tell(
  "telegram",
  () => telegram.texts,
  (test) => telegram.until(test),
);
void tell("discord", discord.texts, discord.until);
void tell(
  "whatsapp",
  () => whatsapp.texts(),
  (test) => whatsapp.world.until(test),
);

for await (const line of console) {
  const [word, ...rest] = line.split(" ");
  const text = rest.join(" ");
  if (word === "scan") whatsapp.world.asking!.scan(text);
  else if (word === "telegram") ann.telegram.text(text);
  else if (word === "discord") ann.discord.dm(text);
  else if (word === "whatsapp") await whatsapp.says(ann.whatsapp, text);
}
process.exit();
