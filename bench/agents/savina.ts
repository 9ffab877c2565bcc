import { fromTransition, type AnyActorRef } from 'xstate';
import { agentRef, replyTo, self as own, type PeerRef } from 'holdfast/agent';

type SavinaEvent =
  | { type: 'play'; to: string; rounds: number }
  | { type: 'big'; others: readonly string[]; rounds: number }
  | { type: 'ping'; from: string; n: number }
  | { type: 'pong'; n: number }
  | { type: 'next'; address: string }
  | { type: 'token'; left: number }
  | { type: 'produce'; to: string; events: number; burst: number }
  | { type: 'tick'; n: number }
  | { type: 'delivered' }
  | { type: 'read' };

interface SavinaState {
  readonly count: number;
  readonly left: number;
  readonly burst: number;
  readonly others: readonly string[];
  readonly at: number;
}

const known = new Map<string, PeerRef<SavinaEvent>>();

function refTo(address: string): PeerRef<SavinaEvent> {
  let ref = known.get(address);
  if (ref === undefined) known.set(address, (ref = agentRef<SavinaEvent>(address)));
  return ref;
}

const send = (address: string, event: SavinaEvent): void => refTo(address).send(event);

const me = (): string => own()?.address ?? '';

/** Each of the others in turn. */
function ping(state: SavinaState, n: number): SavinaState {
  send(state.others[state.at % state.others.length] as string, { type: 'ping', from: me(), n });
  return { ...state, at: state.at + 1 };
}

/** A burst, whose last event is a delivery: it tells when the next may come. */
function produce(state: SavinaState, self: AnyActorRef): SavinaState {
  const [to = ''] = state.others;
  for (let n = 1; n < state.burst; n++) send(to, { type: 'tick', n });
  void refTo(to)
    .deliver({ type: 'tick', n: state.burst })
    .then(() => self.send({ type: 'delivered' }));
  return state;
}

/** An actor of the Savina micro-benchmarks; emits `done` with what it has come to. */
export default fromTransition<SavinaState, SavinaEvent, never, undefined, { type: 'done'; value: number }>(
  (state, event, { emit, self }) => {
    switch (event.type) {
      case 'play':
        return ping({ ...state, others: [event.to], left: event.rounds, at: 0 }, 0);
      case 'big':
        return ping({ ...state, others: event.others, left: event.rounds, at: 0 }, 0);
      case 'ping':
        send(event.from, { type: 'pong', n: event.n });
        return state;
      case 'pong': {
        const left = state.left - 1;
        if (left > 0) return ping({ ...state, left }, event.n + 1);
        emit({ type: 'done', value: event.n + 1 });
        return { ...state, left };
      }
      case 'next':
        return { ...state, others: [event.address] };
      case 'token':
        if (event.left === 0) emit({ type: 'done', value: 0 });
        else send(state.others[0] as string, { type: 'token', left: event.left - 1 });
        return state;
      case 'produce':
        return produce({ ...state, others: [event.to], left: event.events, burst: event.burst }, self);
      case 'tick':
        return { ...state, count: state.count + 1 };
      case 'read':
        replyTo(event, state.count);
        return state;
      case 'delivered':
        break;
    }
    const left = state.left - state.burst;
    if (left > 0) return produce({ ...state, left }, self);
    emit({ type: 'done', value: left });
    return { ...state, left };
  },
  { count: 0, left: 0, burst: 0, others: [], at: 0 },
);
