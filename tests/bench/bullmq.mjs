// The child process for BullMQ. child/child.go describes the measures and the protocol; both are the same here.
//
//   node bullmq.mjs MEASURE [-jobs=N] [-callers=N] [-batch=N] [-samples=N] [-gap=10ms] [-window=30s] [-backlog=N]
//                           [-slots=N] [-keep=true] [-processes=N] [-pipeline=true]
import { fork } from "node:child_process";
import { createInterface } from "node:readline";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const NAME = "jobs";
const [measure, ...rest] = process.argv.slice(2);
const flags = Object.fromEntries(rest.map((flag) => flag.replace(/^-+/, "").split("=")));
const number = (name, otherwise) => Number(flags[name] ?? otherwise);

// Handlers that do nothing wait only for Redis, so a higher concurrency does not help. By default BullMQ keeps completed
// jobs. Removing them is less work, and its documentation advises not to keep all of them.
const slots = number("slots", measure === "latency" ? 10 : 100);
const keep = flags.keep === "true";
const jobs = number("jobs", 10_000);
const callers = number("callers", 1);
const processes = number("processes", 1);

const { hostname, port, username, password } = new URL(process.env.BENCH_REDIS_URL);
const connection = {
  host: hostname,
  port: Number(port),
  username: username || undefined,
  password: password || undefined,
  maxRetriesPerRequest: null, // BullMQ requires it for workers
  // Off is ioredis's default, and a third to twice as fast here: with it on, the commands of one turn of the event loop
  // wait for each other.
  enableAutoPipelining: flags.pipeline === "true",
};

const queue = new Queue(NAME, { connection, defaultJobOptions: { removeOnComplete: !keep } });
const email = (n) => ({ to: "somebody@example.com", subject: "a payload of about one hundred bytes", n, urgent: false });
const submit = (n) => queue.add("noop", email(n));
const bulk = (first, count) =>
  queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: "noop", data: email(first + i) })));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The lines of the parent's answers.
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let began, cpuBefore, othersCPU = 0;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function mark(word) {
  process.stdout.write(`${word}\n`);
  if ((await answers.next()).done) throw new Error(`the parent did not answer ${word}`);
}

async function begin() {
  await mark("begin");
  cpuBefore = cpu();
  began = process.hrtime.bigint();
}

const outcome = { jobs: 0, seconds: 0, cpu_us: 0, rss_mb: 0, settings: "" };

async function end(done) {
  outcome.jobs = done;
  outcome.seconds = Number(process.hrtime.bigint() - began) / 1e9;
  outcome.cpu_us = Math.round(cpu() - cpuBefore + othersCPU);
  outcome.rss_mb = process.resourceUsage().maxRSS / 1024;
  await mark("end");
}

// verify compares the store with the expected counts. Of removed jobs only the counter for their ids is left.
async function verify(submitted, waiting) {
  const c = await queue.getJobCounts("wait", "active", "completed", "failed", "delayed", "prioritized", "paused");
  const redis = new Redis(connection);
  const given = Number(await redis.get(`bull:${NAME}:id`));
  redis.disconnect();
  const left = c.wait + c.active + c.failed + c.delayed + c.prioritized + c.paused;
  const completed = keep ? c.completed : given - left;
  if (given !== submitted || left !== waiting || c.wait !== waiting || completed !== submitted - waiting) {
    throw new Error(`the store has ${JSON.stringify(c)} of ${given} jobs, want ${waiting} waiting of ${submitted}`);
  }
}

// startWorker starts a worker in this process. handled counts calls of the handler, recorded counts stored outcomes.
let handled = 0;
let recorded = 0;
let onStart = () => {};
function startWorker() {
  const worker = new Worker(
    NAME,
    async () => {
      onStart();
      handled++;
    },
    { connection, concurrency: slots },
  );
  worker.on("completed", () => recorded++);
  worker.on("error", (err) => fail(err));
  return worker;
}

async function until(what, ok) {
  const deadline = Date.now() + 600_000;
  while (!ok()) {
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await sleep(2);
  }
}

// each calls f for count numbers, beginning with first, from several callers (width).
async function each(count, width, first, f) {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await f(first + next++);
    }),
  );
}

async function load(width) {
  const batch = number("batch", 0) || 1000;
  await each(Math.ceil(jobs / batch), width, 0, (n) => bulk(n * batch, Math.min(batch, jobs - n * batch)));
}

