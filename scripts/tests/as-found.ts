/** Returns what puts the environment and the folder of this process back to what they are now. */
export function asFound(): () => void {
  const [env, folder] = [{ ...process.env }, process.cwd()];
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
    Object.assign(process.env, env);
    if (process.cwd() !== folder) process.chdir(folder);
  };
}
