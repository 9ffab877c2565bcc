import type { Readable } from 'node:stream';
import {
  deserializeMessage,
  serializeMessage,
  type JSONRPCMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import { TOO_LARGE } from './mcp-errors.ts';
import { MessageLines, type Line } from './message-lines.ts';
import { startProcess, type ServerProcess, type ServerProgram } from './server-process.ts';

export interface StdioOptions {
  readonly program: ServerProgram;
  /** The most bytes of the answer to a call of a tool. */
  readonly maxResultBytes: number;
  readonly started: (process: ServerProcess) => void;
  /** Called once with something that the server should not do. */
  readonly odd: (what: string) => void;
}

/** The most bytes of any other message: a page of the list of tools, with their schemas. */
const OTHER_BYTES = 1024 * 1024;
/** The most bytes that may come without one answer among them, and that may wait because nobody reads them. */
const FLOOD_BYTES = 64 * 1024 * 1024;

/** What an answer of a call of a tool has, besides its result: the frame of JSON-RPC. */
const FRAME_BYTES = 256;

/**
 * The input and output of a program as a transport of MCP. The package's own gives a program variables of this process,
 * and keeps what it says as long as it goes on without a line break.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #options: StdioOptions;
  readonly #lines: MessageLines;
  /** The requests that have no answer yet, with the most bytes that it may have. */
  readonly #asked = new Map<unknown, number>();
  #process: ServerProcess | undefined;
  #unasked = 0;
  #odd = false;
  /** Why this side has ended the program. */
  failure: string | undefined;

  constructor(options: StdioOptions) {
    this.#options = options;
    const most = Math.max(OTHER_BYTES, options.maxResultBytes + FRAME_BYTES);
    this.#lines = new MessageLines(most, (line) => this.#line(line));
  }

  /** By these two a client knows a transport of this kind. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  get stderr(): Readable | null {
    return this.#process?.stderr ?? null;
  }

  async start(): Promise<void> {
    const { program, started } = this.#options;
    const process = await startProcess(program);
    this.#process = process;
    process.stdout.on('data', (chunk: Buffer) => this.#said(chunk));
    void process.ended.then(() => {
      this.#process = undefined;
      this.onclose?.();
    });
    started(process);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#process?.stdin;
    if (stdin === undefined || !stdin.writable) throw new Error('the program has ended');
    if ('method' in message && 'id' in message) {
      const isCall = message.method === 'tools/call';
      this.#asked.set(message.id, isCall ? this.#options.maxResultBytes + FRAME_BYTES : OTHER_BYTES);
    } else if ('method' in message && message.method === 'notifications/cancelled') {
      this.#asked.delete(message.params?.['requestId']);
    }
    if (stdin.writableLength > FLOOD_BYTES) return this.#fail('it did not read what it was sent');
    await new Promise<void>((resolve, reject) => {
      stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    const process = this.#process;
    process?.end();
    await process?.ended;
  }

  #said(chunk: Buffer): void {
    if (this.failure !== undefined) return;
    this.#unasked += chunk.length;
    if (this.#unasked > FLOOD_BYTES) this.#fail('it said more than anybody had asked for');
    else this.#lines.push(chunk);
  }

  #line(line: Line): void {
    if (!('text' in line)) return this.#tooLong(line.begin, line.end);
    if (line.text.trim() === '') return;
    let message: JSONRPCMessage;
    try {
      message = deserializeMessage(line.text);
    } catch {
      return this.#garbage();
    }
    if ('id' in message && !('method' in message)) {
      const most = this.#asked.get(message.id);
      if (most !== undefined) {
        this.#unasked = 0;
        this.#asked.delete(message.id);
        if (line.length > most) return this.#refuse(message.id);
      }
    }
    this.#deliver(message);
  }

  /** The client reads it further, and what it throws is of the server's making. */
  #deliver(message: JSONRPCMessage): void {
    try {
      this.onmessage?.(message);
    } catch {
      this.#garbage();
    }
  }

  /** Whose answer it is stands in one of its ends; if not, that call runs into its deadline. */
  #tooLong(begin: string, end: string): void {
    const found = [begin, end].flatMap((part) => Array.from(part.matchAll(/"id"\s*:\s*(\d{1,15})\b/g)));
    const id = found.map(([, digits]) => Number(digits)).find((one) => this.#asked.delete(one));
    if (id !== undefined) this.#refuse(id);
  }

  #refuse(id: unknown): void {
    const error = { code: TOO_LARGE, message: 'the answer is too large' };
    this.#deliver({ jsonrpc: '2.0', id: id as number, error });
  }

  #garbage(): void {
    if (!this.#odd) this.#options.odd('prints what is no message of MCP; have it print to its error output');
    this.#odd = true;
  }

  #fail(what: string): void {
    this.failure ??= what;
    this.#process?.end();
  }
}
