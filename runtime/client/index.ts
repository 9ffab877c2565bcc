export { HoldfastError } from '../base/errors.ts';
export { connect } from './connect.ts';
export type { Client } from './connect.ts';
export type { ConnectOptions, TokenSource } from './connection.ts';
export type { AgentClient, AgentOptions, EventOptions, RequestOptions, SendOptions } from './agent-client.ts';
export { GatewayError } from './gateway-error.ts';
export type { StreamOptions, StreamStatus } from './instance-stream.ts';
export type { AgentState, StreamItem } from './types.ts';