const measures = {
  // Another process drains the jobs that this one loads.
  async load() {
    await load(2);
    await verify(jobs, jobs);
  },

  async drain() {
    const others = await workers(processes - 1);
    await begin();
    const worker = startWorker();
    others.start();
    await until(`${jobs} jobs`, () => recorded + others.recorded() >= jobs);
    othersCPU = await others.stop();
    await end(jobs);
    await worker.close();
    await verify(jobs, 0);
  },

  async submit() {
    await each(callers, callers, 0, submit);
    await begin();
    await each(jobs, callers, callers, submit);
    await end(jobs);
    await verify(jobs + callers, jobs + callers);
  },

  async bulk() {
    await each(callers, callers, 0, submit);
    await begin();
    await load(callers);
    await end(jobs);
    await verify(jobs + callers, jobs + callers);
  },

  async queued() {
    await begin();
    await load(2);
    await end(jobs);
    await verify(jobs, jobs);
  },

  // The worker is in this process, or in a second one with -processes=2.
  async sustained() {
    await each(callers, callers, 0, submit);
    const others = await workers(processes - 1);
    const worker = others.count > 0 ? undefined : startWorker();
    others.start();
    const done = () => recorded + others.recorded();
    await until("the first jobs", () => done() >= callers);
    await begin();
    const stop = Date.now() + 1000 * Number.parseFloat(flags.window ?? "30s") * (/m\d*s$/.test(flags.window) ? 60 : 1);
    const backlog = number("backlog", 20_000);
    let submitted = callers;
    let over = false;
    const producing = Promise.all(
      Array.from({ length: callers }, async () => {
        while (!over) {
          if (submitted - done() >= backlog) {
            await sleep(1);
            continue;
          }
          await submit(submitted);
          submitted++;
        }
      }),
    );
    await sleep(stop - Date.now());
    const inWindow = done() - callers;
    othersCPU = await others.used();
    await end(inWindow);
    over = true;
    await producing;
    await until("the rest", () => done() >= submitted);
    await others.stop();
    await worker?.close();
    await verify(submitted, 0);
  },

  async latency() {
    const samples = number("samples", 300);
    const gap = Number.parseFloat(flags.gap ?? "10ms");
    const warm = 20;
    let started;
    onStart = () => started(process.hrtime.bigint());
    const worker = startWorker();
    await worker.waitUntilReady();
    const one = async (n) => {
      await sleep(gap * (1 + Math.random() * 1.5));
      const start = new Promise((resolve) => {
        started = resolve;
      });
      const submitted = process.hrtime.bigint();
      await submit(n);
      return Number((await start) - submitted) / 1e6;
    };
    for (let n = 0; n < warm; n++) await one(n);
    await begin();
    outcome.latencies_ms = [];
    for (let n = 0; n < samples; n++) outcome.latencies_ms.push(await one(warm + n));
    await end(samples);
    await until("the last job", () => recorded >= warm + samples);
    await worker.close();
    await verify(warm + samples, 0);
  },
};

// workers starts more processes with one worker each.
async function workers(count) {
  // They do not get our standard input, because they would read the parent's answers.
  const stdio = ["ignore", "ignore", "inherit", "ipc"];
  const list = Array.from({ length: count }, () => ({
    child: fork(process.argv[1], ["worker", ...rest], { stdio }),
    recorded: 0,
    cpu: 0,
  }));
  for (const h of list) {
    h.child.on("message", (m) => Object.assign(h, m));
    h.child.on("exit", (code) => code && fail(new Error(`a worker's process ended with ${code}`)));
  }
  await until("the worker's processes", () => list.every((h) => h.ready));
  const send = (word) => list.forEach((h) => h.child.send(word));
  const total = (key) => list.reduce((sum, h) => sum + h[key], 0);
  const used = async () => {
    for (const h of list) h.answered = false;
    send("cpu");
    await until("the CPU of the worker's processes", () => list.every((h) => h.answered));
    return total("cpu");
  };
  return {
    count,
    recorded: () => total("recorded"),
    start: () => send("start"),
    used,
    stop: async () => {
      const cpu = await used();
      send("stop");
      return cpu;
    },
  };
}

// serve is the main function of such a process.
function serve() {
  let worker, before, timer;
  process.on("message", async (word) => {
    if (word === "start") {
      before = cpu();
      worker = startWorker();
      timer = setInterval(() => process.send({ recorded }), 2);
    } else if (word === "cpu") {
      process.send({ recorded, cpu: cpu() - before, answered: true });
    } else {
      clearInterval(timer);
      await worker.close();
      await queue.close();
      process.exit(0);
    }
  });
  process.send({ ready: true });
}

function fail(err) {
  console.error(err?.stack ?? err);
  process.exit(1);
}

queue.on("error", fail);
try {
  if (measure === "worker") {
    serve();
  } else {
    if (!measures[measure]) throw new Error(`there is no measure "${measure}"`);
    await queue.waitUntilReady();
    await measures[measure]();
    outcome.settings = [
      "no fsync",
      `concurrency ${slots}`,
      `completed jobs ${keep ? "kept" : "removed"}`,
      `${processes} process${processes > 1 ? "es" : ""}`,
      `automatic pipelining ${connection.enableAutoPipelining ? "on" : "off"}`,
    ].join(", ");
    await queue.close();
    process.stdout.write(measure === "load" ? "" : `${JSON.stringify(outcome)}\n`, () => process.exit(0));
  }
} catch (err) {
  fail(err);
}
