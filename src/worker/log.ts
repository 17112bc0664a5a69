/** Owns the worker's log: one line of JSON for each event, with time, level and what it was. */
export type Fields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  info(event: string, fields: Fields): void;
  error(event: string, fields: Fields): void;
}

export function logTo(write: (line: string) => void): Log {
  const line = (level: string, event: string, fields: Fields): void =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  return {
    info: (event, fields) => line("info", event, fields),
    error: (event, fields) => line("error", event, fields),
  };
}
