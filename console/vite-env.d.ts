/// <reference types="vite/client" />

declare module '@novnc/novnc' {
  type Credentials = { username?: string; password?: string; target?: string };
  // biome-ignore lint/style/noDefaultExport: that is how noVNC exports it
  export default class RFB extends EventTarget {
    constructor(
      target: HTMLElement,
      channel: string | WebSocket,
      options?: { shared?: boolean; credentials?: Credentials; wsProtocols?: string[] },
    );
    viewOnly: boolean;
    focusOnClick: boolean;
    clipViewport: boolean;
    dragViewport: boolean;
    scaleViewport: boolean;
    resizeSession: boolean;
    showDotCursor: boolean;
    background: string;
    qualityLevel: number;
    compressionLevel: number;
    readonly capabilities: { power: boolean };
    disconnect(): void;
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    sendCtrlAltDel(): void;
    focus(options?: FocusOptions): void;
    blur(): void;
    clipboardPasteFrom(text: string): void;
    toBlob(callback: (blob: Blob) => void, type?: string, quality?: number): void;
  }
}
