/** For how long a stranger's code is good, and how many may wait at one account. One place, because the command line reads it too. */
export const PAIRING_LIMITS = { ttlMs: 3_600_000, cap: 3 } as const;
