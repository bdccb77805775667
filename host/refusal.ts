/** A reason for people, printed without a stack; nothing was changed or the rest is left as it is. */
export class Refusal extends Error {}
