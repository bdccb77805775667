/**
 * Counting what leaves guests, in the kernel: one element for each guest, destination, protocol and port, with counters.
 * What was tried is counted before any rule could refuse it and again behind all rules, the engine's too: what is missing
 * behind was denied, whoever denied it. A guest may begin only so many new elements a second; beyond, its packets are
 * counted together, so that none of them costs more than a look-up. Pure.
 */
import { FLOW_NEW_BURST, FLOW_NEW_PER_SECOND_MAX } from '#domain/flows.ts';

/** Elements of one set; the kernel refuses more, and they are counted together as well. */
const SET_ELEMENTS_MAX = 16_384;
/** An element leaves when nothing was counted for this long. */
const IDLE_SECONDS = 300;
const COUNTED_TOGETHER_MAX = 65_535;

const families = [
  { family: 4, key: 'ip', type: 'ipv4_addr', proto: 'ipv4' },
  { family: 6, key: 'ip6', type: 'ipv6_addr', proto: 'ipv6' },
] as const;

/** The table's content; null when there are no bridges. */
export function flowTable(bridges: readonly string[]): string | null {
  if (bridges.length === 0) return null;
  const lines = [`  set bridges { type ifname; elements = { ${bridges.map((name) => `"${name}"`).join(', ')} }; }`];
  for (const { family, key, type } of families) {
    const begins = `limit rate over ${FLOW_NEW_PER_SECOND_MAX}/second burst ${FLOW_NEW_BURST} packets`;
    const flags = `flags dynamic,timeout; timeout ${IDLE_SECONDS}s`;
    lines.push(
      `  set dyn_begun${family} { type ${type}; size ${COUNTED_TOGETHER_MAX}; ${flags}; }`,
      `  set dyn_more${family} { type ${type}; size ${COUNTED_TOGETHER_MAX}; counter; ${flags}; }`,
    );
    // In the order of reading: what was tried first, so that nothing seems denied that merely came in between.
    for (const [ports, suffix, fields] of [
      [`${key} saddr . ${key} daddr . meta l4proto . th dport`, 'p', `${type} . ${type} . inet_proto . inet_service`],
      [`${key} saddr . ${key} daddr . meta l4proto`, 'n', `${type} . ${type} . inet_proto`],
    ] as const) {
      const set = (name: string): string => `dyn_${name}_${suffix}${family}`;
      // Looking an element with counters up counts as well, so the one that is asked has none.
      lines.push(`  set ${set('known')} { type ${fields}; size ${SET_ELEMENTS_MAX}; ${flags}; }`);
      for (const name of ['tried', 'let', 'sent', 'got']) {
        lines.push(`  set ${set(name)} { type ${fields}; size ${SET_ELEMENTS_MAX}; counter; ${flags}; }`);
      }
      const back =
        suffix === 'p'
          ? `${key} daddr . ${key} saddr . meta l4proto . th sport`
          : `${key} daddr . ${key} saddr . meta l4proto`;
      lines.push(
        `  chain begin_${suffix}${family} {
    ${ports} @${set('known')} return
    update @dyn_begun${family} { ${key} saddr ${begins} } update @dyn_more${family} { ${key} saddr counter } accept
    update @${set('known')} { ${ports} }
  }`,
        `  chain tried_${suffix}${family} {
    jump begin_${suffix}${family}
    ${ports} @${set('known')} update @${set('tried')} { ${ports} counter } accept
    update @dyn_more${family} { ${key} saddr counter }
  }`,
        `  chain out_${suffix}${family} {
    ${ports} != @${set('known')} accept
    update @${set('known')} { ${ports} }
    ct state new update @${set('let')} { ${ports} counter }
    update @${set('sent')} { ${ports} counter }
  }`,
        `  chain back_${suffix}${family} {
    ${back} @${set('known')} update @${set('got')} { ${back} counter }
  }`,
      );
    }
  }
  const split = (chain: string): string[] =>
    families.flatMap(({ family, proto }) => [
      `    meta nfproto ${proto} meta l4proto { tcp, udp } goto ${chain}_p${family}`,
      `    meta nfproto ${proto} goto ${chain}_n${family}`,
    ]);
  lines.push('  chain out {', ...split('out'), '  }', '  chain back {', ...split('back'), '  }');
  lines.push('  chain attempt {', ...split('tried'), '  }');
  // Names and addresses (53, 67, 547) and neighbours are how a network works, and leave nothing.
  const toHost =
    'iifname @bridges ct state new meta l4proto != ipv6-icmp meta l4proto { tcp, udp } th dport != { 53, 67, 547 }';
  lines.push(
    chain('tried_through', 'forward', -12, ['iifname @bridges ct state new jump attempt']),
    chain('tried_host', 'input', -12, [`${toHost} jump attempt`]),
    chain('let_through', 'forward', 10, [
      'iifname @bridges ct direction original jump out',
      'oifname @bridges ct direction reply jump back',
    ]),
    chain('let_host', 'input', 10, [`${toHost} jump out`]),
  );
  return lines.join('\n');
}

function chain(name: string, hook: 'forward' | 'input', priority: number, lines: readonly string[]): string {
  return [
    `  chain ${name} {`,
    `    type filter hook ${hook} priority ${priority}; policy accept;`,
    ...lines.map((line) => `    ${line}`),
    '  }',
  ].join('\n');
}

export type Counted = { packets: number; bytes: number };
/** What the kernel has counted; keys are `<guest> <destination> <protocol number> <port>`. */
export type Counts = Record<'tried' | 'let' | 'sent' | 'got', Map<string, Counted>> & {
  /** By guest. */
  more: Map<string, Counted>;
};

/** Reads `nft -n list table`. */
export function readCounts(listing: string): Counts {
  const counts: Counts = { tried: new Map(), let: new Map(), sent: new Map(), got: new Map(), more: new Map() };
  for (const [, name = '', body = ''] of listing.matchAll(
    /\tset dyn_(tried|let|sent|got|more)_?[pn]?[46] \{([\s\S]*?)\n\t\}\n/g,
  )) {
    const into = counts[name as keyof Counts];
    for (const [, fields = '', packets, bytes] of body.matchAll(
      /([0-9a-f.:]+(?: \. [0-9a-f.:]+)*) counter packets (\d+) bytes (\d+)/g,
    )) {
      const [guest = '', destination, protocol, port = '0'] = fields.split(' . ');
      const key = destination === undefined ? guest : `${guest} ${destination} ${protocol} ${port}`;
      into.set(key, { packets: Number(packets), bytes: Number(bytes) });
    }
  }
  return counts;
}
