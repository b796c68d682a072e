// Open loop: a constant arrival rate, whatever happens to the answers. Bodies and the figures of the load come as
// environment variables; the summary goes to stdout as JSON, times in milliseconds.
import http from "k6/http";
import { SharedArray } from "k6/data";
import { Counter, Trend } from "k6/metrics";
import { scenario } from "k6/execution";

const bodies = new SharedArray("bodies", () => open(__ENV.BODIES).trim().split("\n"));
const parameters = { headers: { "Content-Type": "application/json" }, timeout: "5s" };
const useful = new Trend("useful", true);
const refused = new Trend("refused", true);
const slow = new Counter("slow");
const failed = new Counter("failed");

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ["count", "med", "p(99)", "p(99.9)", "max"],
  scenarios: {
    open: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: __ENV.SECONDS + "s",
      preAllocatedVUs: Math.min(100, Number(__ENV.CONNECTIONS)),
      maxVUs: Number(__ENV.CONNECTIONS),
      gracefulStop: "5s",
    },
  },
};

export default function () {
  const answer = http.post(__ENV.URL, bodies[scenario.iterationInTest % bodies.length], parameters);
  const time = answer.timings.connecting + answer.timings.duration;
  if (answer.status === 200) {
    useful.add(time);
    if (time > Number(__ENV.SLOW_MS)) {
      slow.add(1);
    }
  } else if (answer.status === 503) {
    refused.add(time);
  } else {
    failed.add(1);
  }
}

export function handleSummary(data) {
  return { stdout: JSON.stringify(data.metrics) };
}
