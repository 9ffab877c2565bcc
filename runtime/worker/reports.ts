import { transferablesOf } from '../mailbox/transfer.ts';
import { encodeError, isClonable, safeCopy } from '../wire/errors.ts';
import {
  tellsEvent,
  REPORT,
  type ChunksReport,
  type ErrorReport,
  type LetterReport,
  type LogReport,
} from '../wire/protocol.ts';
import { toClonable, type WireSnapshot } from '../wire/snapshot.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import { eventLoop, type EventLoop } from './event-loop.ts';
import { clonableFields } from './log-fields.ts';

const STRIDE = 3;

/** An instance whose latest state is mirrored. */
export interface Mirrored {
  mirror(): void;
}

/**
 * Collects what instances tell the host and sends it in one call: at the latest after the current turn of the
 * event loop, and always before the acknowledgement of the batch that caused it.
 */
export class Reports {
  readonly #send: (items: unknown[], transfer: readonly unknown[] | undefined) => void;
  readonly #loop: EventLoop;
  readonly #leftBehind: (slot: number) => void;
  readonly #cut: (tag: number, chunks: unknown) => void;
  readonly #dirty = new Set<Mirrored>();
  #items: unknown[] = [];
  #armed = false;
  /** The latest report of chunks. */
  #chunks: ChunksReport | undefined;

  /**
   * `send` throws at once when something cannot be cloned; what `transfer` holds moves with the items. `leftBehind` is
   * called for each event that is not told, `cut` for each stream of which a chunk is not.
   */
  constructor(
    send: (items: unknown[], transfer: readonly unknown[] | undefined) => void,
    loop: EventLoop = eventLoop,
    leftBehind: (slot: number) => void = () => {},
    cut: (tag: number, chunks: unknown) => void = () => {},
  ) {
    this.#cut = cut;
    this.#send = send;
    this.#loop = loop;
    this.#leftBehind = leftBehind;
  }

  add(kind: number, slot: number, payload: unknown): void {
    this.#items.push(kind, slot, payload);
    this.#arm();
  }

  /** Adds a chunk of a stream, to those before it where nothing else was told since. */
  addChunk(slot: number, tag: number, bytes: number, chunk: unknown): void {
    const items = this.#items;
    const last = this.#chunks;
    if (last !== undefined && last[0] === tag && items.at(-1) === last) {
      last[1] += bytes;
      last.push(chunk);
      return;
    }
    this.#chunks = [tag, bytes, chunk];
    this.add(REPORT.chunks, slot, this.#chunks);
  }

  /** Something of `mirrored` changed. Only the latest state is told, once in each flush. */
  changed(mirrored: Mirrored): void {
    this.#dirty.add(mirrored);
    this.#arm();
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#loop.immediate(this.flush);
  }

  readonly flush = (): void => {
    this.#armed = false;
    if (this.#dirty.size > 0) {
      for (const mirrored of this.#dirty) mirrored.mirror();
      this.#dirty.clear();
    }
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    try {
      this.#send(items, transferablesOf(items));
    } catch {
      this.#sendClonable(items);
    }
  };

  /** Replaces and names the part that cannot be cloned, and sends everything else as it is. */
  #sendClonable(items: unknown[]): void {
    const out: unknown[] = [];
    const cut = new Set<unknown>();
    for (let i = 0; i < items.length; i += STRIDE) {
      const [kind, slot, payload] = items.slice(i, i + STRIDE) as [number, number, unknown];
      const chunks = kind === REPORT.chunks || kind === REPORT.chunkWithErrors;
      const [tag] = chunks ? (payload as ChunksReport) : [];
      // A stream has no hole: nothing follows what is missing.
      if (cut.has(tag)) continue;
      const clone = safeCopy(payload);
      if (clone === undefined && tag !== undefined) {
        cut.add(tag);
        this.#cut(tag, payload);
        continue;
      }
      if (clone === undefined && tellsEvent(kind)) this.#leftBehind(slot);
      if (clone !== undefined) out.push(kind, slot, clone.copy);
      else {
        const instead = replacement(kind, slot, payload);
        out.push(...(isClonable(instead[2]) ? instead : bare(kind, slot)));
      }
    }
    this.#send(out, transferablesOf(out));
  }
}

function replacement(kind: number, slot: number, payload: unknown): unknown[] {
  if (kind === REPORT.snapshot || kind === REPORT.ahead)
    return [kind, slot, toClonable(payload as WireSnapshot)];
  if (kind === REPORT.done) {
    const { snapshot } = payload as { snapshot: WireSnapshot };
    const clean = toClonable(snapshot);
    return [
      kind,
      slot,
      { output: clean.output, snapshot: clean },
      ...warning(slot, 'output or context', payload),
    ];
  }
  if (kind === REPORT.error) {
    const report = payload as ErrorReport;
    return [kind, slot, { ...report, snapshot: toClonable(report.snapshot) }];
  }
  if (kind === REPORT.log) {
    const [level, message, fields] = payload as LogReport;
    return [kind, slot, [level, message, clonableFields(fields)]];
  }
  if (kind === REPORT.state) return [REPORT.stateless, slot, whyUnclonable(payload)];
  if (kind === REPORT.letter) {
    const letter = payload as LetterReport;
    const type = typeOf(letter.event);
    return [kind, slot, { ...letter, event: type === undefined ? undefined : { type }, inPart: true }];
  }
  const [, event] = kind === REPORT.withErrors ? (payload as unknown[]) : [kind, payload];
  const type = typeOf(event);
  if (kind === REPORT.expired) return [REPORT.expiredInPart, slot, { type }];
  return warning(slot, `event "${String(type)}"`, event);
}

/** The type of any value that may be an event; undefined when it cannot be read. */
function typeOf(event: unknown): string | undefined {
  try {
    const { type } = event as { readonly type?: unknown };
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}

function warning(slot: number, what: string, value: unknown): unknown[] {
  const why = whyUnclonable(value);
  return [REPORT.warning, slot, `${what} cannot be cloned and was left behind in the thread (${why})`];
}

/** The remainder of a report of which nothing else can be sent: the end of an instance is never left out. */
function bare(kind: number, slot: number): unknown[] {
  const message = 'what the instance ended with cannot be cloned; end with plain data';
  if (kind === REPORT.done) return [kind, slot, { output: undefined, snapshot: { status: 'done' } }];
  if (kind === REPORT.error)
    return [kind, slot, { error: encodeError(new Error(message)), snapshot: { status: 'error' } }];
  return [REPORT.warning, slot, 'a report cannot be cloned and was left behind in the thread'];
}
