"use strict";
// Shows the till: /v1/health and /v1/kkt/buffer/status are the truth, /v1/events says when to look.

const TIMEOUT_MS = 5000;
const POLL_MS = 5000; // without the stream
const LIVE_POLL_MS = 15000; // with it: ages go on
const RETRY_MS = 1500;
const SILENCE_MS = 40000; // the stream has a heartbeat of 15 s
const SETTLE_MS = 150; // several events at once are one look
const RECEIPTS_MAX = 12;
const STATES = { healthy: "ok", degraded: "warn", unhealthy: "bad" };
const MODES = { online: "online", degraded: "degraded", offline: "offline" };
const OPEN_STATES = ["accepted", "printing", "in_doubt", "held"];

const page = {
  language: new URLSearchParams(location.search).get("lang") === "en" ? "en" : "ru",
  token: "", // in memory alone
  role: null,
  health: null,
  buffer: null,
  seenAt: 0, // performance.now() of both
  link: "connecting", // live, locked, away
  failures: 0,
  streaming: false,
  receipts: new Map(), // id -> {state}, as the stream told
};

// ---- words ------------------------------------------------------------------------------------

function $(id) {
  return document.getElementById(id);
}

function t(key, values = {}) {
  return TEXTS[page.language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 60) return t("seconds", { s: Math.round(seconds) });
  if (minutes < 60) return t("minutes", { m: minutes });
  if (hours < 48) return t("hours", { h: hours, m: String(minutes % 60).padStart(2, "0") });
  if (days < 10) return t("days", { d: days, h: hours % 24 });
  return t("days_long", { d: days });
}

/** What is reckoned promises no minutes. */
function roughly(seconds) {
  const hours = Math.floor(seconds / 3600);
  if (hours < 2) return span(seconds);
  return hours < 72 ? t("hours_long", { h: hours }) : t("days_long", { d: Math.floor(hours / 24) });
}

function receiptsOf(count) {
  const one = count % 10 === 1 && count % 100 !== 11;
  const few = [2, 3, 4].includes(count % 10) && ![12, 13, 14].includes(count % 100);
  if (page.language === "en") return t(count === 1 ? "receipts_left_one" : "receipts_left_many", { count });
  return t(one ? "receipts_left_one" : few ? "receipts_left_few" : "receipts_left_many", { count });
}

function clockOf(instant) {
  const style = { hour: "2-digit", minute: "2-digit" };
  return new Date(instant).toLocaleTimeString(page.language, style);
}

function dateOf(day) {
  const style = { day: "numeric", month: "long", year: "numeric" };
  return new Date(`${day}T00:00:00`).toLocaleDateString(page.language, style);
}

/** Changes nothing that is so already: a screen reader speaks of changes alone. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function made(tag, text = "", attributes = {}) {
  const node = document.createElement(tag);
  node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** New children where `what` they show is new; keyboard focus stays otherwise. */
