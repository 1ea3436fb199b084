// Runs calls of the official Node client, one after the other, and writes what came of each.
//
// In, a line of JSON for each job until the input ends: {folder, apiKey, apiToken, serviceUrl, module, calls: [[method, parameter…]…]}
// A parameter {file: path} stands for what is in a file.
// Out, a line of JSON for each job: [{value} | {error: {message, status}}…]; a call that resolves with nothing has no value.

const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');

// The client insists on https, also where the service has none; its signals
// are not the platform's.
// Nor does the platform's fetch know the forms that the client's own one takes.
const plainly = (serviceUrl) => (url, { signal, ...init }) => {
  const form = init.body && init.body.getBuffer ? init.body : null;
  const sent = form ? { body: form.getBuffer(), headers: { ...init.headers, ...form.getHeaders() } } : {};
  const scheme = new URL(serviceUrl).protocol;
  return fetch(url.replace(/^https:/, scheme), { ...init, ...sent });
};

const withFiles = (parameters) => Object.fromEntries(
  Object.entries(parameters).map(([name, value]) => [name, value && value.file ? readFileSync(value.file) : value]),
);

async function run(job) {
  const ConstructorIO = createRequire(`${job.folder}/`)('@constructor-io/constructorio-node');
  const client = new ConstructorIO({
    apiKey: job.apiKey, apiToken: job.apiToken, serviceUrl: job.serviceUrl, fetch: plainly(job.serviceUrl),
  });
  const answers = [];
  for (const [method, ...parameters] of job.calls) {
    try {
      answers.push({ value: await client[job.module][method](...parameters.map(withFiles)) });
    } catch (error) {
      answers.push({ error: { message: error.message, status: error.status } });
    }
  }
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    await run(JSON.parse(line));
  }
}

main();
