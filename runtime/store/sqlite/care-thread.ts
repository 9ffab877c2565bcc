import { parentPort, workerData } from 'node:worker_threads';
import type { CareTask } from './store-care.ts';
import { storeError } from './sqlite-error.ts';
import { lookAt } from './store-look.ts';
import { waiting } from './store-waiting.ts';
import { checkStore } from './store-check.ts';
import { backUp, compact, forget, restore, resume } from './store-copies.ts';
import { rekeyStore } from './store-rekey.ts';
import { exportStore } from './store-export.ts';
import { toWire } from './wire-store-error.ts';

const task = workerData as CareTask;
try {
  parentPort?.postMessage({ value: run() });
} catch (error) {
  parentPort?.postMessage({ error: toWire(storeError(error, task.path)) });
}

function run(): unknown {
  const { path, temporary } = task;
  if (task.what === 'backup') return backUp(path, task.to);
  if (task.what === 'restore') return restore(task.from, path, task.now, temporary);
  if (task.what === 'resume') return resume(path, temporary);
  if (task.what === 'forget') return forget(path, task.address, temporary);
  if (task.what === 'look') return lookAt(path, temporary);
  if (task.what === 'waiting') return waiting(path, task.now);
  if (task.what === 'check') return checkStore(path);
  if (task.what === 'export') return exportStore(task, task.to);
  if (task.what === 'rekey') return rekeyStore(task, temporary);
  return compact(path, temporary);
}
