import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/**
 * Which window is looked at: the export in the embedded process, the Node server, or the export beneath a prefix in a
 * program of somebody else.
 */
export type Build = "embedded" | "node" | "mounted";

const ROOT = path.resolve(import.meta.dirname, "../..");
// E2E_SHIFT moves the ports, for two checkouts on one machine.
const SHIFT = Number(process.env.E2E_SHIFT ?? 0);
const API_PORT = 28000 + SHIFT;
const WEB_PORT = 23000 + SHIFT;
const NODE_PORT = 23001 + SHIFT;
const MOUNTED_PORT = 23002 + SHIFT;
/** For a server that a test starts itself. */
export const SPARE_PORT = 23003 + SHIFT;
const PATIENCE_MS = 30_000;

const URLS: Record<Build, string> = {
  embedded: `http://localhost:${WEB_PORT}`,
  node: `http://localhost:${NODE_PORT}`,
  mounted: `http://localhost:${MOUNTED_PORT}/windlass`,
};

/** The real processes behind a test, on a database of their own. */
export class System {
  readonly api = `http://127.0.0.1:${API_PORT}`;
  /** Where the window is, without a slash at the end. */
  readonly url: string;
  private backend: ChildProcess | undefined;
  private web: ChildProcess | undefined;
  private data = "";

  constructor(private readonly build: Build) {
    this.url = URLS[build];
  }

  async start(): Promise<void> {
    this.data = await mkdtemp(path.join(tmpdir(), "windlass-e2e-"));
    await this.startBackend();
    if (this.build === "node") {
      this.web = runNodeServer({
        PORT: String(NODE_PORT),
        API_URL: this.api,
        ALLOWED_HOSTS: "localhost,127.0.0.1",
      });
    } else if (this.build === "mounted") {
      const env = { PORT: String(MOUNTED_PORT), API_URL: this.api };
      this.web = run(path.join(ROOT, "bin/e2e/mounted"), [], env);
    }
    await answering(`${this.url}/`);
  }

  async startBackend(): Promise<void> {
    this.backend = run(path.join(ROOT, process.env.E2E_EMBEDDED ?? "bin/e2e/embedded"), [], {
      PORT: String(API_PORT),
      WEB_PORT: String(WEB_PORT),
      HOST: "127.0.0.1",
      DATA_DIR: this.data,
      FAIL_RATE: "0",
      LOG_LEVEL: "error",
      SHUTDOWN_TIMEOUT: "2s",
    });
    await answering(`${this.api}/readyz`);
  }

  async stopBackend(): Promise<void> {
    await end(this.backend);
    this.backend = undefined;
  }

  async stop(): Promise<void> {
    await Promise.all([end(this.web), end(this.backend)]);
    await rm(this.data, { recursive: true, force: true });
  }

  /** Submits a job and returns its id. */
  async submit(job: Record<string, unknown>): Promise<string> {
    const made = await this.post("/jobs", job);
    return String(made.id);
  }

  async post(route: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(this.api + route, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${route}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async get(route: string): Promise<Record<string, unknown>> {
    const response = await fetch(this.api + route);
    if (!response.ok) throw new Error(`GET ${route}: ${response.status}`);
    return response.json();
  }

  /** Waits until a job is in a state. */
  async until(id: string, state: string): Promise<void> {
    await eventually(`job ${id} is ${state}`, async () => (await this.get(`/jobs/${id}`)).state === state);
  }
}

/** The Node server of the web service, with settings of its own. */
export function runNodeServer(env: Record<string, string>): ChildProcess {
  return run(process.execPath, [path.join(ROOT, "bin/e2e/web/server.mjs")], env);
}

function run(command: string, args: string[], env: Record<string, string>): ChildProcess {
  return spawn(command, args, {
    env: { NODE_ENV: "production", PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

export async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, "exit");
  child.kill("SIGTERM");
  await over;
}

export async function answering(url: string): Promise<void> {
  await eventually(`${url} answers`, () =>
    fetch(url).then(
      (response) => response.ok,
      () => false,
    ),
  );
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
