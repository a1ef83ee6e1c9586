"use strict";
// What a person may do here, once signed in: each act is asked twice and carries its own key.

const ROLES = ["cashier", "supervisor", "engineer"];
const ACT_TIMEOUT_MS = 60000; // a Z-report prints for a while

// `when`: whether it makes sense now.  `fields`: what the dialog asks for besides.
const ACTIONS = [
  { name: "sync", role: "supervisor", path: "/v1/kkt/buffer/sync", body: () => ({ force: true }) },
  { name: "x_report", role: "cashier", path: "/v1/kkt/x_report", fields: ["cashier", "pos_id"], body: reportBody },
  { name: "z_report", role: "supervisor", path: "/v1/kkt/z_report", fields: ["cashier", "pos_id"], body: reportBody },
  { name: "breaker", role: "engineer", path: "/v1/kkt/circuit_breaker/reset", body: () => ({}),
    when: () => page.health.components.circuit_breaker.state !== "CLOSED" },
  { name: "begin_maintenance", role: "engineer", path: "/v1/pos/maintenance", fields: ["reason", "minutes"],
    body: ({ reason, minutes }) => ({ reason, estimated_duration_minutes: Number(minutes) }),
    when: () => page.health.maintenance === null },
  { name: "end_maintenance", role: "engineer", method: "DELETE", path: "/v1/pos/maintenance", body: () => ({}),
    when: () => page.health.maintenance !== null },
];
const RECEIPT_ACTIONS = {
  accepted: ["cancel"],
  held: ["print", "cancel"],
  registered: ["copy"],
  printed: ["copy"],
  synced: ["copy"],
};

function reportBody({ cashier, pos_id: posId }) {
  return { cashier: { name: cashier }, pos_id: posId || page.health.pos_ids[0] };
}

function covers(role) {
  return page.role !== null && ROLES.indexOf(page.role) >= ROLES.indexOf(role);
}

function showActions() {
  const offered = ACTIONS.filter((one) => covers(one.role) && (!one.when || one.when()));
  $("sign-in").hidden = page.role !== null;
  $("signed-in").hidden = page.role === null;
  if (page.role) say($("role"), t("token_role", { role: t(`role_${page.role}`) }));
  refill($("actions"), [offered.map((one) => one.name), page.language], () => offered.map((one) => {
    const button = made("button", t(one.name), { type: "button" });
    button.addEventListener("click", () => ask(one, t(`${one.name}_ask`)));
    return button;
  }));
}

function receiptButtons(id, state) {
  if (page.role === null) return [];
  return (RECEIPT_ACTIONS[state] || []).map((name) => {
    const verb = name === "cancel" ? "cancel" : "print";
    const action = { name, path: `/v1/kkt/receipt/${id}/${verb}`, body: () => ({}) };
    const button = made("button", t(name), { type: "button" });
    button.addEventListener("click", () => ask(action, t(`${name}_ask`, { id: id.slice(0, 8) })));
    return button;
  });
}

// ---- the dialog -------------------------------------------------------------------------------

const remembered = { cashier: "", reason: "", minutes: "30", pos_id: "" }; // until the page closes
let request = null; // the same key and the same bytes until the till has answered

function ask(action, question) {
  const fields = (action.fields || []).filter((one) => one !== "pos_id" || page.health.pos_ids.length > 1);
  request = { action, fields, key: newKey(), body: null };
  say($("ask"), question);
  say($("problem"), "");
  $("fields").replaceChildren(...fields.flatMap(fieldOf));
  $("yes").disabled = false;
  $("dialog").showModal();
  (fields.length ? $(`field-${fields[0]}`) : $("no")).focus();
}

function fieldOf(name) {
  const id = `field-${name}`;
  const label = made("label", t(`field_${name}`), { for: id });
  if (name !== "pos_id") {
    const type = name === "minutes" ? { type: "number", min: 1, max: 1440 } : { type: "text", maxlength: 64 };
    const input = made("input", "", { id, required: "", ...type });
    input.value = remembered[name];
    return [label, input];
  }
  const select = made("select", "", { id });
  select.append(...page.health.pos_ids.map((one) => made("option", one, { value: one })));
  return [label, select];
}

async function perform() {
  const current = request;
  const { action, fields } = current;
  if (current.body === null) {
    const values = Object.fromEntries(fields.map((one) => [one, $(`field-${one}`).value.trim()]));
    Object.assign(remembered, values);
    current.body = JSON.stringify(action.body(values));
  }
  $("yes").disabled = true;
  for (const one of fields) $(`field-${one}`).disabled = true;
  let reply, body;
  try {
    reply = await send(action.method || "POST", action.path, current.body, current.key);
    body = await reply.json();
  } catch {
    if (current === request) say($("problem"), t("unanswered"));
    $("yes").disabled = false;
    return;
  }
  if (reply.status === 401) signOut();
  if (current !== request) return; // the dialog was closed meanwhile
  const fine = reply.ok && !body.code;
  say($("result"), body.message || (fine ? t("done", { what: t(action.name) }) : String(reply.status)));
  $("dialog").close();
  lookIn(0);
}

function send(method, path, body, key) {
  const headers = { ...headersOf(), "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  return fetch(path, { method, headers, body, cache: "no-store", credentials: "omit",
    signal: AbortSignal.timeout(ACT_TIMEOUT_MS) });
}

/** A random UUID; crypto.randomUUID is missing where the CA is not trusted. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// ---- signing in -------------------------------------------------------------------------------

async function signIn(given) {
  const code = given.replace(/\s/g, "");
  if (/^\d{8}$/.test(code)) {
    const reply = await send("POST", "/v1/pair", JSON.stringify({ code }));
    const body = await reply.json();
    if (!reply.ok) return body.message;
    page.token = body.token;
    page.role = ROLES.includes(body.role) ? body.role : "engineer";
    return "";
  }
  page.token = given;
  page.role = await roleOf();
  if (page.role !== null) return "";
  page.token = "";
  return t("token_bad");
}

/** What the token opens; an administrator acts as an engineer here. */
async function roleOf() {
  const opens = async (path) => (await fetch(path, { headers: headersOf(), cache: "no-store",
    credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS) })).status;
  const dlq = await opens("/v1/kkt/dlq");
  if (dlq === 403) return "cashier";
  if (dlq !== 200) return null;
  return (await opens("/v1/printer")) === 403 ? "supervisor" : "engineer";
}

function signOut() {
  page.token = "";
  page.role = null;
  $("token").value = "";
  listenAgain();
  showActions();
  lookIn(0);
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = await signIn($("token").value.trim()).catch(() => t("away"));
  $("token").value = "";
  say($("result"), problem);
  listenAgain(); // with the token
  if (page.health) showActions();
  lookIn(0);
});
$("sign-out").addEventListener("click", signOut);
$("no").addEventListener("click", () => $("dialog").close());
$("dialog").addEventListener("close", () => { request = null; });
$("confirm").addEventListener("submit", (event) => {
  event.preventDefault();
  perform();
});
