// The inspector's page, from the files of the package: prints each with its status.
import { createRuntime } from 'holdfast';

const runtime = await createRuntime('./openclaw.json', { inspect: 'local' });
const link = runtime.inspector?.link() ?? '';
const [entered = '', page = ''] = await Promise.all(
  [link, new URL('/', link)].map(async (url) => (await fetch(url)).text()),
);
const queue = Array.from((entered + page).matchAll(/(?:src|href)="(\/[^"]+)"/g), ([, path = '']) => path);
const statuses: Record<string, number> = {};
for (const path of queue) {
  const answer = await fetch(new URL(path, link));
  statuses[path] = answer.status;
  const text = await answer.text();
  for (const [, name = ''] of text.matchAll(/(?:from '\.|new Worker\(')(\/[^']+)'/g)) {
    if (!queue.includes(name)) queue.push(name);
  }
}
console.log(JSON.stringify(statuses));
await runtime.stop();
