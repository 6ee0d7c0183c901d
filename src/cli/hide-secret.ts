/** A secret on the command line is in every user's `ps`. The program replaces itself by one that has it in its environment. */
import { type Env, setPrefixed } from "../base/env.ts";

type Secrets = { token?: string | undefined; password?: string | undefined };

/** The words without `--token x` and `--password x`, in both spellings; what follows `--` stays. */
export function withoutSecrets(words: string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") return [...kept, ...words.slice(i)];
    if (word === "--token" || word === "--password") i++;
    else if (!/^--(?:token|password)=/.test(word)) kept.push(word);
  }
  return kept;
}

/**
 * Does not come back when there is a secret to hide: the same process (and pid) goes on as a new program, which finds the
 * secret in the variable of that purpose. Only the compiled program on a Unix can do it; elsewhere nothing happens.
 */
export function hideSecrets({ token, password }: Secrets, env: Env): void {
  if ((!token && !password) || !Bun.isStandaloneExecutable || process.platform === "win32") return;
  const vars: Record<string, string> = {};
  for (const [name, value] of Object.entries(env.vars)) if (value !== undefined) vars[name] = value;
  if (token) setPrefixed(vars, "GATEWAY_TOKEN", token);
  if (password) setPrefixed(vars, "GATEWAY_PASSWORD", password);
  const words = withoutSecrets(process.argv.slice(2));
  process.execve?.(process.execPath, [process.argv0, ...words], vars);
}
