import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';

interface Line {
  readonly near: Socket;
  readonly far: Socket;
  /** The address of loopback that it comes from. */
  readonly from: string | undefined;
}

/** What stands between two processes, and can be cut as a network is: nothing arrives, and nobody hears why. */
export class Wire {
  readonly #lines = new Set<Line>();
  readonly #server: Server;
  readonly #to: NetConnectOpts;
  #cuts: ((from: string | undefined) => boolean) | undefined;
  /** Chunks that were stopped by a cut. */
  held = 0;

  private constructor(to: NetConnectOpts) {
    this.#to = to;
    this.#server = createServer((near) => this.#came(near));
  }

  /** `at`: a port of loopback, or a socket's path. */
  static async open(at: number | string, to: NetConnectOpts): Promise<Wire> {
    const wire = new Wire(to);
    if (typeof at === 'string') {
      rmSync(at, { force: true });
      wire.#server.listen(at);
    } else wire.#server.listen(at, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  /** From here on nothing passes of those that come from there. Default: of any. */
  cut(of: (from: string | undefined) => boolean = () => true): void {
    this.#cuts = of;
  }

  /** What was stopped goes on, as what is sent again does when a network is back. */
  mend(): void {
    this.#cuts = undefined;
    for (const { near, far } of this.#lines) for (const end of [near, far]) end.resume();
  }

  close(): void {
    this.#server.close();
    for (const { near, far } of this.#lines) for (const end of [near, far]) end.destroy();
  }

  #came(near: Socket): void {
    const line: Line = { near, far: connect(this.#to), from: near.remoteAddress };
    this.#lines.add(line);
    this.#pass(line, near, line.far);
    this.#pass(line, line.far, near);
  }

  #pass(line: Line, source: Socket, sink: Socket): void {
    source.on('data', (chunk: Buffer) => {
      if (this.#cuts?.(line.from) === true) {
        this.held += 1;
        source.pause();
        source.unshift(chunk);
        return;
      }
      sink.write(chunk);
    });
    source.on('error', () => source.destroy());
    source.on('close', () => {
      this.#lines.delete(line);
      sink.destroy();
    });
  }
}
