/** The SFTP half of ssh2, which works over any stream; the package describes it as part of a connection only. */
declare module 'ssh2/lib/protocol/SFTP.js' {
  import type { SFTPWrapper } from 'ssh2';

  type Channel = { id: number; window: number; packetSize: number; state: 'open' };
  type Connection = {
    _protocol: {
      channelData(id: number, data: Buffer): void;
      channelEOF(id: number): void;
      channelClose(id: number): void;
      _remoteIdentRaw: string;
    };
    _chanMgr: { remove(id: number): void };
  };
  export class SFTP extends (class {} as new () => SFTPWrapper) {
    constructor(
      connection: Connection,
      channel: { type: 'sftp'; incoming: Channel; outgoing: Channel },
      options: object,
    );
    /** Begins: `ready` or `error` follows. */
    _init(): void;
    /** Bytes that came in; null at the end. */
    push(data: Buffer | null): void;
  }
}
