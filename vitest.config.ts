import { defineConfig } from 'vitest/config';

const conditions = ['holdfast-source', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['{runtime,actors,providers,examples,docs}/**/*.test.ts', 'props/**/*.prop.ts'],
    // Worker threads load agents natively, past Vite, so Node must know the source condition too.
    execArgv: ['-C', 'holdfast-source'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
