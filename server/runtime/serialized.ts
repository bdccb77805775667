/** An answer that is JSON already; the HTTP layer sends its bytes as they are. */
export class Serialized<T> {
  readonly bytes: Buffer;
  /** The type of what was serialized; there is no value. */
  declare readonly of: T;
  constructor(value: T) {
    this.bytes = Buffer.from(JSON.stringify(value));
  }
}
