import { markAlike, markOf } from '../mailbox/transfer.ts';
import { HoldfastError } from '../base/errors.ts';
import { REPORT } from '../wire/protocol.ts';
import { whyUnclonable } from '../wire/unclonable.ts';
import type { HostedInstance } from './hosted-instance.ts';
import type { Reports } from './reports.ts';
import { Writer, type ReplyStream } from './reply-stream.ts';
import type { OpenAsk } from './thread-state.ts';
import type { Turns } from './turns.ts';

export interface ReplyStreamsOptions {
  readonly reports: Pick<Reports, 'addChunk'>;
  readonly turns: Pick<Turns, 'answer' | 'refuse'>;
  readonly threadId: string;
  readonly sharedMemory: boolean;
}

/** The streams that the instances of a thread write. */
export class ReplyStreams {
  readonly #options: ReplyStreamsOptions;
  readonly #ofInstance = new Map<HostedInstance, Set<Writer>>();
  /** Those that a reader in the host reads, by the tag of its wait. */
  readonly #read = new Map<number, Writer>();

  constructor(options: ReplyStreamsOptions) {
    this.#options = options;
  }

  /** Opens the stream of an ask that the instance has put off. */
  open(instance: HostedInstance, ask: OpenAsk): ReplyStream {
    const { reports, turns, threadId, sharedMemory } = this.#options;
    const { slot } = instance;
    const { id, tag, streams } = ask;
    const writer: Writer = new Writer({
      streams,
      sharedMemory,
      threadId,
      send({ value, bytes, errors }) {
        if (errors !== undefined) return instance.let(REPORT.chunkWithErrors, [tag, bytes, value, errors]);
        const isMarked = markOf(value) !== undefined;
        if (!isMarked && !instance.restsOnTurn) return reports.addChunk(slot, tag, bytes, value);
        const payload = [tag, bytes, value];
        // What is to move is found at the payload of its report.
        if (isMarked) markAlike(payload, value as object);
        instance.let(REPORT.chunks, payload);
      },
      answer: (value) => void turns.answer(instance, id, value),
      refuse: (error) => turns.refuse(instance, id, error),
      over: () => {
        const own = this.#ofInstance.get(instance);
        own?.delete(writer);
        if (own?.size === 0) this.#ofInstance.delete(instance);
        if (streams) this.#read.delete(tag);
      },
    });
    const own = this.#ofInstance.get(instance);
    if (own === undefined) this.#ofInstance.set(instance, new Set([writer]));
    else own.add(writer);
    if (streams) this.#read.set(tag, writer);
    ask.stream = writer;
    return writer;
  }

  /** The reader has taken so many chunks; below 0: it has gone. */
  credit(tag: number, taken: number): void {
    const writer = this.#read.get(tag);
    if (taken >= 0) return writer?.taken(taken);
    writer?.close(new HoldfastError('STREAM_INTERRUPTED', 'the reader of the stream has stopped reading'));
  }

  /** A chunk could not leave after all. */
  cut(tag: number, chunks: unknown): void {
    const why = whyUnclonable(chunks);
    const message = `a chunk cannot cross (${why}); write plain data, and do not change it afterwards`;
    this.#read.get(tag)?.interrupt(new HoldfastError('REPLY_UNCLONABLE', message));
  }

  /** Ends the streams of an instance that is to go on elsewhere; returns whether there were any. */
  interrupt(instance: HostedInstance): boolean {
    const own = this.#ofInstance.get(instance);
    const why = `${instance.address} moves to another thread, and its streams cannot move with it; ask again`;
    for (const writer of own ?? []) writer.interrupt(new HoldfastError('STREAM_INTERRUPTED', why));
    return own !== undefined;
  }

  /** Ends the streams of an instance that has ended; their readers hear of that by the end of its asks. */
  left(instance: HostedInstance): void {
    for (const writer of this.#ofInstance.get(instance) ?? []) writer.close(instance.ending());
  }
}
