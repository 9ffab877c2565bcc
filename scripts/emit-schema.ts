// Writes dist/schema.json, the JSON Schema of config files, from the schema that was just built.
import { writeFileSync } from 'node:fs';
import type * as source from '../runtime/config/json-schema.ts';

// What was built, not its source: the compiler looks at the source alone.
const built = new URL('../dist/runtime/config/json-schema.js', import.meta.url).href;
const { configJsonSchema } = (await import(built)) as typeof source;
const target = new URL('../dist/schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
