// The test kit on real threads.
import { createTestRuntime } from 'holdfast/testing';

const runtime = await createTestRuntime('./openclaw.json', { threads: true });
const echo = await runtime.spawn('echo');
console.log(await echo.ask({ type: 'echo', value: 'hello' }));
await runtime.stop();
