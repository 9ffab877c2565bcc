import { argumentsOf, askedOf, cost, type Piece, type Protocol } from './protocol.ts';
import type { Asked, Turn } from './script.ts';

/** Anthropic's messages. */
export const messages: Protocol = {
  asked: (body) => askedOf(body, body['messages']),

  whole: (asked, turn) => ({
    ...frame(asked),
    content: [
      ...(turn.tokens.length === 0 ? [] : [{ type: 'text', text: turn.tokens.join('') }]),
      ...(turn.call === undefined ? [] : [{ ...toolUse(turn.call.name), input: turn.call.args }]),
    ],
    stop_reason: reasonOf(turn),
    usage: usageOf(asked, turn),
  }),

  *stream(asked, turn) {
    yield event('message_start', {
      message: { ...frame(asked), content: [], usage: { ...usageOf(asked, turn), output_tokens: 1 } },
    });
    let index = 0;
    if (turn.tokens.length > 0) {
      yield event('content_block_start', { index, content_block: { type: 'text', text: '' } });
      for (const text of turn.tokens)
        yield event('content_block_delta', { index, delta: { type: 'text_delta', text } }, true);
      if (turn.breaksOff === true) return;
      yield event('content_block_stop', { index });
      index += 1;
    }
    if (turn.call !== undefined) {
      yield event('content_block_start', { index, content_block: { ...toolUse(turn.call.name), input: {} } });
      for (const part of argumentsOf(turn))
        yield event('content_block_delta', {
          index,
          delta: { type: 'input_json_delta', partial_json: part },
        });
      yield event('content_block_stop', { index });
    }
    yield event('message_delta', {
      delta: { stop_reason: reasonOf(turn), stop_sequence: null },
      usage: { output_tokens: cost(asked, turn).output },
    });
    yield event('message_stop', {});
  },

  error: (status, message) => ({
    type: 'error',
    error: { type: errors[status] ?? 'invalid_request_error', message },
  }),
};

const errors: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

function event(type: string, fields: object, isToken = false): Piece {
  return { text: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, isToken };
}

function frame({ model }: Asked): object {
  const base = { id: 'message-1', type: 'message', role: 'assistant', model };
  return { ...base, stop_reason: null, stop_sequence: null };
}

function toolUse(name: string): object {
  return { type: 'tool_use', id: 'call-1', name };
}

function reasonOf({ call }: Turn): string {
  return call === undefined ? 'end_turn' : 'tool_use';
}

function usageOf(asked: Asked, turn: Turn): object {
  const { input, output } = cost(asked, turn);
  return { input_tokens: input, output_tokens: output };
}
