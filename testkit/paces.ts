/** Bounds and paces of workflows and reconcilers for tests: everything as in production, only sooner. */
import type { ServerParts } from '#server/wire.ts';

export const fastWork: NonNullable<ServerParts['work']> = {
  timing: {
    backoffFactor: 0.02,
    healthyPollFirstMs: 5,
    healthyPollMaxMs: 20,
    healthyDeadlineMs: { desktop: 3_000, server: 3_000 },
    imagePollMs: 20,
    guestPollMs: 20,
    stopTimeoutSeconds: 1,
  },
  pace: {
    health: { tickMs: 50, healthyEveryMs: 200, otherEveryMs: 50, restartAfterMs: 200, restartPauseFirstMs: 100 },
    watcher: { everyMs: 1_000, orphanGraceMs: 500 },
    replica: { beatMs: 200, deadMs: 1_500 },
    mailMs: 50,
    keys: { everyMs: 200, leadMs: 300, keptMs: 1_000 },
  },
};
