/** Server-Sent Events as the HTML standard describes them: an incremental parser, one instance per connection. */

export type SseMessage = { id: string | null; event: string; data: string };

/** Longest line kept; a longer one means that this is not an event stream. */
export const SSE_LINE_BYTES_MAX = 1024 * 1024;

export class SseParser {
  #rest = '';
  #data: string[] = [];
  #event = '';
  #id: string | null = null;

  /** Takes the next piece of text, returns the messages it completed. Errors: RangeError on an endless line. */
  push(text: string): SseMessage[] {
    const messages: SseMessage[] = [];
    this.#rest += text;
    // A carriage return at the very end may be half of a CRLF: leave it for the next piece.
    const lines = this.#rest.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > SSE_LINE_BYTES_MAX) throw new RangeError('a line of the event stream is too long');
    for (const line of lines) {
      const message = this.#line(line);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #line(line: string): SseMessage | null {
    if (line === '') {
      const message = {
        id: this.#id,
        event: this.#event === '' ? 'message' : this.#event,
        data: this.#data.join('\n'),
      };
      const complete = this.#data.length > 0;
      this.#data = [];
      this.#event = '';
      return complete ? message : null;
    }
    if (line.startsWith(':')) return null;
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }
}
