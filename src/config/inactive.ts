/**
 * Keys of the config that are known and kept, but that this version does not act on yet. They are no typing mistakes, so they get one
 * notice and no warning each. Whoever builds a part adds its keys to the owner's schema and takes its line out here.
 */
import { isRecord, type Path } from "./path.ts";

/** `*` is any key or index. A line covers everything below it. */
export const INACTIVE: readonly string[] = [
  "acp",
  "agents.defaults.{cliBackends,compaction,contextInjection,contextPruning,elevatedDefault}",
  "agents.defaults.{heartbeat,imageModel,mediaMaxMb,mediaModels}",
  "agents.defaults.{memorySearch,modelPolicy,params,pdfModel,sandbox,skills,startupContext,subagents}",
  "agents.defaults.utilityModel",
  "agents.list.*.{heartbeat,humanDelay,memorySearch,params,sandbox,skills,subagents}",
  "agents.list.*.tools.{byProvider,elevated,exec,sandbox}",
  "agents.entries.*.{heartbeat,humanDelay,memorySearch,params,sandbox,skills,subagents}",
  "agents.entries.*.tools.{byProvider,elevated,exec,sandbox}",
  "{approvals,audio,browser,canvasHost}",
  "channels.{bluebubbles,buzz,clickclack,feishu,googlechat,imessage,irc,line,matrix,mattermost,msteams,nextcloud-talk}",
  "channels.{nostr,qa-channel,qqbot,raft,reef,signal,slack,sms,synology-chat,tlon,twitch,voice-call,wechat,wecom}",
  "channels.{yuanbao,zalo,zalouser}",
  "channels.defaults.heartbeat",
  "channels.*.{capabilities,contextVisibility,defaultAccount,dms,healthMonitor,heartbeat,modelByChannel}",
  "channels.*.accounts.*.{capabilities,contextVisibility,dms,healthMonitor,heartbeat,modelByChannel}",
  "channels.telegram.{direct,errorPolicy,execApprovals,network,reactionLevel,richMessages,trustedLocalFileRoots}",
  "channels.telegram.{streaming,webhookCertPath}",
  "channels.whatsapp.{pluginHooks,reactionLevel,replyToMode}",
  "channels.discord.{activity,activityType,agentComponents,applicationId,autoPresence,execApprovals}",
  "channels.discord.{ignoreOtherMentions,mentionAliases,pluralkit,presenceEvents,proxy,status,streaming,thread,voice}",
  "channels.discord.actions.{channelInfo,channels,emojiUploads,events,moderation,roleInfo,roles,stickerUploads,voiceStatus}",
  "channels.*.commands.nativeSkills",
  "commands.{bash,bashForegroundMs,debug,mcp,nativeSkills,plugins}",
  "{cron,diagnostics,discovery}",
  "env.shellEnv",
  "gateway.{channelHealth,http,nodes,push,tls,tools,webchat}",
  "gateway.auth.{identityScopes,trustedProxy}",
  "gateway.controlUi.{dangerouslyAllowHostHeaderOriginFallback,root}",
  "{hooks,mcp,media,memory}",
  "messages.{messagePrefix,statusReactions,suppressToolErrors,tts}",
  "models.{bedrockDiscovery,catalogRefresh}",
  "models.providers.*.localService",
  "{nodeHost,plugins,secrets}",
  "session.{agentToAgent,groupScope,maintenance,sendPolicy,store,threadBindings}",
  "{skills,talk}",
  "tools.{agentToAgent,elevated,links,loopDetection,media,sandbox,sessions,subagents,web}",
  "tools.exec.{applyPatch,approvalRunningNoticeMs}",
  "{tts,update}",
];

/**
 * The same for keys that a schema already describes, because older parts of the program check or show them: their values are
 * checked, and nothing acts on them yet. Whoever builds the part takes its line out here.
 */
export const UNREAD: readonly string[] = [
  "agents.defaults.{repoRoot,timeFormat}",
  "agents.list.*.agentDir",
  "agents.list.*.identity.theme",
  "agents.entries.*.agentDir",
  "agents.entries.*.identity.theme",
  "auth.profiles",
  "gateway.auth.allowTailscale",
  "gateway.auth.rateLimit.exemptLoopback",
  "gateway.controlUi.{allowInsecureAuth,dangerouslyDisableDeviceAuth}",
  "gateway.remote.{sshIdentity,sshTarget,tlsFingerprint,transport}",
  "logging.{redactPatterns,redactSensitive}",
  "session.{idleMinutes,reset,resetByChannel,resetByType}",
  "tools.exec.{node,safeBins}",
  "ui.seamColor",
];

type Row = { segments: string[]; last: Set<string> };

const ROWS: Row[] = [...INACTIVE, ...UNREAD].map((line) => {
  const group = /\{([^}]*)\}$/.exec(line);
  const [head, names] = group
    ? [line.slice(0, group.index).replace(/\.$/, ""), group[1]!.split(",")]
    : [line.split(".").slice(0, -1).join("."), [line.split(".").at(-1)!]];
  return { segments: head === "" ? [] : head.split("."), last: new Set(names) };
});

const fits = (row: Row, path: Path): boolean =>
  path.length > row.segments.length &&
  row.segments.every((segment, i) => segment === "*" || segment === path[i]) &&
  (row.last.has("*") || row.last.has(path[row.segments.length]!));

/** The part of `path` that a line covers (`channels.discord`), or undefined when the path is not one of them. */
export function inactivePart(path: Path): Path | undefined {
  const row = ROWS.find((r) => fits(r, path));
  return row && path.slice(0, row.segments.length + 1);
}

/** Known names directly below `path` that are, or hold, inactive parts; for the suggestion of a nearest key. */
export const inactiveNames = (path: Path): string[] => {
  const here = (row: Row) =>
    path.every((key, i) => row.segments[i] === "*" || row.segments[i] === key);
  const names = ROWS.filter((row) => row.segments.length >= path.length && here(row)).flatMap(
    (row) => row.segments[path.length] ?? [...row.last],
  );
  return [...new Set(names)].filter((name) => name !== "*");
};

/** True for `channels`, which holds inactive parts and is none itself. */
export const holdsInactive = (path: Path): boolean =>
  ROWS.some(
    (row) =>
      row.segments.length >= path.length &&
      path.every((segment, i) => row.segments[i] === "*" || row.segments[i] === segment),
  );

/** Whether there is anything in it: `{}` and something switched off is not worth a notice. */
export const saysSomething = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.length > 0;
  if (!isRecord(value)) return value !== undefined && value !== null;
  return Object.keys(value).length > 0 && value.enabled !== false;
};
