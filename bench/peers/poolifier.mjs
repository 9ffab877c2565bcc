import { fileURLToPath } from 'node:url';
import { FixedThreadPool } from 'poolifier';

export const start = async (threads) => {
  const pool = new FixedThreadPool(threads, fileURLToPath(new URL('poolifier-worker.mjs', import.meta.url)));
  return { run: (task) => pool.execute(task), stop: () => pool.destroy() };
};
