import { createServer } from 'node:http';

/** The HTTP face of the peers: `POST /v1/agents/:agent/:id/ask` and `…/events`, as the gateway of Holdfast has them, and no more. */
export function serve(actorOf, where) {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const [, , , agent, id, what] = request.url.split('/');
      const actor = actorOf(`${agent}/${id}`);
      const event = JSON.parse(Buffer.concat(chunks).toString());
      const answer = what === 'ask' ? { reply: await actor.ask(event) } : { accepted: true };
      if (what !== 'ask') actor.send(event);
      const text = JSON.stringify(answer);
      response.writeHead(what === 'ask' ? 200 : 202, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      });
      response.end(text);
    });
  });
  return new Promise((resolve) => server.listen(where, () => resolve(server)));
}

/** Tells whoever started this process where it is. */
export function ready(server, pids) {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, pids }));
}
