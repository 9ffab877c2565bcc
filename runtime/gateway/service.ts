import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import type { AgentRef } from '../agent-ref.ts';
import { systemClock } from '../clock.ts';
import { loadConfig } from '../config/load.ts';
import type { ResolvedGateway } from '../config/gateway-schema.ts';
import type { LoadedConfig } from '../config/resolve.ts';
import { type Logger, scrubbedLogger } from '../logger.ts';
import { openRuntime, type Runtime, type RuntimeOptions } from '../runtime.ts';
import type { Scrubber } from '../secrets/scrubber.ts';
import { gatewayApp } from './app.ts';
import { Idempotency } from './idempotency.ts';
import type { FromService, HandedInstance, HandedState, ToService } from './messages.ts';
import { ReadinessProbe } from './readiness.ts';
import { TokenAccess } from './token-access.ts';

/** How long the events that wait may take before the states are handed over. */
const DRAIN_MS = 10_000;
/** Instances whose states are asked for, or that are started, at a time. */
const AT_A_TIME = 32;

/** The process that has the runtime: it is prepared, serves, and hands its instances to the next. */
export class Service {
  readonly #logger: Logger;
  #runtime: Runtime | undefined;
  #server: Server | undefined;
  #access: TokenAccess | undefined;
  #scrubber: Scrubber | undefined;
  #socket = '';
  #ownerDigest = '';
  #gateway: ResolvedGateway | undefined;
  readonly #idempotency = new Idempotency(systemClock);
  readonly #readiness = new ReadinessProbe();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Does what the front says; what it comes to, if the front is to know. */
  async handle(message: ToService): Promise<FromService | undefined> {
    if (message.type === 'prepare') {
      await this.#prepare(message);
      return { type: 'prepared' };
    }
    if (message.type === 'serve') return { type: 'serving', lost: await this.#serve(message.state) };
    if (message.type === 'reload') {
      this.#reload(message.gateway);
      return undefined;
    }
    if (message.type === 'hand-over') return { type: 'state', state: await this.#handOver() };
    await this.stop();
    return undefined;
  }

  async stop(): Promise<void> {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#readiness.stop();
    await this.#runtime?.stop();
    if (this.#socket !== '') await rm(this.#socket, { force: true });
  }

  /** All that can fail because of the config fails here, while the process before goes on. */
  async #prepare({ file, socket, ownerDigest }: Extract<ToService, { type: 'prepare' }>): Promise<void> {
    const config = await loadConfig(file);
    const { gateway } = config;
    if (gateway === undefined) throw new TypeError('a config that was read has its gateway');
    this.#ownerDigest = ownerDigest;
    this.#reload(gateway);
    const options = await runtimeOptions(config, file);
    const onScrubber = (scrubber: Scrubber): void => void (this.#scrubber = scrubber);
    const opened = { logger: this.#logger, ...options, signals: false };
    this.#runtime = await openRuntime(file, opened, { onScrubber });
    this.#socket = socket;
  }

  #reload(gateway: ResolvedGateway): void {
    this.#gateway = gateway;
    this.#access = new TokenAccess(gateway, this.#ownerDigest, systemClock);
  }

  async #serve({ instances, answers }: HandedState): Promise<HandedState['lost']> {
    const [runtime, gateway, scrubber] = [this.#runtime, this.#gateway, this.#scrubber];
    if (runtime === undefined || gateway === undefined || scrubber === undefined) {
      throw new TypeError('a service is prepared before it serves');
    }
    this.#idempotency.take(answers);
    const lost: { address: string; why: string }[] = [];
    await inTurn(instances, async ({ agent, id, snapshot }) => {
      try {
        await runtime.spawn(agent, { id, ...(snapshot && { snapshot }) });
      } catch (error) {
        lost.push({ address: `${agent}/${id}`, why: (error as Error).message });
      }
    });
    const { requestTimeoutMs } = gateway;
    const app = gatewayApp({
      runtime,
      readiness: this.#readiness,
      requestTimeoutMs,
      access: () => this.#access ?? new TokenAccess(gateway, this.#ownerDigest, systemClock),
      maxBodyBytes: () => this.#gateway?.maxBodyBytes ?? gateway.maxBodyBytes,
      idempotency: this.#idempotency,
      scrubber,
      logger: scrubbedLogger(this.#logger, scrubber),
    });
    // The front has its own limits, and keeps the connections.
    const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, getRequestListener(app.fetch));
    this.#server = server;
    await new Promise<void>((listening, failed) => {
      server.once('error', failed);
      server.listen(this.#socket, listening);
    });
    this.#readiness.begin();
    return lost;
  }

  /** The front sends nothing any more. */
  async #handOver(): Promise<HandedState> {
    const runtime = this.#runtime;
    if (runtime === undefined) return { instances: [], answers: [], lost: [] };
    await runtime.drain({ timeoutMs: DRAIN_MS });
    const lost: { address: string; why: string }[] = [];
    const instances: HandedInstance[] = [];
    await inTurn(runtime.status().instances, async ({ address, agent }) => {
      const ref = runtime.get(address);
      if (ref === undefined) return;
      const id = decodeURIComponent(address.slice(address.indexOf('/') + 1));
      const snapshot = await this.#stateOf(ref, (why) => lost.push({ address, why }));
      instances.push({ agent, id, ...(snapshot && { snapshot }) });
    });
    return { instances, answers: this.#idempotency.handOver(), lost };
  }

  async #stateOf(ref: AgentRef, lose: (why: string) => void): Promise<HandedInstance['snapshot']> {
    try {
      return await ref.persist();
    } catch (error) {
      lose((error as Error).message);
      return undefined;
    }
  }
}

/** What the module of `gateway.options` exports. */
async function runtimeOptions({ gateway }: LoadedConfig, file: string): Promise<RuntimeOptions> {
  if (gateway?.options === undefined) return {};
  const url = pathToFileURL(resolve(dirname(file), gateway.options));
  const module = (await import(url.href)) as { default?: RuntimeOptions };
  return module.default ?? {};
}

async function inTurn<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const next = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, next));
}
