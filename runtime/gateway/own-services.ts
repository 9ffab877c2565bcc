import type { Socket } from 'node:net';
import type { FromService, ToService } from './messages.ts';
import type { Service } from './service.ts';

/**
 * The services of one process: the one that serves, or is to, and those that have handed over and pass on what still
 * comes on their connections. There are several when the process goes on because the one after it failed.
 */
export class OwnServices {
  readonly #make: (tell: (message: FromService) => void) => Service;
  readonly #tell: (message: FromService) => void;
  readonly #left = new Set<Service>();
  #current: Service;

  constructor(make: (tell: (message: FromService) => void) => Service, tell: (message: FromService) => void) {
    this.#make = make;
    this.#tell = tell;
    this.#current = make(tell);
  }

  /** Carries out an order of the front. Resolves with whether the process is to end. */
  async handle(message: ToService, socket?: Socket): Promise<boolean> {
    const { type } = message;
    if (type === 'stop') {
      await this.stop();
      return true;
    }
    if (type === 'succeeded') return this.#succeeded(message);
    if (type === 'prepare' && this.#current.hasLeft) {
      this.#left.add(this.#current);
      this.#current = this.#make(this.#tell);
    }
    for (const service of this.#left) {
      if (type === 'reload') service.reload(message);
      // One of them may have asked.
      if (type === 'controlled') void service.handle(message);
    }
    return this.#current.handle(message, socket);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#current, ...this.#left].map((service) => service.stop()));
  }

  /** Another process serves, or another service of this one. */
  async #succeeded(message: Extract<ToService, { type: 'succeeded' }>): Promise<boolean> {
    const isOver = this.#current.hasLeft;
    const leaving = isOver ? [...this.#left, this.#current] : [...this.#left];
    await Promise.all(
      leaving.map(async (service) => {
        await service.handle(message);
        this.#left.delete(service);
      }),
    );
    return isOver;
  }
}
