import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IdPrefix, makeId } from '#domain/ids.ts';
import { guestName, instanceOfGuest, Names, snapshotName, snapshotOfName } from './names.ts';

const id = <P extends IdPrefix>(prefix: P) =>
  fc
    .tuple(fc.integer({ min: 0, max: 2 ** 42 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map(([now, bytes]) => makeId(prefix, now, () => bytes));

describe('engine names', () => {
  it('lead back to the id they came from', () => {
    fc.assert(
      fc.property(id('ins'), id('snp'), (instance, snapshot) => {
        expect(instanceOfGuest(guestName(instance))).toBe(instance);
        expect(snapshotOfName(snapshotName(snapshot))).toBe(snapshot);
        expect(guestName(instance)).toMatch(/^[a-z][a-z0-9-]{0,62}$/);
      }),
    );
    for (const name of ['ins', 'web1', 'ins-short', 'INS-01J0000000000000000000000', 'warm-abc'])
      expect(instanceOfGuest(name)).toBeNull();
  });

  it('fit the kernel and the engine, and differ between projects and installations', () => {
    fc.assert(
      fc.property(id('prj'), id('prj'), id('ins'), (project, other, instance) => {
        const [a, b] = [new Names('aaaaaa'), new Names('bbbbbb')];
        expect(a.bridge(project)).toMatch(/^bth[0-9a-f]{8}$/);
        expect(a.bridge(project).length).toBeLessThanOrEqual(15);
        expect(a.project(project)).toMatch(/^bth-aaaaaa-[0-9a-f]{10}$/);
        expect(a.mac(instance)).toMatch(/^02:be(:[0-9a-f]{2}){4}$/);
        expect(b.bridge(project)).not.toBe(a.bridge(project));
        expect(b.mac(instance)).not.toBe(a.mac(instance));
        if (project !== other) expect(a.project(other)).not.toBe(a.project(project));
      }),
    );
  });
});
