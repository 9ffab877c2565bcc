export type { Followed, FollowHandlers, FollowStatus } from './followed-agent.ts';
export { useAgent } from './use-agent.ts';
export type { AgentInUse, UseAgentOptions } from './use-agent.ts';
