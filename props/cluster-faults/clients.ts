import type { Operation } from '../linearizability/history.ts';
import { checkHistory } from '../linearizability/linearizable.ts';
import { counter, type CounterInput, register, type RegisterInput } from '../linearizability/models.ts';
import type { Chance } from '../soak/chance.ts';
import type { NodeProcess } from './nodes.ts';

type Input = RegisterInput | CounterInput;
type Record = Operation<Input, number | boolean>;

export interface ClientsOptions {
  /** In the ids of the instances: nobody else uses them. */
  readonly name: string;
  readonly chance: Chance;
  /** Those that may be asked now, whether they answer or not. */
  readonly nodes: () => readonly NodeProcess[];
}

const ADDRESSES = 24;
/** Clients of one address: what one alone does is in order by itself. */
const CLIENTS = 3;
/** Milliseconds for one try, and between two. */
const [TRY_MS, PAUSE_MS] = [1500, 30];
/** Outcomes of one address that may stay unknown: each doubles the work of the checker at the worst. */
const MOST_UNKNOWN = 5;

/** Clients on all nodes, that use registers and counters and write down what they saw. */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #histories = new Map<string, Record[]>();
  readonly #running: Promise<void>[] = [];
  #isOver = false;
  #values = 0;
  /** Answers, and errors by their codes. */
  answers = 0;
  unknown = 0;
  readonly errors = new Map<string, number>();
  /** When an address has answered last, whomever. */
  readonly #answered = new Map<string, number>();
  #longest = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  start(): void {
    for (let i = 0; i < ADDRESSES; i++) {
      const isRegister = i % 2 === 0;
      const address = `cell/${this.#options.name}-${isRegister ? 'register' : 'counter'}-${i}`;
      this.#histories.set(address, []);
      for (let c = 0; c < CLIENTS; c++)
        this.#running.push(this.#client(address, isRegister, `${c}`, this.#options.chance.fork()));
    }
  }

  /** Ends what is under way, and resolves with what cannot have been. */
  async stop(): Promise<string[]> {
    this.#isOver = true;
    await Promise.all(this.#running);
    const wrong: string[] = [];
    for (const [address, history] of this.#histories) {
      const verdict = address.includes('register')
        ? checkHistory(register, history as Operation<RegisterInput, number | boolean>[])
        : checkHistory(counter, history as Operation<CounterInput, number>[]);
      if (verdict.kind === 'unknown') wrong.push(`${address}: too long to be checked`);
      if (verdict.kind !== 'wrong') continue;
      const inOrder = new Set(verdict.longest);
      const [first] = history
        .flatMap((one, i) => (inOrder.has(i) ? [] : [one]))
        .toSorted((a, b) => a.return - b.return);
      const near = history
        .filter((one) => first && one.return >= first.call - 200 && one.call <= first.return + 200)
        .toSorted((a, b) => a.call - b.call);
      const lines = near.map(
        ({ input, output, call, return: end }) =>
          `${Math.round(call)}-${Math.round(end)} ${JSON.stringify(input)} ${String(output)}`,
      );
      wrong.push(
        `${address} is not linearizable: ${JSON.stringify(first)}\n  ${lines.slice(0, 30).join('\n  ')}`,
      );
    }
    return wrong;
  }

  /** Whether each address has answered once. */
  get haveAllAnswered(): boolean {
    return this.#answered.size === ADDRESSES;
  }

  /** The longest in milliseconds for which an address gave nobody an answer; begins anew. */
  longestWait(): number {
    const now = performance.now();
    for (const [address, since] of this.#answered) {
      this.#longest = Math.max(this.#longest, now - since);
      this.#answered.set(address, now);
    }
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  async #client(address: string, isRegister: boolean, client: string, chance: Chance): Promise<void> {
    const history = this.#histories.get(address) as Record[];
    for (let n = 0; !this.#isOver; n++) {
      const input = isRegister ? this.#registerInput(history, chance) : counterInput(chance);
      const unknown = history.filter((one) => one.return === Infinity).length;
      const id = unknown >= MOST_UNKNOWN || chance.below(2) === 0 ? `${client}-${n}` : undefined;
      const call = performance.now();
      const output = await this.#answerOf(address, input, id, chance);
      const now = performance.now();
      if (output !== undefined) {
        this.answers += 1;
        this.#longest = Math.max(this.#longest, now - (this.#answered.get(address) ?? now));
        this.#answered.set(address, now);
      } else this.unknown += 1;
      const isRead = input.type === 'read' || input.type === 'total';
      // A read of which nobody knows the outcome says nothing.
      if (output !== undefined || !isRead)
        history.push({ input, output, call, return: output === undefined ? Infinity : now });
      await pause();
    }
  }

  /** Tries until it is known when there is an id, and once when there is none. */
  async #answerOf(
    address: string,
    event: Input,
    id: string | undefined,
    chance: Chance,
  ): Promise<number | boolean | undefined> {
    for (;;) {
      const nodes = this.#options.nodes();
      const node = nodes[chance.below(nodes.length)];
      try {
        return (await node?.ask({ address, event, id, timeoutMs: TRY_MS })) as number | boolean;
      } catch (error) {
        const { message } = error as Error;
        this.errors.set(message, (this.errors.get(message) ?? 0) + 1);
        if (id === undefined) return undefined;
        await pause();
      }
    }
  }

  /** Values are written once, so that each says who wrote it. */
  #registerInput(history: readonly Record[], chance: Chance): RegisterInput {
    const what = chance.below(4);
    if (what < 2) return { type: 'read' };
    const value = ++this.#values;
    if (what === 2) return { type: 'write', value };
    const last = history.findLast(({ output }) => typeof output === 'number')?.output ?? 0;
    return { type: 'swap', expected: Number(last), value };
  }
}

function counterInput(chance: Chance): CounterInput {
  const amount = chance.below(3);
  return amount === 0 ? { type: 'total' } : { type: 'add', amount };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
