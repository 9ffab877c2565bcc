// Writes dist/schema.json, the JSON Schema of config files, from the schema that was just built.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../dist/runtime/config/json-schema.js';

const target = new URL('../dist/schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