function refill(node, what, children) {
  const shown = JSON.stringify(what);
  if (node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(...children());
}

// ---- the one answer ---------------------------------------------------------------------------

function showAnswer() {
  const [kind, verdict, todo] = answer();
  document.body.dataset.answer = kind;
  say($("verdict"), verdict);
  say($("todo"), todo);
}

function answer() {
  if (page.link === "connecting") return ["connecting", t("connecting"), ""];
  if (page.link === "away") return ["away", t("away"), t("away_do")];
  if (page.link === "locked") return ["locked", t("locked"), t("locked_do")];
  const { sell, message } = page.health;
  if (sell.answer === "no") return ["no", t("no"), message];
  if (sell.answer === "limited") return ["limited", limitedText(sell.limits[0]), sell.limits[0].message];
  return ["yes", t("yes"), message || (page.buffer.alerts[0] || {}).message || t("fine")];
}

function limitedText(limit) {
  const { seconds_left: seconds, receipts_left: receipts, name } = limit;
  if (name === "fn" && seconds === null) return t("limited_plain");
  if (seconds !== null) return t("limited", { left: roughly(seconds) });
  return receipts === null ? t("limited_plain") : t("limited", { left: receiptsOf(receipts) });
}

// ---- tiles ------------------------------------------------------------------------------------

function tiles(health, buffer) {
  const parts = health.components;
  const found = [bufferTile(buffer), linkTile(parts, buffer)];
  const printers = Object.entries(parts.printers);
  for (const [name, printer] of printers) {
    found.push(printerTile(name, printer, printers.length > 1));
  }
  for (const [posId, till] of Object.entries(health.tills)) {
    const printer = parts.printers[till.printer] || parts.kkt_device;
    found.push(shiftTile(posId, till, printer, health.pos_ids.length > 1));
  }
  found.push(fnTile(parts.fn), unsentTile(parts.fn));
  found.push(powerTile(parts.power));
  if (parts.odoo_connection) found.push(odooTile(parts.odoo_connection));
  found.push(diskTile(parts.disk), systemTile(health));
  return found;
}

function tile(id, title, state, value, notes = [], meter = null) {
  return { id, title, state, value, notes: notes.filter(Boolean), meter };
}

function bufferTile(buffer) {
  const { current_queued: queued, total_capacity: capacity, percent_full: percent } = buffer;
  const state = percent >= 100 ? "bad" : percent >= 80 || buffer.dlq_size ? "warn" : "ok";
  return tile("buffer", t("buffer"), state, `${queued}/${capacity}`, [
    queued === 0 && t("buffer_empty"),
    buffer.in_doubt && t("buffer_doubt", { count: buffer.in_doubt }),
    buffer.held && t("buffer_held", { count: buffer.held }),
    buffer.waiting_for_printer && t("buffer_waiting", { count: buffer.waiting_for_printer }),
    buffer.dlq_size && t("buffer_dlq", { count: buffer.dlq_size }),
  ], { value: Math.min(queued, capacity), max: capacity });
}

function linkTile(parts, buffer) {
  const { circuit_breaker: breaker, ofd_connection: ofd } = parts;
  const mode = buffer.network_status;
  const state = mode === "offline" || ofd.stopped_reason ? "bad"
    : mode === "degraded" || breaker.state !== "CLOSED" || ofd.throttled ? "warn" : "ok";
  const last = buffer.last_sync;
  return tile("link", t("link"), state, t(MODES[mode]), [
    t(`breaker_${breaker.state}`),
    breaker.next_attempt_time && t("breaker_next", { clock: clockOf(breaker.next_attempt_time) }),
    ofd.throttled && t("throttled"),
    ofd.stopped_reason && t("stopped"),
    last && t("last_sync", { clock: clockOf(last.timestamp), count: receiptsOf(last.synced_count) }),
  ]);
}

function printerTile(name, printer, several) {
  const ready = printer.status === "healthy";
  const title = several ? `${t("printer")} ${name}` : t("printer");
  return tile(`printer-${name}`, title, ready ? "ok" : "bad", t(ready ? "printer_ready" : "printer_not"), [
    printer.message || (printer.paper && t(`paper_${printer.paper}`)),
    printer.device_code !== null && t("device_code", { code: printer.device_code }),
    printer.model,
    printer.serial && t("serial", { serial: printer.serial }),
  ]);
}

function shiftTile(posId, till, printer, several) {
  const age = till.shift_age_seconds;
  const title = several ? `${t("shift")} ${posId}` : t("shift");
  const number = printer.shift_number && t("shift_number", { number: printer.shift_number });
  const left = 24 * 3600 - age;
  if (printer.shift === "expired" || (age !== null && left <= 0)) {
    return tile(`shift-${posId}`, title, "bad", t("shift_expired"), [number]);
  }
  if (age === null) {
    const open = printer.shift === "open";
    return tile(`shift-${posId}`, title, "idle", t(open ? "shift_open" : "shift_closed"), [number]);
  }
  return tile(`shift-${posId}`, title, left < 3600 ? "warn" : "ok", t("shift_open"), [
    t("shift_age", { time: span(age) }),
    number,
    left < 4 * 3600 && t("shift_until", { time: span(left) }),
  ]);
}

function fnTile(fn) {
  const { days_left: days, documents_left: documents } = fn;
  if (days === null && documents === null) return tile("fn", t("fn"), "idle", t("fn_unknown"));
  const least = (limit, of) => of !== null && of < limit;
  const state = least(3, days) || least(100, documents) ? "bad" : least(30, days) ? "warn" : "ok";
  return tile("fn", t("fn"), state, days === null ? t("fn") : t("fn_days", { days }), [
    fn.expires && t("fn_until", { date: dateOf(fn.expires) }),
    documents !== null && t("fn_documents", { count: documents.toLocaleString(page.language) }),
    fn.serial && t("fn_serial", { serial: fn.serial }),
  ]);
}

function unsentTile(fn) {
  const seconds = fn.oldest_unsent_seconds;
  const waiting = fn.unsent_documents ? t("unsent_documents", { count: fn.unsent_documents }) : "";
  if (seconds === null) return tile("unsent", t("unsent"), "ok", t("unsent_none"), [waiting]);
  const hours = seconds / 3600;
  const state = hours > 20 * 24 ? "bad" : hours > 4 ? "warn" : "ok";
  return tile("unsent", t("unsent"), state, span(seconds), [t("unsent_clock"), waiting],
    { value: Math.min(30, hours / 24), max: 30 });
}

function powerTile(power) {
  return tile("power", t("power"), STATES[power.status], t(`power_${power.state}`), [power.message]);
}

function odooTile(odoo) {
  const fine = odoo.status === "healthy";
  const age = odoo.heartbeat_age_seconds;
  return tile("odoo", "Odoo", fine ? "ok" : "warn", t(fine ? "odoo_fine" : "odoo_silent"), [
    age !== null && t("odoo_age", { time: span(age) }),
  ]);
}

function diskTile(disk) {
  const percent = Math.round(disk.percent_full);
  const state = disk.status === "unhealthy" || percent >= 80 ? "bad" : percent > 70 ? "warn" : "ok";
  return tile("disk", t("disk"), state, t("disk_full", { percent }), [
    disk.status === "unhealthy" && percent < 80 ? t("disk_bad") : percent > 50 && t("disk_note"),
  ], { value: Math.min(percent, 80), max: 80 });
}

function systemTile(health) {
  const { workers, clock, backup, update } = health.components;
  const late = workers.late.length > 0;
  const drifts = clock.status !== "healthy";
  const drift = Math.round(Math.abs(clock.drift_seconds));
  return tile("system", t("system"), late || drifts || (backup && backup.problem) ? "warn" : "ok", `kktd ${health.version}`, [
    late && t("workers_late", { names: workers.late.join(", ") }),
    drifts ? t("clock_drift", { seconds: drift })
      : t(clock.drift_seconds === null ? "clock_unknown" : "clock_fine"),
    backup && (backup.problem ? t("backup_bad") : backup.done_at && t("backup_at", { clock: clockOf(backup.done_at) })),
    update && update.rejected && t("update_rejected", { reason: update.rejected }),
  ]);
}

function showTiles(found) {
  const box = $("tiles");
  const wanted = found.map((one) => `tile-${one.id}`);
  for (const old of [...box.children]) if (!wanted.includes(old.id)) old.remove();
  found.forEach((one, place) => {
    let node = $(wanted[place]);
    if (!node) {
      node = made("section", "", { class: "tile", id: wanted[place] });
      box.insertBefore(node, box.children[place] || null);
    }
    node.dataset.state = one.state;
    refill(node, one, () => [
      made("h2", one.title),
      made("p", one.value, { class: "value" }),
      ...(one.meter ? [meterOf(one)] : []),
      ...one.notes.map((note) => made("p", note)),
    ]);
  });
}

function meterOf({ title, meter }) {
  const { value, max } = meter;
  // The browser's own colours: green below `low`, yellow to `high`, red above.
  return made("meter", "", { "aria-label": title, min: 0, max, value,
    low: max * 0.8, high: max * 0.999, optimum: 0 });
}

// ---- lists ------------------------------------------------------------------------------------

function showAlerts(alerts) {
  $("alerts-part").hidden = alerts.length === 0;
  refill($("alerts"), alerts, () => alerts.map(({ level, message }) => {
    const row = made("li", "", { "data-level": level });
    row.append(made("b", level), made("span", message));
    return row;
  }));
}

/** What the till lists as not in the FN, and what the stream told of the others. */
function showReceipts() {
  const listed = page.buffer.unfinished;
  const ids = new Set(listed.map((one) => one.receipt_id));
  const told = [...page.receipts].reverse()
    .filter(([id, one]) => !ids.has(id) && !OPEN_STATES.includes(one.state))
    .map(([id, one]) => ({ receipt_id: id, state: one.state }));
  showRows($("open"), $("open-part"), listed);
  showRows($("receipts"), $("receipts-part"), told.slice(0, RECEIPTS_MAX));
}

function showRows(list, part, rows) {
  part.hidden = rows.length === 0;
  refill(list, [rows, page.role, page.language], () => rows.map(({ receipt_id: id, state }) => {
    const row = made("li");
    row.append(made("code", id.slice(0, 8)), made("span", t(`receipt_${state}`)));
    row.append(...receiptButtons(id, state));
    return row;
  }));
}

// ---- all of it --------------------------------------------------------------------------------

function show() {
  showAnswer();
  showLine();
  const stale = page.link === "away" && page.health !== null;
  $("stale").hidden = !stale;
  if (stale) say($("stale"), t("away_since", { time: span((performance.now() - page.seenAt) / 1000) }));
  const open = page.health !== null && page.link !== "locked";
  $("facts").hidden = !open;
  if (!open) return;
  const { health, buffer } = page;
  say($("till"), health.pos_ids.join(", "));
  const resting = health.maintenance;
  say($("mode"), resting
    ? t("maintenance", { reason: resting.reason, clock: clockOf(resting.expected_end) })
    : buffer.network_message);
  showTiles(tiles(health, buffer));
  showAlerts(buffer.alerts);
  showReceipts();
  showActions();
}

function showLine() {
  const state = page.link !== "live" ? "dead" : page.streaming ? "live" : "polling";
  $("line").dataset.state = state === "dead" ? "bad" : "ok";
  say($("line"), page.link === "connecting" ? "" : t(state));
}

function showLanguage() {
  document.documentElement.lang = page.language;
  document.title = t("title");
  for (const node of document.querySelectorAll("[data-text]")) say(node, t(node.dataset.text));
  $("language").lang = page.language === "ru" ? "en" : "ru";
  $("language").setAttribute("aria-label", t("other_language_label"));
}

// ---- asking -----------------------------------------------------------------------------------

function headersOf() {
  const headers = { "Accept-Language": page.language };
  if (page.token) headers.Authorization = `Bearer ${page.token}`;
  return headers;
}

/** The answer's body; health is 503 when the till cannot sell.  Throws what kept it from coming. */
async function read(path) {
  const reply = await fetch(path, { headers: headersOf(), cache: "no-store", credentials: "omit",
    signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (reply.status === 401) throw Object.assign(new Error("locked"), { locked: true });
  const body = await reply.json();
  if (body.code) throw new Error(body.code);
  return body;
}

let looking = false;
let lookAgain = false;
let timer = 0;
let due = Infinity;

/** At the latest then: events that keep coming put nothing off. */
function lookIn(milliseconds) {
  const wanted = performance.now() + milliseconds;
  if (wanted >= due) return;
  clearTimeout(timer);
  due = wanted;
  timer = setTimeout(look, milliseconds);
}

async function look() {
  due = Infinity;
  if (looking) {
    lookAgain = true;
    return;
  }
  looking = true;
  lookAgain = false;
  const began = performance.now();
  try {
    const [health, buffer] = await Promise.all([read("/v1/health"), read("/v1/kkt/buffer/status")]);
    Object.assign(page, { health, buffer, seenAt: began, link: "live", failures: 0 });
  } catch (error) {
    page.failures += 1;
    if (error.locked) page.link = "locked";
    else if (page.failures > 1 || page.link !== "live") page.link = "away";
  }
  looking = false;
  show();
  if (lookAgain) lookIn(SETTLE_MS);
  else if (page.failures > 0) lookIn(RETRY_MS);
  else lookIn(page.streaming ? LIVE_POLL_MS : POLL_MS);
}

// ---- the stream -------------------------------------------------------------------------------

let stream = new AbortController();
let wanted = false; // again at once: somebody signed in or out

function listenAgain() {
  wanted = true;
  stream.abort();
}

/** With fetch, since EventSource sends no token. */
async function listen() {
  for (;;) {
    stream = new AbortController();
    let silence = 0;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stream.abort(), SILENCE_MS);
    };
    try {
      alive();
      const reply = await fetch("/v1/events", { headers: headersOf(), cache: "no-store",
        credentials: "omit", signal: stream.signal });
      if (!reply.ok) throw new Error(String(reply.status));
      page.streaming = true;
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        alive();
        const messages = (rest + value).split("\n\n");
        rest = messages.pop();
        messages.forEach(take);
      }
    } catch {
      // Away, locked, too many readers: polling goes on.
    }
    clearTimeout(silence);
    page.streaming = false;
    lookIn(SETTLE_MS);
    const wait = wanted ? 0 : page.link === "live" ? POLL_MS : RETRY_MS;
    wanted = false;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function take(message) {
  const lines = message.split("\n");
  const name = (lines.find((line) => line.startsWith("event: ")) || "").slice(7);
  if (!name) return;
  if (name === "receipt") {
    const { receipt_id: id, state } = JSON.parse(lines.find((line) => line.startsWith("data: ")).slice(6));
    page.receipts.delete(id);
    page.receipts.set(id, { state });
    for (const old of page.receipts.keys()) {
      if (page.receipts.size <= 2 * RECEIPTS_MAX) break;
      page.receipts.delete(old);
    }
  }
  lookIn(SETTLE_MS);
}

// ---- start ------------------------------------------------------------------------------------

$("language").addEventListener("click", () => {
  page.language = page.language === "ru" ? "en" : "ru";
  history.replaceState(null, "", page.language === "en" ? "?lang=en" : location.pathname);
  showLanguage();
  show();
  lookIn(0); // the till's own sentences
});
document.addEventListener("visibilitychange", () => document.hidden || lookIn(0));
document.addEventListener("DOMContentLoaded", () => { // actions.js is there by now
  showLanguage();
  show();
  look();
  listen();
});
