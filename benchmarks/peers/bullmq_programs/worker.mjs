// Delivers what is in the queue, so many at once, over connections that are kept.
import { Worker } from "bullmq";
import { Pool } from "undici";

const CONCURRENCY = Number(process.env.CONCURRENCY);
const sink = new URL(process.env.SINK_URL);
const pool = new Pool(sink.origin, { connections: CONCURRENCY, pipelining: 1 });

const worker = new Worker(
  "deliveries",
  async (job) => {
    const { statusCode, body } = await pool.request({
      path: sink.pathname,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: job.data,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
    });
    await body.dump();
    if (statusCode < 200 || statusCode >= 300) throw new Error(`answered ${statusCode}`);
  },
  {
    connection: {
      port: Number(process.env.REDIS_PORT),
      maxRetriesPerRequest: null, // BullMQ asks for it: a worker waits as long as it takes
      enableAutoPipelining: true,
    },
    concurrency: CONCURRENCY,
  },
);
worker.on("error", (error) => console.error(error));
await worker.waitUntilReady();
