/**
 * The modules of Node that a closed thread may import. A module that is not listed is refused, because a later Node
 * brings modules that nobody has examined. `node:sqlite` opens files past the permission model, `node:ffi` calls
 * native code; `node:wasi`, `node:repl`, `node:test`, `node:sea` and `node:trace_events` are not for agents.
 */
export const ADMITTED: ReadonlySet<string> = new Set(
  (
    'assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram ' +
    'diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector ' +
    'module net os path path/posix path/win32 perf_hooks process punycode querystring readline readline/promises stream ' +
    'stream/consumers stream/promises stream/web string_decoder sys timers timers/promises tls tty url util ' +
    'util/types v8 vm worker_threads zlib _http_agent _http_client _http_common _http_incoming _http_outgoing ' +
    '_http_server _stream_duplex _stream_passthrough _stream_readable _stream_transform _stream_wrap ' +
    '_stream_writable _tls_common _tls_wrap'
  ).split(' '),
);

/**
 * The functions that such a module loses: they throw when called; `*` stands for all. The module itself can be
 * imported, since many packages import `child_process` only to have it at hand, or `inspector` to see whether somebody
 * debugs.
 */
export const TAKEN: Readonly<Record<string, readonly string[]>> = {
  child_process: ['*'],
  cluster: ['fork', 'setupMaster', 'setupPrimary'],
  inspector: ['Session', 'close', 'open', 'waitForDebugger'],
  // An agent's hooks would run before Holdfast's.
  module: ['register', 'registerHooks'],
  os: ['setPriority'],
  v8: ['setFlagsFromString', 'setHeapSnapshotNearHeapLimit', 'writeHeapSnapshot'],
  worker_threads: ['Worker', 'postMessageToThread'],
};
