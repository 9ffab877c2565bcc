import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AnyActorRef } from 'xstate';
import { Running } from './running.ts';

const actors = Array.from({ length: 4 }, (_, i) => ({ id: `${i}` }) as AnyActorRef);
const actor = fc.constantFrom(...actors);
const steps = fc.array(fc.record({ begins: fc.boolean(), parent: actor, child: actor }), { maxLength: 20 });

test('the actors that each has begun are there until they end, the last one first', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const running = new Running();
      let pairs: { parent: AnyActorRef; child: AnyActorRef }[] = [];
      for (const { begins, parent, child } of all) {
        const isThere = pairs.some((pair) => pair.parent === parent && pair.child === child);
        const wasThere = begins ? isThere : running.remove(parent, child);
        expect(wasThere).toBe(isThere);
        if (begins) running.add(parent, child);
        if (begins && !isThere) pairs.push({ parent, child });
        if (!begins) pairs = pairs.filter((pair) => pair.parent !== parent || pair.child !== child);
        for (const one of actors) {
          const begun = pairs.filter((pair) => pair.parent === one).map((pair) => pair.child);
          expect(running.begunBy(one)).toEqual(begun.toReversed());
        }
      }
    }),
  );
});
