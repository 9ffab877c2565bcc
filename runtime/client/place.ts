import type { AnyActorLogic } from 'xstate';
import { parsed } from './resumable.ts';
import type { ServerEvent } from './server-events.ts';
import type { StreamItem } from './types.ts';

/** The place of a client in the stream of an instance. No event gets past it twice, and none is missing in silence. */
export class Place {
  #id: string;

  /** `id`: that of the last item that was received. */
  constructor(id = '') {
    this.#id = id;
  }

  /** The id of the last event that was received; empty when there was none. */
  get id(): string {
    return this.#id;
  }

  take<TLogic extends AnyActorLogic>({ event, data, id }: ServerEvent): StreamItem<TLogic>[] {
    const before = this.#id;
    if (event === 'emitted') {
      const [[run, n], [nextRun, next]] = [partsOf(before), partsOf(id)];
      // A server that sends one again, such as a proxy that keeps answers.
      if (run === nextRun && next <= n) return [];
      this.#id = id;
      const item = { type: 'emitted', event: parsed(data), id } as StreamItem<TLogic>;
      const missing = run === nextRun ? next - n - 1 : 0;
      return missing === 0 ? [item] : [{ type: 'gap', reason: 'missed', dropped: missing, id: before }, item];
    }
    if (id !== '') this.#id = id;
    return itemsOf(event, data, this.#id);
  }
}

function itemsOf<TLogic extends AnyActorLogic>(
  event: string,
  data: string,
  id: string,
): StreamItem<TLogic>[] {
  if (event === 'snapshot') {
    const { offset, ...state } = parsed(data) as { offset?: number };
    return [{ type: 'snapshot', state: state as never, offset, id }];
  }
  if (event === 'gap') {
    const { reason, dropped } = parsed(data) as { reason: string; dropped?: number };
    return [{ type: 'gap', reason, dropped, id }];
  }
  if (event === 'end') return [{ type: 'end', error: (parsed(data) as { error?: unknown }).error, id }];
  // A later gateway may tell more.
  return [];
}

function partsOf(id: string): [run: string, n: number] {
  const at = id.lastIndexOf('.');
  return [id.slice(0, at), Number(id.slice(at + 1))];
}
