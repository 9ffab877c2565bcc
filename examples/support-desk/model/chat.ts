import { argumentsOf, askedOf, cost, type Piece, type Protocol } from './protocol.ts';
import type { Asked, Turn } from './script.ts';

/** OpenAI's chat completions, which most services speak. */
export const chat: Protocol = {
  asked: (body) => askedOf(body, body['messages']),

  whole: (asked, turn) => ({
    ...frame(asked, 'chat.completion'),
    choices: [{ index: 0, message: messageOf(turn), logprobs: null, finish_reason: reasonOf(turn) }],
    usage: usageOf(asked, turn),
  }),

  *stream(asked, turn) {
    const usage = asked.wantsUsage ? { usage: null } : {};
    const piece = (delta: object, reason: string | null = null): Piece => ({
      text: data({
        ...frame(asked, 'chat.completion.chunk'),
        choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
        ...usage,
      }),
      isToken: 'content' in delta && delta.content !== '',
    });
    yield piece({ role: 'assistant', content: '' });
    for (const content of turn.tokens) yield piece({ content });
    if (turn.breaksOff === true) return;
    if (turn.call !== undefined) {
      const { name } = turn.call;
      yield piece({
        tool_calls: [{ index: 0, id: CALL, type: 'function', function: { name, arguments: '' } }],
      });
      for (const part of argumentsOf(turn))
        yield piece({ tool_calls: [{ index: 0, function: { arguments: part } }] });
    }
    yield piece({}, reasonOf(turn));
    if (asked.wantsUsage) {
      const last = { ...frame(asked, 'chat.completion.chunk'), choices: [], usage: usageOf(asked, turn) };
      yield { text: data(last), isToken: false };
    }
    yield { text: 'data: [DONE]\n\n', isToken: false };
  },

  error: (status, message) => ({ error: { message, type: 'invalid_request_error', code: String(status) } }),
};

const CALL = 'call-1';

function data(frame: unknown): string {
  return `data: ${JSON.stringify(frame)}\n\n`;
}

function frame({ model }: Asked, object: string): object {
  return { id: 'chat-1', object, created: 1_767_225_600, model };
}

function messageOf(turn: Turn): object {
  const { tokens, call } = turn;
  const content = tokens.length === 0 ? null : tokens.join('');
  if (call === undefined) return { role: 'assistant', content };
  const { name, args } = call;
  const made = { id: CALL, type: 'function', function: { name, arguments: JSON.stringify(args) } };
  return { role: 'assistant', content, tool_calls: [made] };
}

function reasonOf({ call }: Turn): string {
  return call === undefined ? 'stop' : 'tool_calls';
}

function usageOf(asked: Asked, turn: Turn): object {
  const { input, output } = cost(asked, turn);
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}
