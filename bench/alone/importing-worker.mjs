// What any worker loads that drives XState actors over comlink.
import 'comlink';
import 'xstate';
import './empty-worker.mjs';
