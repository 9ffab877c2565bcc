import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';

export const start = async (threads, options = {}) => {
  const pool = new Piscina({
    filename: fileURLToPath(new URL('task.mjs', import.meta.url)),
    minThreads: threads,
    maxThreads: threads,
    ...options,
  });
  return { run: (task) => pool.run(task), stop: () => pool.destroy() };
};
