// Prints the modules that an import of Holdfast loads.
import { registerHooks } from 'node:module';

const loaded: string[] = [];
registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith('node:')) loaded.push(url);
    return nextLoad(url, context);
  },
});
await import('holdfast');
console.log(JSON.stringify(loaded));
