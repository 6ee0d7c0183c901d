/**
 * Every system that clawdbot is built for, and what each world calls it. Bun's x64 builds choose their code paths for the processor
 * at run time, so there are no baseline variants.
 */

export type Target = {
  /** As in `clawdbot-<id>`, `@clawdbot/<id>`, and Bun's own `bun-<id>`. */
  id: `${"linux" | "darwin" | "windows"}-${"x64" | "arm64"}`;
  /** npm's words. */
  os: string;
  cpu: string;
  /** File name ending of the executable. */
  exe: "" | ".exe";
  /** Nix's word; none for systems without Nix. */
  nix?: string;
  /** Docker's word; only Linux has images. */
  docker?: string;
};

export const TARGETS: Target[] = [
  { id: "linux-x64", os: "linux", cpu: "x64", exe: "", nix: "x86_64-linux", docker: "amd64" },
  { id: "linux-arm64", os: "linux", cpu: "arm64", exe: "", nix: "aarch64-linux", docker: "arm64" },
  { id: "darwin-x64", os: "darwin", cpu: "x64", exe: "", nix: "x86_64-darwin" },
  { id: "darwin-arm64", os: "darwin", cpu: "arm64", exe: "", nix: "aarch64-darwin" },
  { id: "windows-x64", os: "win32", cpu: "x64", exe: ".exe" },
];

export const binaryName = (target: Target): string => `clawdbot-${target.id}${target.exe}`;
