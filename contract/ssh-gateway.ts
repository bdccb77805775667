/**
 * What the SSH gateway says to edge and to the server, over unix sockets that only it may open. Edge decides who may
 * enter what and ends it again; the server is told what happened. Closed schemas on both sides.
 */
import { z } from 'zod';
import { SSH_KEY_LENGTH_MAX } from '#domain/ssh.ts';
import { sshRecordingStates } from '#domain/ssh-recordings.ts';
import { idSchema } from './common.ts';

const text = (max: number) => z.string().min(1).max(max);
const base64 = (bytesMax: number) => z.base64().max(Math.ceil(bytesMax / 3) * 4);
export const sshFingerprintSchema = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'SHA256:...');
/** `<type> <base64>` */
export const sshHostKeySchema = z
  .string()
  .max(SSH_KEY_LENGTH_MAX)
  .regex(/^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]+={0,2}$/, 'a public key');

/** Longest thing that is signed: the identifier of a connection and a request to sign in. */
const SIGNED_BYTES_MAX = 2_048;
export const SSH_BODY_BYTES_MAX = 64 * 1024;

/** POST bodies to edge. */
export const edgeSshBodies = {
  /** May this key open what the user name names? Asked before anything is signed. */
  key: z.strictObject({ user: text(200), fingerprint: sshFingerprintSchema }),
  /** Somebody has proven who they are. Answers lines (`edgeSshLine`) for as long as the connection lives. */
  enter: z.strictObject({
    session: idSchema('shs'),
    user: text(200),
    proof: z.discriminatedUnion('by', [
      z.strictObject({ by: z.literal('key'), fingerprint: sshFingerprintSchema }),
      /** The secret of a session that the server made after password and second factor. */
      z.strictObject({ by: z.literal('password'), secret: text(200) }),
    ]),
  }),
  /** Signs one login at the server that `lease` was given for. */
  sign: z.strictObject({ lease: text(64), data: base64(SIGNED_BYTES_MAX) }),
} as const;

export const enteredSchema = z.object({
  lease: z.string(),
  user: z.object({ id: idSchema('usr'), email: z.string() }),
  key: z.object({ label: z.string() }).nullable(),
  instance: z.object({ id: idSchema('ins'), name: z.string() }),
  address: z.string(),
  /** Of the server, pinned. */
  hostKeys: z.array(sshHostKeySchema),
  /** The key that `sign` signs with. */
  loginKey: sshHostKeySchema,
  /** Whether shells with a terminal have to be recorded. */
  recording: z.enum(sshRecordingStates),
});
export type Entered = z.output<typeof enteredSchema>;

/** A line of `enter`. Nothing follows `refused`, `factor` and `cut`. */
export const edgeSshLine = z.union([
  z.object({ entered: enteredSchema }),
  /** `told`: the person is known and may see why; else they learn nothing. */
  z.object({ refused: z.object({ reason: z.string(), told: z.boolean() }) }),
  /** A key was proven and the organization of the server asks for a second factor: ask again when the server has it. */
  z.object({ factor: z.object({ user: idSchema('usr') }) }),
  z.object({ cut: z.object({ reason: z.string() }) }),
]);

const counted = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** POST bodies to the server. */
export const serverSshBodies = {
  begin: z.strictObject({
    session: idSchema('shs'),
    user: idSchema('usr'),
    instance: idSchema('ins'),
    method: z.enum(['key', 'password']),
    fingerprint: sshFingerprintSchema.nullable(),
    address: text(64),
    client: z.string().max(200),
    startedAt: z.iso.datetime(),
  }),
  /** Sent every few seconds for all that live. */
  beat: z.strictObject({
    sessions: z.array(z.strictObject({ session: idSchema('shs'), bytesIn: counted, bytesOut: counted })).max(1_000),
  }),
  end: z.strictObject({
    session: idSchema('shs'),
    reason: text(200),
    bytesIn: counted,
    bytesOut: counted,
    endedAt: z.iso.datetime(),
  }),
  /** The second factor of somebody who has proven a key. Answers 204 when it is right. */
  factor: z.strictObject({
    session: idSchema('shs'),
    user: idSchema('usr'),
    code: text(100),
    address: text(64),
    client: z.string().max(200),
  }),
  /** A recording began: its file is there, with a header. */
  record: z.strictObject({ recording: idSchema('srd'), session: idSchema('shs'), startedAt: z.iso.datetime() }),
  recorded: z.strictObject({
    recording: idSchema('srd'),
    reason: text(200),
    bytes: counted,
    milliseconds: counted,
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    endedAt: z.iso.datetime(),
  }),
  /** A server answered with another host key than the pinned one; nothing was sent to it. */
  hostKey: z.strictObject({ instance: idSchema('ins'), key: sshHostKeySchema }),
} as const;
export type ServerSshCall = keyof typeof serverSshBodies;
export type ServerSshBody<C extends ServerSshCall> = z.output<(typeof serverSshBodies)[C]>;
