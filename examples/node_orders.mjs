// Orders a job over HTTP, waits for its end and reads its rows one by one: Node.js 18 or newer, no packages.
//
//     node node_orders.mjs ACTOR KEY
//
// ACTORLINE_URL: the gateway (default http://127.0.0.1:8470). ACTORLINE_KEY: an API key, where one is needed.

const gateway = process.env.ACTORLINE_URL ?? "http://127.0.0.1:8470";
const authorization = process.env.ACTORLINE_KEY ? { Authorization: `Bearer ${process.env.ACTORLINE_KEY}` } : {};
const ENDS = ["DELIVERED", "PARTIAL", "FAILED", "CANCELLED", "EXPIRED"];

async function call(path, { headers, ...options } = {}) {
  const answer = await fetch(gateway + path, { ...options, headers: { ...authorization, ...headers } });
  if (!answer.ok) {
    const problem = await answer.json(); // application/problem+json, also for a wrong path
    throw new Error(`${problem.code}: ${problem.detail}`);
  }
  return answer;
}

/** Safe to repeat: the same document under the same key joins the job that exists, and is paid for once. */
async function order(key, document) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  await call("/v1/jobs", { method: "POST", headers, body: JSON.stringify(document) });
}

async function end(key) {
  for (;;) {
    const result = await (await call(`/v1/jobs/${key}?wait=60`)).json();
    if (ENDS.includes(result.state)) return result;
  }
}

/** The rows, parsed; memory holds one at a time. A transfer that breaks off throws: half is never taken for all. */
async function* rows(key) {
  const { body } = await call(`/v1/jobs/${key}/items`);
  let begun = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (begun + text).split("\n");
    begun = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

const [actor, key] = process.argv.slice(2);
await order(key, { actor });
const result = await end(key);
if (result.state !== "DELIVERED") throw new Error(`${result.state}: ${result.reason?.message}`);
let count = 0;
for await (const row of rows(key)) count += row ? 1 : 0;
console.log(`${result.state}: ${count} rows, ${result.cost_usd} USD`);
