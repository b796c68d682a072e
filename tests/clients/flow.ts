// What an integration does with the generated TypeScript client: from a decision to its outcome.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const client = createClient<paths>({
  baseUrl: process.env.CREDIT_SCORING_URL,
  headers: { Authorization: `Bearer ${process.env.CREDIT_SCORING_KEY}` },
});

const application: components["schemas"]["Application"] = {
  application_id: `proposta-${randomUUID()}`,
  credit_letter_value: 24000,
  term_months: 48,
  monthly_income: 3600,
  job_type: "PERMANENT",
  has_negative_record: false,
  age: 37,
};

const { data: decision, error: failed } = await client.POST("/predict", { body: application });
assert(decision, JSON.stringify(failed));
assert(decision.decision === "APROVADO" || decision.decision === "NEGADO");
console.log("first decision:", decision.decision);

const again = await client.POST("/predict", { body: application });
assert.equal(again.data?.decision_id, decision.decision_id);

const refused = await client.POST("/predict", { body: { credit_letter_value: 24000, age: 17 } });
assert.equal(refused.error?.code, "invalid_application");
assert.equal(refused.error.status, refused.response.status);
assert.equal(refused.error.instance, refused.response.headers.get("x-request-id"));
assert.deepEqual(refused.error.faults.map((fault) => fault.field), ["age"]);

const several = await client.POST("/predict_many", { body: [application, { credit_letter_value: 24000, age: 17 }] });
const [first, second] = several.data!;
assert("decision" in first && "code" in second);
assert.equal(second.code, "invalid_application");

const path = { decision_id: decision.decision_id };
const why = await client.GET("/decisions/{decision_id}/reasons", { params: { path } });
assert.equal(why.data?.decision_id, decision.decision_id);

const review = await client.POST("/decisions/{decision_id}/review", {
  params: { path },
  body: { step: "REQUESTED", reason: "A cliente diz que a renda subiu." },
});
assert.equal(review.data?.step, "REQUESTED");

const outcome = await client.POST("/outcomes", {
  body: { decision_id: decision.decision_id, outcome: "PAID", observed_on: new Date().toISOString().slice(0, 10) },
});
assert(outcome.data && !Array.isArray(outcome.data), JSON.stringify(outcome.error));
assert.equal(outcome.data.status, "recorded");

const dossier = await client.GET("/decisions/{decision_id}", { params: { path } });
assert.equal(dossier.data?.outcomes.length, 1);

const found = await client.GET("/decisions", { params: { query: { application_id: application.application_id! } } });
assert.equal(found.data?.decisions.length, 1);

const simulated = await client.POST("/what_if", { body: { application } });
assert.equal(typeof simulated.data?.approved, "boolean");

const model = await client.GET("/model");
assert.equal(model.data?.policy.version, decision.policy_version);
const ready = await client.GET("/readyz", { parseAs: "text" });
assert.equal(ready.response.status, 200);
console.log("all answered as described");
