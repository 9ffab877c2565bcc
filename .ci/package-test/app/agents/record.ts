// Preloaded into host and threads: notes every module that a thread loads, where the thread may write.
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (!isMainThread) {
  registerHooks({
    load(url, context, nextLoad) {
      try {
        if (!url.startsWith('node:')) appendFileSync('modules.txt', `${url}\n`);
      } catch {
        // A thread with permissions.
      }
      return nextLoad(url, context);
    },
  });
}
