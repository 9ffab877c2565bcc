import { parentPort } from 'node:worker_threads';

let credit = 0;
let [at, n] = [0, 0];

function write(): void {
  while (credit > 0 && at < n) {
    credit -= 1;
    parentPort?.postMessage(at++);
  }
}

parentPort?.on('message', (message: { readonly n: number } | { readonly credit: number }) => {
  if ('n' in message) [at, n, credit] = [0, message.n, 64];
  else credit += message.credit;
  write();
});
