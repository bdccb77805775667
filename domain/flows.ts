/** What left instances: how finely it is kept, for how long, and how much of it at most. Pure. */

export const flowVerdicts = ['allowed', 'denied'] as const;
export type FlowVerdict = (typeof flowVerdicts)[number];
/** `other` is whatever is neither TCP, UDP nor ICMP; `any` stands for destinations that were too many to be told apart. */
export const flowProtocols = ['tcp', 'udp', 'icmp', 'other', 'any'] as const;
export type FlowProtocol = (typeof flowProtocols)[number];

/** One destination of one instance: what happened since it was told last. */
export type Flow = {
  /** Empty: destinations beyond the bound, together. */
  address: string;
  protocol: FlowProtocol;
  /** 0 where there are no ports. */
  port: number;
  verdict: FlowVerdict;
  /** What the instance asked the resolver before; null: it went there without asking. */
  name: string | null;
  /** Connections that began; attempts, where denied. */
  connections: number;
  sentBytes: number;
  receivedBytes: number;
  firstAt: string;
  lastAt: string;
};

/** How often the host looks at what its firewall has counted. */
export const FLOW_SECONDS = 10;
/** Destinations that one instance may newly have a second, and at once; the rest is counted together. */
export const FLOW_NEW_PER_SECOND_MAX = 1;
export const FLOW_NEW_BURST = 200;
/** What is still to be handed to the control plane, and in one piece. */
export const FLOWS_PENDING_MAX = 20_000;
export const FLOWS_PER_BATCH_MAX = 5_000;
/** Destinations of one instance in one hour; the rest of that hour is one row. */
export const FLOWS_PER_HOUR_MAX = 500;
/** Rows of one instance; the oldest go first. */
export const FLOWS_PER_INSTANCE_MAX = 20_000;
export const FLOW_DAYS_KEPT = 7;
/** Destinations in the little graph. */
export const FLOW_TOP_MAX = 10;
