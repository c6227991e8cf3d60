// Takes a message over HTTP and adds it to the queue; answers 202 when Redis has taken it.
import { Queue } from "bullmq";
import fastify from "fastify";

import "./worker.mjs";

const queue = new Queue("deliveries", {
  connection: { port: Number(process.env.REDIS_PORT), enableAutoPipelining: true },
  defaultJobOptions: {
    attempts: 8,
    backoff: { type: "exponential", delay: 1000 },
    removeOnComplete: true,
  },
});

const app = fastify({ logger: false });
// The payload is delivered as it came: nothing needs it parsed.
app.removeAllContentTypeParsers();
app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) =>
  done(null, body),
);
app.post("/enqueue", async (request, reply) => {
  await queue.add("deliver", request.body);
  return reply.code(202).send();
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
