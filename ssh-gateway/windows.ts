/**
 * What waits for room in the client's window, output and errors of one channel, goes out when there is room again. The
 * library (1.17.0) lets the errors wait for ever while output waits as well, and later sends old output in their place.
 */
import type { Connection } from 'ssh2';

type Callback = (error?: Error | null) => void;
type Write = (data: Buffer, encoding: null, done: Callback) => void;

/** What of the library's own objects is used. Its version is pinned. */
type InnerChannel = {
  outgoing: { window: number };
  stderr: { _write: Write };
  _write: Write;
  _waitWindow: boolean;
  _chunk: Buffer | undefined;
  _chunkcb: Callback | undefined;
  _chunkErr: Buffer | undefined;
  _chunkcbErr: Callback | undefined;
};
/** A session stands for its channel, which it gets later. */
type Found = (InnerChannel & { _channel?: undefined }) | { _channel: InnerChannel | undefined; outgoing?: undefined };
type Inner = {
  _chanMgr: { get(id: number): Found | number | undefined | null };
  _protocol: { _handlers: Record<string, unknown> };
};

/** For the client's side of a connection, before anything is open on it. */
export function serveBothOutputs(connection: Connection): void {
  const { _chanMgr: channels, _protocol: protocol } = connection as unknown as Inner;
  protocol._handlers['CHANNEL_WINDOW_ADJUST'] = (_protocol: unknown, id: number, bytes: number) => {
    const found = channels.get(id);
    if (typeof found !== 'object' || found === null) return;
    const channel = found.outgoing === undefined ? found._channel : found;
    if (channel === undefined) return;
    channel.outgoing.window += bytes;
    if (!channel._waitWindow) return;
    channel._waitWindow = false;
    const { _chunk, _chunkcb, _chunkErr, _chunkcbErr } = channel;
    Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined });
    // Errors first: they are few, and output would take all the room every time. What still has none waits again.
    if (_chunkErr !== undefined && _chunkcbErr !== undefined) channel.stderr._write(_chunkErr, null, _chunkcbErr);
    if (_chunk !== undefined && _chunkcb !== undefined) channel._write(_chunk, null, _chunkcb);
  };
}
