/** The settings of the web service, as they are in the environment. */
export type Settings = {
  host: string;
  port: number;
  /** Where the API is: http or https, a host, and perhaps a path. */
  api: URL;
  /** Names that a request may be addressed to, in lower case, without port and brackets. Undefined: any. */
  allowedHosts: Set<string> | undefined;
  /** Milliseconds to go on as before after the signal, so that load balancers notice it. */
  shutdownDelay: number;
  /** Milliseconds that requests may take after that. */
  shutdownTimeout: number;
};

/** Reads and checks the settings; empty means unset. The error names the first variable that is wrong. */
export function readSettings(env: Record<string, string | undefined>): Settings | Error {
  try {
    const hosts = (env.ALLOWED_HOSTS ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    return {
      host: (env.HOST || "127.0.0.1").replace(/^\[|\]$/g, ""),
      port: portOf(env.PORT || "3000"),
      api: apiOf(env.API_URL || "http://127.0.0.1:8000"),
      allowedHosts: hosts.length > 0 ? new Set(hosts.map(hostName)) : undefined,
      shutdownDelay: durationOf("SHUTDOWN_DELAY", env.SHUTDOWN_DELAY || "0s"),
      shutdownTimeout: durationOf("SHUTDOWN_TIMEOUT", env.SHUTDOWN_TIMEOUT || "8s"),
    };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The name in a Host header or a setting, in lower case, without port and brackets. */
export function hostName(host: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host.trim()) ?? [];
  return (bracketed ?? plain ?? host).toLowerCase();
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535)
    throw new Error(`PORT is a number from 0 to 65535, not ${JSON.stringify(text)}`);
  return port;
}

// The value is not repeated: it may hold a password that does not belong there.
function apiOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw new Error(
      "API_URL is http://host:port or https://host:port, perhaps with a path, and nothing else",
    );
  return url;
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 };

function durationOf(name: string, text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const scale = UNITS[unit];
  if (number === undefined || scale === undefined)
    throw new Error(`${name} is a time like 500ms, 5s or 1m, not ${JSON.stringify(text)}`);
  return Number(number) * scale;
}
