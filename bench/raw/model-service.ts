// A model's API as clients meet it, on loopback and in a process of its own: tokens in the form of OpenAI's streams, and
// plain bytes.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const BLOCK = Buffer.alloc(
  65_536,
  'What a model answers is mostly prose, with a few numbers such as 42 in it.\n',
);

/** Each token says when it was sent, in microseconds of a clock that all processes have. */
function tokens(response: ServerResponse, count: number, everyMs: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let sent = 0;
  const timer = setInterval(() => {
    const at = String(process.hrtime.bigint() / 1000n);
    const choices = [{ index: 0, delta: { role: 'assistant', content: `${at} ` }, finish_reason: null }];
    response.write(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`,
    );
    sent += 1;
    if (sent < count) return;
    clearInterval(timer);
    const last = [{ index: 0, delta: {}, finish_reason: 'stop' }];
    response.write(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: last })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  }, everyMs);
  response.on('close', () => clearInterval(timer));
}

function bytes(response: ServerResponse, count: number): void {
  response.writeHead(200, { 'content-length': count });
  let left = count;
  const more = (): void => {
    while (left > 0) {
      const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK;
      left -= block.length;
      if (!response.write(block)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
  const [count, everyMs] = [Number(searchParams.get('n')), Number(searchParams.get('every'))];
  request.resume().on('end', () => {
    if (pathname === '/bytes') bytes(response, count);
    else tokens(response, count, everyMs);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('disconnect', () => process.exit());
