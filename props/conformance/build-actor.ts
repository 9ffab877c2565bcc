import { fromCallback, fromObservable, fromPromise, fromTransition, type AnyActorLogic } from 'xstate';
import type { Chart, ChildActor } from './chart.ts';

/** Told of everything that really happened, as a feature of charts. */
export type Uses = (feature: string) => void;

const nextTick = (): Promise<void> => Promise.resolve();

interface ChildInput {
  readonly count?: number;
}

/** Logic of an actor that a chart invokes or spawns. */
export function buildActor(
  actor: ChildActor,
  uses: Uses,
  buildMachine: (chart: Chart, uses: Uses) => AnyActorLogic,
): AnyActorLogic {
  switch (actor.kind) {
    case 'machine':
      return buildMachine(actor.chart, (feature) => {
        uses('child machine');
        uses(feature);
      });
    case 'promise':
      return fromPromise(async ({ input }: { input: ChildInput | undefined }) => {
        for (let i = 0; i < actor.hops; i++) await nextTick();
        uses(`promise: ${actor.settle}`);
        if (actor.settle === 'reject') throw new RangeError(`rejected ${input?.count}`);
        return { resolved: input?.count };
      });
    case 'callback':
      return fromCallback<{ type: string; n?: number }, ChildInput | undefined>(
        ({ input, sendBack, receive, emit }) => {
          uses('callback');
          receive((event) => {
            uses('callback: receive');
            emit({ type: 'heard', n: event.n } as never);
            sendBack({ type: 'C', n: event.n });
          });
          if (actor.throws) throw new SyntaxError(`callback ${input?.count}`);
          if (actor.greets) sendBack({ type: 'B', n: input?.count });
        },
      );
    case 'transition':
      return fromTransition(
        ({ count }, event: { type: string }) => {
          uses('transition logic');
          if (event.type === 'C') throw new TypeError('a reducer throws');
          return { count: count + 1 };
        },
        ({ input }: { input: ChildInput | undefined }) => ({ count: input?.count ?? 0 }),
      );
    case 'observable':
    default:
      return fromObservable(
        () =>
          ({
            subscribe(observer: Partial<Record<'next' | 'error' | 'complete', (value?: unknown) => void>>) {
              uses('observable');
              let open = true;
              void (async () => {
                for (let i = 0; i < actor.values; i++) {
                  await nextTick();
                  if (open) observer.next?.(i);
                }
                await nextTick();
                if (!open) return;
                if (actor.end === 'error') observer.error?.(new Error('an observable fails'));
                else observer.complete?.();
              })();
              return { unsubscribe: () => void (open = false) };
            },
          }) as never,
      );
  }
}
