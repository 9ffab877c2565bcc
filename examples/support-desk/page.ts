import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import type { DeskName, Desks, Seen } from './desks.ts';

export interface Page {
  readonly url: string;
  close(): Promise<void>;
}

/** What a page that is opened later is told at first. */
const KEPT = 5000;
const desksByName: readonly string[] = ['orders', 'billing', 'repairs'] satisfies DeskName[];

/** Serves the page on this machine. `sent` hears all that it is told. */
export async function openPage(desks: Desks, sent: (seen: Seen) => void): Promise<Page> {
  const html = await readFile(new URL('page.html', import.meta.url));
  const past: Seen[] = [];
  const pages = new Set<ServerResponse>();
  const unfollow = desks.follow((seen) => {
    past.push(seen);
    if (past.length > KEPT) past.shift();
    sent(seen);
    for (const page of pages) page.write(frame(seen));
  });

  const server = createServer(async (request, response) => {
    // Another page in the same browser may not speak for this one.
    if (request.headers.host !== host()) return void response.writeHead(403).end();
    switch (`${request.method} ${request.url}`) {
      case 'GET /':
        return void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
      case 'GET /feed':
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        response.write(past.map(frame).join(''));
        pages.add(response);
        return void response.once('close', () => pages.delete(response));
      case 'POST /say': {
        const said = asSaid(await textOf(request));
        if (said === undefined || request.headers['content-type'] !== 'application/json')
          return void response.writeHead(400).end();
        // What comes of it stands in the feed.
        void desks.say(said.desk, said.customer, said.text).catch(() => {});
        return void response.writeHead(202).end();
      }
      default:
        return void response.writeHead(404).end();
    }
  });
  const host = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://${host()}/`,
    async close() {
      unfollow();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function frame(seen: Seen): string {
  return `data: ${JSON.stringify(seen)}\n\n`;
}

interface Said {
  readonly desk: DeskName;
  readonly customer: string;
  readonly text: string;
}

function asSaid(json: string): Said | undefined {
  try {
    const { desk, customer, text } = JSON.parse(json) as Record<keyof Said, unknown>;
    const isText = [desk, customer, text].every((value) => typeof value === 'string' && value !== '');
    return isText && desksByName.includes(desk as string) ? ({ desk, customer, text } as Said) : undefined;
  } catch {
    return undefined;
  }
}
