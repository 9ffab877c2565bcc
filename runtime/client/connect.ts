import { checkCall, flag, listener, type Rule } from '../base/call-check.ts';
import { type AgentClient, agentClient, type AgentOptions, isAddress } from './agent-client.ts';
import { Connection, type ConnectOptions } from './connection.ts';
import type { AddressIn, LogicAt, RepliesAt } from './types.ts';

/** A gateway, as a program or a page sees it. */
export interface Client<A = never> {
  /** An instance by its address, `agent/id`, with the id percent-encoded. */
  agent<const TAddress extends AddressIn<A>>(
    address: TAddress,
    options?: AgentOptions,
  ): AgentClient<LogicAt<A, TAddress>, RepliesAt<A, TAddress>>;
}

const address: Rule = { what: 'an address, agent/id, with the id percent-encoded', is: isAddress };
const url: Rule = { what: 'the url of a gateway, http or https', is: isHttp };
const token: Rule = {
  what: 'a token, or a function that gives one',
  is: (value) => (typeof value === 'string' && value !== '') || typeof value === 'function',
};

/**
 * A client of a gateway, for browsers and for Node. It connects with the first call. `A` are the types of the agents: those of
 * a config, `typeof config`, or the modules by name.
 *
 * @throws {HoldfastError} `OPTION_INVALID`
 * @example
 * ```ts
 * const client = connect<{ desk: typeof import('./agents/desk.ts') }>({ url: 'https://agents.example.com', token });
 * const desk = client.agent('desk/eu');
 * const quote = await desk.ask({ type: 'quote' });
 * for await (const item of desk.stream({ only: 'emitted' })) if (item.type === 'emitted') show(item.event);
 * ```
 */
export function connect<A = never>(options: ConnectOptions): Client<A> {
  const given = checkCall<ConnectOptions>(
    'connect()',
    {},
    options,
    { url, token, streamToken: listener, fetch: listener },
    ['url'],
  );
  const connection = new Connection(given);
  return {
    agent(where, options) {
      const { activate = false } = checkCall<AgentOptions>(
        'client.agent()',
        { address: [where, address] },
        options,
        { activate: flag },
      );
      return agentClient(connection, where, { activate }) as never;
    },
  };
}

function isHttp(value: unknown): boolean {
  const { protocol } = new URL(value as string | URL);
  return protocol === 'http:' || protocol === 'https:';
}
