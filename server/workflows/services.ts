/**
 * What workflows and reconcilers may use, and nothing else: rows, the driver, the clock, ids. Kept narrow on purpose,
 * so that it can be faked, versioned and reasoned about. main.ts and testkit build it.
 */
import type { InstanceDriver } from '#drivers/interface.ts';
import type { MailTransport } from '#integrations/smtp/interface.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import type { Db } from '../store/database.ts';
import type { StopPoint } from './stop-point.ts';

export type ServiceLog = {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

/** Bounds and paces, named; tests shorten them. All in milliseconds but the factor. */
export type Timing = {
  /** Multiplies every pause between attempts. */
  backoffFactor: number;
  healthyPollFirstMs: number;
  healthyPollMaxMs: number;
  healthyDeadlineMs: { desktop: number; server: number };
  imagePollMs: number;
  imageDeadlineMs: number;
  guestPollMs: number;
  stopTimeoutSeconds: number;
};

export const defaultTiming: Timing = {
  backoffFactor: 1,
  healthyPollFirstMs: 60,
  healthyPollMaxMs: 1000,
  healthyDeadlineMs: { desktop: 180_000, server: 120_000 },
  imagePollMs: 500,
  imageDeadlineMs: 2 * 3600_000,
  guestPollMs: 700,
  stopTimeoutSeconds: 30,
};

export type Services = {
  db: Db;
  driver: InstanceDriver;
  /** Hands mails to the mail server. */
  mail: MailTransport;
  /** Opens what the app layer has sealed. */
  secrets: SecretBox;
  log: ServiceLog;
  /** Platform domain: instances live at <name>.<domain>. */
  domain: string;
  /** Name of the one host there is until a scheduler exists. */
  hostName: string;
  timing: Timing;
  /** Unix time in milliseconds. */
  now(): number;
  /** Random bytes for ids. */
  random(bytes: number): Uint8Array;
  /** True while the process is going down: what breaks then did not fail. */
  stopping(): boolean;
  /** Starts the durable run of an operation that is already committed; never throws (operation-starter tries again). */
  startRun(operationId: string): void;
  /** "Look now": wakes a reconciler by name. */
  nudge(reconciler: string): void;
  /** Named points at which a test may pause or kill this process. */
  stopPoint: StopPoint;
};
