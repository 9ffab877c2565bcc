import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { AnyActorLogic } from 'xstate';
import type { AgentClient } from './agent-client.ts';
import type { Client } from './connect.ts';
import { type Followed, FollowedAgent, type FollowHandlers } from './followed-agent.ts';
import type { AddressIn, AgentState, LogicAt, RepliesAt } from './types.ts';

/** How a component follows an instance. */
export interface UseAgentOptions<
  TLogic extends AnyActorLogic = AnyActorLogic,
> extends FollowHandlers<TLogic> {
  /** Starts the instance when it is not there. Default: false. */
  readonly activate?: boolean;
  /** Milliseconds between two states at least; the last one always comes. Default: 100. */
  readonly everyMs?: number;
  /** The state until the first has come, such as the one that the server rendered with. Default: none. */
  readonly initialState?: AgentState<TLogic> | undefined;
}

/** An instance, as a component has it. */
export interface AgentInUse<TLogic extends AnyActorLogic = AnyActorLogic, TReplies = unknown>
  extends Followed<TLogic>, Pick<AgentClient<TLogic, TReplies>, 'send' | 'ask'> {}

/**
 * Follows an instance from a component of React: its latest state, and how it is heard. It is followed as long as the
 * component is mounted, over lost connections and restarts of the gateway, without a limit of time. `client` has to be the same
 * at each render. On a server nothing is followed, and the state is `initialState`.
 *
 * @example
 * ```tsx
 * const { state, status, send } = useAgent(client, 'desk/eu');
 * return <button onClick={() => send({ type: 'inc' })}>{state?.context.n ?? status}</button>;
 * ```
 */
export function useAgent<A, const TAddress extends AddressIn<A>>(
  client: Client<A>,
  address: TAddress,
  options: UseAgentOptions<LogicAt<A, TAddress>> = {},
): AgentInUse<LogicAt<A, TAddress>, RepliesAt<A, TAddress>> {
  const { activate = false, everyMs, initialState, onEmitted, onGap } = options;
  const hasListener = onEmitted !== undefined || onGap !== undefined;
  const agent = useMemo(() => client.agent(address, { activate }), [client, address, activate]);
  const followed = useMemo(
    () =>
      new FollowedAgent<LogicAt<A, TAddress>>(
        agent,
        {
          ...(everyMs !== undefined && { everyMs }),
          // What nobody listens to is not kept by the gateway.
          ...(!hasListener && { only: 'snapshot' }),
          reconnectMs: Infinity,
        },
        initialState,
      ),
    // The state of the first render counts.
    [agent, everyMs, hasListener],
  );
  useEffect(() => {
    followed.handlers = { onEmitted, onGap };
  });
  const now = useSyncExternalStore(followed.subscribe, followed.current, followed.current);
  return useMemo(() => ({ ...now, send: agent.send, ask: agent.ask }), [now, agent]);
}
