"use strict";
// The report's page: charts, panel, pictures and table from the JSON beside it. Every text is set as text, so that no
// name that somebody chose becomes markup. State is in the address after #, so that a view can be sent and reloaded.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A5195"];
  const SHAPES = [
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", "M-4.5,-4.5h9v9h-9z", "M0,-5.5L5.5,4.5H-5.5z", "M0,-6L6,0L0,6L-6,0z",
    "M0,5.5L5.5,-4.5H-5.5z", "M-2,-5.5h4v3.5h3.5v4h-3.5v3.5h-4v-3.5h-3.5v-4h3.5z", "M-5,-3l2,-2l3,3l3,-3l2,2l-3,3l3,3l-2,2l-3,-3l-3,3l-2,-2l3,-3z",
  ];
  const byId = (id) => document.getElementById(id);
  let data = JSON.parse(byId("data").textContent);
  let index = new Map();
  const state = { trial: null, cost: "", under: null, a: "dense", b: "", left: "", right: "", row: 0, network: "", zoom: 0,
    split: 50, sort: "cost", down: false, find: "", only: "", losses: "" };

  // ---------- texts ----------
  const el = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
      else if (name === "css") Object.assign(node.style, value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const shape = (tag, attributes, text) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const fresh = (id, ...children) => { const node = byId(id); node.replaceChildren(...children.filter(Boolean)); return node; };
  const plain = (value, digits = 4) => {
    if (value === null || value === undefined || value === "") return "";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
    const rounded = Number(value.toPrecision(digits));
    return rounded !== 0 && Math.abs(rounded) < 1e-3 ? rounded.toExponential() : String(rounded);
  };
  const interval = (value, low, high) =>
    value === null ? "" : plain(value) + (low === null || high === null ? "" : ` [${plain(low)}, ${plain(high)}]`);
  const PREFIXES = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]];
  const scaleOf = (cost, value) => (cost.prefixed && PREFIXES.find(([, size]) => value >= size)) || ["", 1];
  const costText = (cost, value, remark = cost.remark) => {
    if (value === null || value === undefined) return "";
    const [letter, size] = scaleOf(cost, value);
    const parts = cost.symbol ? [plain(value / size), letter + cost.symbol, remark] : [plain(value / size), letter, cost.unit, remark];
    return parts.filter(Boolean).join(" ");
  };
  const beside = (cost, value) => costText(cost, value, "");  // for a label that says the convention
  const shareText = (cost, value) => (cost.dense && value !== null && value !== undefined ? `${plain(100 * value / cost.dense, 3)} %` : "");
  const breakable = (name) => name.split(/(?<=[._,[/-])/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const command = (number) => `ganprune export ${quoted(data.study)} --trial ${number} --out ${quoted(`${data.study}-${number}`)}`
    + (data.storage ? ` --storage ${quoted(data.storage)}` : "");
  const cost = () => data.costs.find((one) => one.name === state.cost) || data.costs[0];
  const colorOf = (method) => COLORS[Math.max(0, data.methods.indexOf(method)) % COLORS.length];
  const shapeOf = (method) => SHAPES[Math.max(0, data.methods.indexOf(method)) % SHAPES.length];
  const better = (a, b) => (data.maximizes ? a > b : a < b);
  const say = (text) => { byId("said").textContent = text; };

  // ---------- the front in the chosen cost ----------
  const scored = () => data.trials.filter((t) => t.scored && t.quality !== null && t.costs[cost().name] !== undefined);
  const drawn = () => data.trials.filter((t) => t.quality !== null && t.costs[cost().name] !== undefined && t.state === "COMPLETE");
  function front() {
    if (cost().name === data.cost) return scored().filter((t) => t.front).sort((a, b) => a.costs[data.cost] - b.costs[data.cost]);
    const name = cost().name, found = [];
    for (const t of scored().sort((a, b) => a.costs[name] - b.costs[name] || (better(a.quality, b.quality) ? -1 : 1)))
      if (!found.length || better(t.quality, found[found.length - 1].quality)) found.push(t);
    return found;
  }
  function reach() {
    const costs = scored().map((t) => t.costs[cost().name]);
    return [Math.min(...costs), Math.max(...costs, cost().limit || 0)];
  }
  function budget() {
    const [low, high] = reach();
    return Math.min(high, Math.max(low, state.under === null ? cost().limit || high : state.under));
  }
  function chosen() {
    let best = null;
    for (const t of scored()) if (t.costs[cost().name] <= budget() * (1 + 1e-9) && (best === null || better(t.quality, best.quality))) best = t;
    return best;
  }

  // ---------- scales ----------
  function axis(low, high, from, to, log) {
    const line = log ? Math.log : (x) => x;
    const a = line(low), b = line(high), wide = b - a || 1;
    const at = (value) => from + (line(value) - a) / wide * (to - from);
    return { at, low, high, log, back: (place) => { const x = a + (place - from) / (to - from) * wide; return log ? Math.exp(x) : x; } };
  }
  function ticks(scale, most) {
    const found = [];
    if (scale.log && scale.high / scale.low > 1.6) {
      for (const steps of [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1]]) {
        found.length = 0;
        for (let power = Math.floor(Math.log10(scale.low)); power <= Math.ceil(Math.log10(scale.high)); power++)
          for (const step of steps) { const v = step * 10 ** power; if (v >= scale.low && v <= scale.high) found.push(v); }
        if (found.length <= most) break;
      }
      if (found.length > 1) return found;
    }
    found.length = 0;
    const rough = (scale.high - scale.low) / most || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= rough);
    for (let v = Math.ceil(scale.low / step) * step; v <= scale.high + step * 1e-6; v += step) found.push(Math.abs(v) < step * 1e-6 ? 0 : v);
    return found;
  }
  const span = (values, log) => {
    let low = Math.min(...values), high = Math.max(...values);
    if (log) { const room = Math.max(1.04, (high / low) ** 0.06); return [low / room, high * room]; }
    const room = (high - low) * 0.07 || Math.abs(high) * 0.1 || 1;
    return [low - room, high + room];
  };
  const isLog = (values, ratio) => Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > ratio;

  // ---------- chart of the front ----------
  let spots = [];
  let current = -1;
  function drawFront() {
    const host = byId("front-chart"), c = cost(), all = drawn();
    host.replaceChildren(); spots = []; current = -1; hideTip();
    byId("front-empty").hidden = all.length > 0;
    byId("front-tools").hidden = all.length === 0;
    host.hidden = all.length === 0;
    if (!all.length) return;
    const width = Math.max(280, host.clientWidth || 900), height = width < 560 ? 400 : 460;
    const m = { left: 62, right: 16, top: 14, bottom: 46 };
    const values = all.flatMap((t) => [t.quality, ...(t.low !== null && width > 0 ? [t.low, t.high] : [])]);
    const usesTest = all.some((t) => t.front && t.test !== null) && c.name === data.cost;
    if (usesTest) values.push(...all.filter((t) => t.front && t.test !== null).map((t) => t.test.value));
    if (data.teacher.quality !== null) values.push(data.teacher.quality);
    const costs = all.map((t) => t.costs[c.name]);
    if (c.dense) costs.push(c.dense);
    if (c.limit) costs.push(c.limit);
    const qualities = all.map((t) => t.quality).concat(data.teacher.quality === null ? [] : [data.teacher.quality]);
    const logX = isLog(costs, 1.5), logY = isLog(qualities, 8) && Math.min(...values) > 0;
    const x = axis(...span(costs, logX), m.left, width - m.right, logX);
    const y = axis(...span(values, logY), height - m.bottom, m.top, logY);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    const [letter, size] = scaleOf(c, Math.max(...all.map((t) => t.costs[c.name])));
    for (const v of ticks(x, width / 75)) {
      svg.append(shape("line", { x1: x.at(v), x2: x.at(v), y1: m.top, y2: height - m.bottom, class: "grid" }),
        shape("text", { x: x.at(v), y: height - m.bottom + 17, class: "tick", "text-anchor": "middle" }, plain(v / size, 3)));
    }
    for (const v of ticks(y, height / 50)) {
      svg.append(shape("line", { x1: m.left, x2: width - m.right, y1: y.at(v), y2: y.at(v), class: "grid" }),
        shape("text", { x: m.left - 7, y: y.at(v) + 4, class: "tick", "text-anchor": "end" }, plain(v, 3)));
    }
    const title = c.symbol && c.title.startsWith(c.symbol) ? letter + c.title : `${letter} ${c.title}`.trim();
    svg.append(shape("text", { x: (m.left + width - m.right) / 2, y: height - 8, class: "title", "text-anchor": "middle" }, `cost of one input: ${title}`),
      shape("text", { x: 14, y: (m.top + height - m.bottom) / 2, class: "title", "text-anchor": "middle",
        transform: `rotate(-90 14 ${(m.top + height - m.bottom) / 2})` }, `${data.metric}${data.split}, ${data.better}`));
    if (c.limit) svg.append(shape("line", { x1: x.at(c.limit), x2: x.at(c.limit), y1: m.top, y2: height - m.bottom, class: "budget" }),
      shape("text", { x: x.at(c.limit) - 5, y: m.top + 12, class: "budget-text", "text-anchor": "end" }, "budget"));
    const slider = shape("line", { y1: m.top, y2: height - m.bottom, class: "under", id: "under-line" });
    svg.append(slider);
    if (data.teacher.quality !== null) {
      svg.append(shape("line", { x1: m.left, x2: width - m.right, y1: y.at(data.teacher.quality), y2: y.at(data.teacher.quality), class: "teacher-line" }));
      if (c.dense) svg.append(shape("path", { d: "M0,-9L2.6,-2.8L9,-2.6L4,1.6L5.6,8L0,4.4L-5.6,8L-4,1.6L-9,-2.6L-2.6,-2.8z", class: "teacher-star",
        transform: `translate(${x.at(c.dense)} ${y.at(data.teacher.quality)})` }));
    }
    const best = front(), onFront = new Set(best.map((t) => t.number));
    if (best.length) {
      let path = "";
      best.forEach((t, i) => { path += i ? `H${x.at(t.costs[c.name])}V${y.at(t.quality)}` : `M${x.at(t.costs[c.name])},${y.at(t.quality)}`; });
      const end = c.limit && c.limit > best[best.length - 1].costs[c.name] ? c.limit : Math.max(...all.map((t) => t.costs[c.name]));
      svg.append(shape("path", { d: `${path}H${x.at(end)}`, class: "front-line" }));
    }
    const marks = shape("g");
    for (const method of data.methods) {
      const own = all.filter((t) => t.method === method), lines = { strong: "", faint: "" };
      for (const t of own) if (t.low !== null) lines[onFront.has(t.number) ? "strong" : "faint"] += `M${x.at(t.costs[c.name]).toFixed(1)},${y.at(t.low).toFixed(1)}V${y.at(t.high).toFixed(1)}`;
      for (const [kind, path] of Object.entries(lines)) if (path) marks.append(shape("path", { d: path, class: `interval ${kind}`, stroke: colorOf(method) }));
      for (const t of own) {
        const px = x.at(t.costs[c.name]), py = y.at(t.quality);
        if (t.ladder) marks.append(shape("circle", { cx: px, cy: py, r: 9, class: "ring" }));
        marks.append(shape("path", { d: shapeOf(method), transform: `translate(${px.toFixed(1)} ${py.toFixed(1)})`, stroke: colorOf(method),
          fill: t.scored ? colorOf(method) : "none", class: onFront.has(t.number) ? "mark strong" : "mark" }));
        if (usesTest && t.front && t.test !== null) { const ty = y.at(t.test.value);
          marks.append(shape("path", { d: `M${px - 4},${ty - 4}l8,8m0,-8l-8,8`, class: "tested" })); }
        spots.push({ trial: t, x: px, y: py });
      }
    }
    svg.append(marks, shape("circle", { r: 11, class: "pinned", id: "pinned-ring", visibility: "hidden" }), shape("circle", { r: 10, class: "hovered", id: "hover-ring", visibility: "hidden" }));
    spots.sort((a, b) => a.x - b.x || a.y - b.y);
    host.append(svg);
    host.chart = { x };
    ring("pinned-ring", spots.find((s) => s.trial.number === state.trial));
    drawUnder();
    const legend = data.methods.filter((method) => all.some((t) => t.method === method)).map((method) => el("span", {},
      icon(shapeOf(method), colorOf(method)), `${method} (${all.filter((t) => t.method === method).length})`));
    if (all.some((t) => !t.scored)) legend.push(el("span", {}, icon(SHAPES[0], "var(--quiet)", "none"), "not eligible (hollow)"));
    if (all.some((t) => t.ladder)) legend.push(el("span", {}, icon("M-7,0a7,7 0 1,0 14,0a7,7 0 1,0 -14,0", "var(--quiet)", "none"), data.ladder));
    legend.push(el("span", {}, icon("M-8,0H8", "var(--ink)"), "front"));
    if (all.some((t) => t.low !== null)) legend.push(el("span", {}, icon("M0,-6V6", "var(--quiet)"), "90 % interval"));
    if (usesTest) legend.push(el("span", {}, icon("M-4,-4l8,8m0,-8l-8,8", "var(--ink)"), "on the test split"));
    if (data.teacher.quality !== null) legend.push(el("span", {}, icon("M0,-7L2,-2.2L7,-2L3,1.2L4.4,6L0,3.4L-4.4,6L-3,1.2L-7,-2L-2,-2.2z", "#b8860b", "#e0a800"), "dense teacher"));
    fresh("front-legend", ...legend);
  }
  function icon(path, color, fill) {
    const svg = shape("svg", { viewBox: "-9 -9 18 18", width: 16, height: 16, "aria-hidden": "true" });
    svg.append(shape("path", { d: path, stroke: color, fill: fill || color, "stroke-width": 1.6 }));
    return svg;
  }
  function ring(id, spot) {
    const node = byId(id);
    if (!node) return;
    if (!spot) { node.setAttribute("visibility", "hidden"); return; }
    node.setAttribute("cx", spot.x); node.setAttribute("cy", spot.y); node.setAttribute("visibility", "visible");
  }
  function nearest(px, py, most) {
    let found = -1, least = most * most;
    for (let i = 0; i < spots.length; i++) {
      const dx = spots[i].x - px, dy = spots[i].y - py, d = dx * dx + dy * dy;
      if (d < least) { least = d; found = i; }
    }
    return found;
  }
  function hover(place) {
    if (place === current) return;
    current = place;
    if (place < 0) { hideTip(); return; }
    const spot = spots[place], tip = byId("tip"), host = byId("front-chart");
    ring("hover-ring", spot);
    tip.replaceChildren(...summary(spot.trial));
    tip.hidden = false;
    const wide = host.clientWidth, own = tip.offsetWidth, high = tip.offsetHeight;
    const left = spot.x + 18 + own > wide ? Math.max(0, spot.x - own - 18) : spot.x + 18;
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.min(Math.max(0, spot.y - high / 2), Math.max(0, host.clientHeight - high)))}px)`;
  }
  function hideTip() { current = -1; byId("tip").hidden = true; ring("hover-ring", null); }
  function summary(t) {
    const list = el("dl", {});
    const line = (name, value) => { if (value) list.append(el("dt", {}, name), el("dd", {}, value)); };
    line(data.metric, interval(t.quality, t.low, t.high));
    if (t.test !== null) line("test split", interval(t.test.value, t.test.low, t.test.high));
    for (const c of data.costs) if (t.costs[c.name] !== undefined) line(c.short, `${beside(c, t.costs[c.name])}${c.dense ? ` (${shareText(c, t.costs[c.name])})` : ""}`);
    for (const [name, value] of Object.entries(t.measured)) line(`${name} measured`, plain(value));
    const parts = [el("b", {}, `trial ${t.number}`), ` ${t.method}${t.front ? ", on the front" : ""}`, list];
    if (t.widths.length) parts.push(sparks(t.widths));
    const strip = stripOf(String(t.number));
    if (strip) parts.push(el("div", { class: "thumbs" }, ...Array.from({ length: Math.min(strip.rows, 4) }, (_, row) => picture(strip, row, 56, `output ${row + 1}`))));
    return parts;
  }
  function sparks(widths) {
    const n = widths.length, svg = shape("svg", { viewBox: `0 0 ${n * 6} 30`, class: "sparks", preserveAspectRatio: "none", "aria-hidden": "true" });
    let whole = "", cut = "";
    widths.forEach((w, i) => { whole += `M${i * 6},30V0h5V30z`; const h = 30 * w / (data.sizes[i] || w || 1); cut += `M${i * 6},30V${30 - h}h5V30z`; });
    svg.append(shape("path", { d: whole, class: "whole" }), shape("path", { d: cut, class: "cut" }));
    return svg;
  }
  const label = (t) => `trial ${t.number}, ${t.method}, ${data.metric} ${interval(t.quality, t.low, t.high)}, ${costText(cost(), t.costs[cost().name])}`;

  // ---------- budget slider ----------
  function drawUnder() {
    const all = scored(), note = byId("under-text"), input = byId("under");
    if (!all.length) { note.textContent = "No trial is eligible yet."; input.disabled = true; return; }
    input.disabled = false;
    const [low, high] = reach(), under = budget();
    const ratio = high > low ? Math.log(under / low) / Math.log(high / low) : 1;
    if (document.activeElement !== input) input.value = String(Math.round(1000 * (low > 0 ? ratio : 1)));
    input.setAttribute("aria-valuetext", costText(cost(), under));
    const t = chosen(), line = byId("under-line"), scale = byId("front-chart").chart;
    if (line && scale) { line.setAttribute("x1", scale.x.at(under)); line.setAttribute("x2", scale.x.at(under)); }
    note.replaceChildren(`At most ${costText(cost(), under)}${cost().dense ? ` (${shareText(cost(), under)} of dense)` : ""}: `,
      ...(t ? [el("button", { class: "link", type: "button", on: { click: () => pin(t.number) } }, `take trial ${t.number}`),
        ` (${t.method}, ${data.metric} ${interval(t.quality, t.low, t.high)} at ${costText(cost(), t.costs[cost().name])})`] : ["no trial is so cheap."]));
  }

  // ---------- panel of a trial ----------
  function pin(number) {
    const t = index.get(number);
    set({ trial: number, b: number === null ? state.b : String(number) });
    if (t) say(`pinned ${label(t)}`);
  }
  function rows(pairs) {
    const list = el("dl", { class: "facts-list" });
    for (const [name, value] of pairs) {
      if (value === "" || value === null || value === undefined) continue;
      list.append(el("dt", {}, name), el("dd", {}, ...(Array.isArray(value) ? value : [value])));
    }
    return list;
  }
  const link = (number, text) => el("button", { class: "link", type: "button", on: { click: () => pin(number) } }, text || `trial ${number}`);
  function drawPanel() {
    const host = byId("panel"), t = index.get(state.trial);
    if (!t) { host.replaceChildren(el("p", { class: "quiet" }, "Choose a trial: click a point of the chart or a number of the table, or press the arrow keys in the chart and Enter.")); return; }
    const text = command(t.number), copied = el("span", { class: "quiet", role: "status" });
    const copy = el("button", { type: "button", on: { click: () => {
      const done = () => { copied.textContent = " copied"; };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => { copied.textContent = " select and copy it"; });
      else copied.textContent = " select and copy it";
    } } }, "Copy");
    const lineage = [];
    if (t.parent !== null) lineage.push("cut from ", link(t.parent), "; ");
    if (t.same_as !== null) lineage.push("same network as ", link(t.same_as), "; ");
    const children = data.trials.filter((o) => o.parent === t.number);
    if (children.length) { lineage.push("trained further as "); children.forEach((o, i) => lineage.push(i ? ", " : "", link(o.number))); lineage.push("; "); }
    lineage.push(`chosen by ${t.origin}`);
    const total = Object.values(t.seconds).reduce((a, b) => a + b, 0);
    const head = el("div", { class: "panel-head" }, el("h3", {}, icon(shapeOf(t.method), colorOf(t.method)), ` Trial ${t.number}: ${t.method}`),
      el("button", { type: "button", "aria-label": "close the panel", on: { click: () => set({ trial: null }) } }, "Close"));
    const facts = rows([
      ["state", t.state + (t.front ? ", on the front" : "")], ["reason of its end", t.reason],
      [data.metric, interval(t.quality, t.low, t.high)], ["on the test split", t.test ? interval(t.test.value, t.test.low, t.test.high) : ""],
      ...data.costs.map((c) => [c.short, t.costs[c.name] === undefined ? "" : `${beside(c, t.costs[c.name])}${c.dense ? `, ${shareText(c, t.costs[c.name])} of dense` : ""}`]),
      ...Object.entries(t.measured).map(([name, value]) => [`${name}, measured after the search`, plain(value)]),
      ["target", t.target === null ? "" : costText(data.costs.find((c) => c.name === data.cost) || data.costs[0], t.target)], ["bits", t.bits],
      ["seed", String(t.seed)], ["lineage", lineage], ["attempts", t.attempt > 1 ? t.attempt : ""], ["steps", t.steps ? `${plain(t.steps.prune)} of pruning, ${plain(t.steps.finetune)} of fine-tuning` : ""],
      ["compute", t.compute === null ? "" : `${plain(t.compute)} MACs`], ["architecture", t.architecture], ["weights' sha256", t.weights], ["worker", t.worker],
    ]);
    const settings = Object.entries(t.settings), parts = [];
    if (settings.length) parts.push(el("h4", {}, "Settings"), rows(settings.map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : plain(value, 6)])));
    if (total > 0) {
      const bar = el("div", { class: "phases", role: "img", "aria-label": Object.entries(t.seconds).map(([n, s]) => `${n} ${plain(s, 3)} s`).join(", ") });
      Object.entries(t.seconds).forEach(([name, s], i) => { if (s > 0) bar.append(el("span", { title: `${name}: ${plain(s, 3)} s`, css: { flexGrow: String(s), background: COLORS[i % COLORS.length] } })); });
      parts.push(el("h4", {}, `Seconds by phase: ${plain(total, 4)} s`), bar, el("p", { class: "legend" }, ...Object.entries(t.seconds).filter(([, s]) => s > 0).map(([n, s]) => el("span", {},
        el("i", { css: { background: COLORS[Object.keys(t.seconds).indexOf(n) % COLORS.length] } }), `${n} ${plain(s, 3)} s`))));
    }
    const films = steps(String(t.number));
    if (films.length > 1) parts.push(el("h4", {}, "Pictures by step"), el("div", { class: "film" }, ...films.map((strip) => el("figure", {}, picture(strip, row(strip), 88, `after ${strip.step} steps`), el("figcaption", {}, `step ${plain(strip.step)}`)))));
    const whole = [];
    if (t.metrics.length) {
      const body = el("tbody", {});
      for (const [place, value, low, high, n, reason] of t.metrics) { const metric = data.metrics[place];
        body.append(el("tr", {}, el("th", { scope: "row", title: metric.protocol }, ...breakable(metric.name)), el("td", { class: "number" }, value === null ? reason || "" : interval(value, low, high)), el("td", {}, metric.unit === "1" ? "" : metric.unit), el("td", { class: "number" }, n === null ? "" : plain(n)))); }
      whole.push(el("h4", {}, "Everything measured"), el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `everything measured of trial ${t.number}` }, el("table", {}, el("thead", {}, el("tr", {}, ...["measurement", "value [90 %]", "unit", "images"].map((h, i) => el("th", { scope: "col", class: i % 2 ? "number" : "" }, h)))), body)));
    }
    host.replaceChildren(head, el("p", { class: "command" }, el("code", {}, text), " ", copy, copied),
      el("div", { class: "panel-body" }, el("div", {}, facts), el("div", {}, ...parts)), ...whole);
  }

  // ---------- pictures ----------
  const networks = () => [...new Set(data.strips.map((s) => s.network))];
  const network = () => (networks().includes(state.network) ? state.network : networks()[0]);
  const stripOf = (subject) => data.strips.find((s) => s.subject === subject && s.network === network() && s.last) || null;
  const steps = (subject) => data.strips.filter((s) => s.subject === subject && s.network === network()).sort((a, b) => a.step - b.step);
  const row = (strip) => Math.min(state.row, strip.rows - 1);
  function picture(strip, place, size, name) {
    return el("div", { class: "picture", role: "img", "aria-label": name, css: { width: `${size}px`, height: `${Math.round(size * strip.height / strip.rows / strip.width)}px`,
      backgroundImage: `url(${strip.src})`, backgroundSize: `100% ${strip.rows * 100}%`, backgroundPosition: `0 ${strip.rows > 1 ? place / (strip.rows - 1) * 100 : 0}%` } });
  }
  const named = (subject) => (/^\d+$/.test(subject) ? `trial ${subject}: ${index.get(Number(subject)).method}` : subject);
  function subjects() {
    const found = data.strips.filter((s) => s.network === network() && s.last).map((s) => s.subject).filter((s) => !/^\d+$/.test(s) || index.has(Number(s)));
    return [...new Set(found)];
  }
  function gridSubjects(all) {
    const fronts = front().map((t) => String(t.number)).filter((n) => all.includes(n)).reverse();
    const trials = fronts.length ? fronts.slice(0, 6) : all.filter((s) => /^\d+$/.test(s)).slice(0, 6);
    for (const extra of [state.trial === null ? "" : String(state.trial), state.left, state.right]) if (extra && all.includes(extra) && /^\d+$/.test(extra) && !trials.includes(extra)) trials.push(extra);
    return [...all.filter((s) => !/^\d+$/.test(s)), ...trials];
  }
  function drawPictures() {
    const all = subjects();
    byId("pictures-missing").hidden = all.length > 0;
    byId("pictures-body").hidden = all.length === 0;
    if (!all.length) return;
    const right = all.includes(state.right) ? state.right : all.includes(String(state.trial)) ? String(state.trial) : gridSubjects(all).find((s) => /^\d+$/.test(s)) || all[all.length - 1];
    const left = all.includes(state.left) ? state.left : all.includes("teacher") ? "teacher" : all[0];
    const options = (value) => all.map((s) => el("option", { value: s, selected: s === value }, named(s)));
    fresh("left", ...options(left)); fresh("right", ...options(right));
    const several = networks();
    byId("network-label").hidden = several.length < 2;
    fresh("network", ...several.map((n) => el("option", { value: n, selected: n === network() }, n)));
    const strip = stripOf(left), titles = data.titles[network()] || [];
    fresh("row", ...Array.from({ length: strip.rows }, (_, i) => el("option", { value: i, selected: i === row(strip) }, titles[i] || `picture ${i + 1}`)));
    const head = el("tr", {}, ...(titles.length ? [el("td", {})] : []), ...gridSubjects(all).map((s) => el("th", { scope: "col" }, named(s))));
    const body = Array.from({ length: strip.rows }, (_, i) => el("tr", {}, ...(titles.length ? [el("th", { scope: "row" }, titles[i])] : []), ...gridSubjects(all).map((s) => {
      const own = stripOf(s);
      return el("td", {}, own.rows > i ? el("button", { type: "button", class: "shot", "aria-label": `compare ${named(s)}, picture ${i + 1}`, on: { click: () => set({ right: s, row: i }) } }, picture(own, i, 104, `${named(s)}, picture ${i + 1}`)) : null);
    })));
    fresh("grid-head", head); fresh("grid-body", ...body);
    const taught = steps("teacher");
    fresh("teacher-film", ...(taught.length > 1 ? taught.map((s) => el("figure", {}, picture(s, row(s), 88, `teacher after ${s.step} steps`), el("figcaption", {}, `step ${plain(s.step)}`))) : []));
    byId("teacher-film-title").hidden = taught.length < 2;
    compare(stripOf(left), stripOf(right), named(left), named(right));
  }
  const loaded = new Map();
  const loading = (strip) => { if (!loaded.has(strip.src)) { const image = new Image(); image.src = strip.src; loaded.set(strip.src, image.decode().then(() => image)); } return loaded.get(strip.src); };
  let pair = null;
  function compare(a, b, nameA, nameB) {
    byId("ab-names").textContent = `left of the line: ${nameA}; right of it: ${nameB}`;
    const wanted = `${a.src.length}.${b.src.length}.${row(a)}.${nameA}.${nameB}`;
    compare.wanted = wanted;
    Promise.all([loading(a), loading(b)]).then(([imageA, imageB]) => {
      if (compare.wanted !== wanted) return;
      const w = Math.max(a.width, b.width), h = Math.max(a.height / a.rows, b.height / b.rows);
      const piece = (strip, image) => { const c = el("canvas", {}); c.width = w; c.height = h; const pen = c.getContext("2d", { willReadFrequently: true }); pen.imageSmoothingEnabled = false;
        const high = strip.height / strip.rows; pen.drawImage(image, 0, row(strip) * high, strip.width, high, 0, 0, w, h); return c; };
      pair = { a: piece(a, imageA), b: piece(b, imageB), w, h };
      paint();
    }).catch(() => { byId("ab-names").textContent = "these pictures cannot be read by this browser"; });
  }
  function zoom() { return state.zoom || Math.max(1, Math.min(16, Math.floor((byId("ab").clientWidth - 2) / pair.w), Math.floor(520 / pair.h))); }
  function paint() {
    if (!pair) return;
    const canvas = byId("ab-canvas"), z = zoom(), w = pair.w * z, h = pair.h * z, pen = canvas.getContext("2d");
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    pen.imageSmoothingEnabled = false;
    const at = Math.round(state.split / 100 * w);
    pen.drawImage(pair.a, 0, 0, w, h);
    pen.save(); pen.beginPath(); pen.rect(at, 0, w - at, h); pen.clip(); pen.drawImage(pair.b, 0, 0, w, h); pen.restore();
    pen.fillStyle = "#fff"; pen.fillRect(at - 1, 0, 2, h); pen.fillStyle = "#000"; pen.fillRect(at, 0, 1, h);
    canvas.setAttribute("aria-label", `${byId("ab-names").textContent}; ${z} times enlarged`);
    byId("ab-size").textContent = `${pair.w} x ${pair.h} pixels, ${z} x`;
    byId("split").value = String(state.split);
    byId("zoom").value = String(state.zoom);
  }
  function readout(event) {
    if (!pair) return;
    const box = byId("ab-canvas").getBoundingClientRect(), z = box.width / pair.w;
    const x = Math.floor((event.clientX - box.left) / z), y = Math.floor((event.clientY - box.top) / z);
    if (x < 0 || y < 0 || x >= pair.w || y >= pair.h) return;
    const at = (c) => [...c.getContext("2d").getImageData(x, y, 1, 1).data].slice(0, 3);
    const [p, q] = [at(pair.a), at(pair.b)];
    byId("pixel").textContent = `pixel ${x}, ${y}: left ${p.join(" ")}, right ${q.join(" ")}, largest difference ${Math.max(...p.map((v, i) => Math.abs(v - q[i])))} of 255`;
  }

  // ---------- widths ----------
  function drawWidths() {
    const known = data.trials.filter((t) => t.widths.length);
    byId("widths-missing").hidden = known.length > 0 && data.groups.length > 0;
    byId("widths-body").hidden = !known.length || !data.groups.length;
    if (!known.length || !data.groups.length) return;
    const has = (value) => value === "dense" || known.some((t) => String(t.number) === value);
    const start = front().find((t) => t.widths.length) || known[0];
    const a = has(state.a) ? state.a : "dense", b = has(state.b) ? state.b : String(start.number);
    const options = (value) => [el("option", { value: "dense", selected: value === "dense" }, "dense teacher"), ...known.map((t) => el("option", { value: t.number, selected: String(t.number) === value }, `trial ${t.number}: ${t.method}`))];
    fresh("width-a", ...options(a)); fresh("width-b", ...options(b));
    const of = (value) => (value === "dense" ? data.sizes : index.get(Number(value)).widths);
    const [first, second] = [of(a), of(b)];
    fresh("width-bars", ...data.groups.map((name, i) => el("tr", {}, el("th", { scope: "row" }, ...breakable(name)), el("td", { class: "bars" },
      el("div", { class: "track", css: { width: `${Math.max(8, 100 * Math.sqrt(data.sizes[i] / Math.max(...data.sizes)))}%` } }, el("span", { class: "bar-a", css: { width: `${100 * first[i] / data.sizes[i]}%` } }), el("span", { class: "bar-b", css: { width: `${100 * second[i] / data.sizes[i]}%` } }))),
      el("td", { class: "number of-dense" }, plain(data.sizes[i])), el("td", { class: "number" }, plain(first[i])), el("td", { class: "number" }, plain(second[i])), el("td", { class: "number" }, `${plain(100 * second[i] / data.sizes[i], 3)} %`))));
    byId("width-dense").hidden = a === "dense" || b === "dense";
    for (const cell of document.querySelectorAll("#width-bars .of-dense")) cell.hidden = byId("width-dense").hidden;
    fresh("width-a-name", el("i", { class: "key-a" }), a === "dense" ? "dense" : `trial ${a}`); fresh("width-b-name", el("i", { class: "key-b" }), b === "dense" ? "dense" : `trial ${b}`);
  }

  // ---------- curves ----------
  function lines(host, series, options) {
    const points = series.flatMap((s) => s.points);
    host.replaceChildren();
    if (!points.length) return;
    const width = Math.max(240, options.width), height = options.height, m = { left: 54, right: 12, top: 10, bottom: 34 };
    const values = points.map((p) => p[1]), log = isLog(values, 8);
    const x = axis(Math.min(0, ...points.map((p) => p[0])), Math.max(1, ...points.map((p) => p[0])), m.left, width - m.right, false);
    const y = axis(...span(values, log), height - m.bottom, m.top, log);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": options.label });
    for (const v of ticks(x, width / 80)) svg.append(shape("line", { x1: x.at(v), x2: x.at(v), y1: m.top, y2: height - m.bottom, class: "grid" }), shape("text", { x: x.at(v), y: height - m.bottom + 15, class: "tick", "text-anchor": "middle" }, plain(v, 3)));
    for (const v of ticks(y, height / 45)) svg.append(shape("line", { x1: m.left, x2: width - m.right, y1: y.at(v), y2: y.at(v), class: "grid" }), shape("text", { x: m.left - 6, y: y.at(v) + 4, class: "tick", "text-anchor": "end" }, plain(v, 3)));
    svg.append(shape("text", { x: (m.left + width - m.right) / 2, y: height - 3, class: "tick", "text-anchor": "middle" }, "steps"));
    for (const s of series) {
      const path = s.points.map((p, i) => `${i ? "L" : "M"}${x.at(p[0]).toFixed(1)},${y.at(p[1]).toFixed(1)}`).join("");
      const line = shape("path", { d: path, class: s.kind || "curve", stroke: s.color });
      line.append(shape("title", {}, s.name));
      svg.append(line);
      if (s.dots || s.points.length === 1) for (const p of s.points) svg.append(shape("circle", { cx: x.at(p[0]), cy: y.at(p[1]), r: s.kind === "curve strong" ? 3.4 : 2, fill: s.color, class: s.kind || "curve" }));
    }
    host.append(svg);
  }
  function drawCurves() {
    const withRungs = data.trials.filter((t) => t.rungs.length), host = byId("rungs");
    byId("rungs-missing").hidden = withRungs.length > 0; byId("rungs-colors").hidden = !withRungs.length;
    const series = withRungs.filter((t) => t.number !== state.trial).map((t) => ({ name: `trial ${t.number}: ${t.method}`, points: t.rungs, color: colorOf(t.method), kind: "curve faint", dots: withRungs.length <= 60 }));
    const own = index.get(state.trial);
    if (own && own.rungs.length) series.push({ name: `trial ${own.number}: ${own.method}`, points: own.rungs, color: colorOf(own.method), kind: "curve strong", dots: true });
    lines(host, series, { width: host.clientWidth || 800, height: 300, label: `${data.metric} at rungs of ${withRungs.length} trials${own ? `, trial ${own.number} drawn boldly` : ""}` });
    const choices = [...(Object.keys(data.teacher.curves).length ? ["teacher"] : []), ...data.trials.filter((t) => Object.keys(t.curves).length).map((t) => String(t.number))];
    byId("losses-missing").hidden = choices.length > 0;
    byId("losses-body").hidden = choices.length === 0;
    if (!choices.length) return;
    const value = choices.includes(state.losses) ? state.losses : choices.includes(String(state.trial)) ? String(state.trial) : choices[0];
    fresh("losses-of", ...choices.map((c) => el("option", { value: c, selected: c === value }, named(c))));
    const curves = value === "teacher" ? data.teacher.curves : index.get(Number(value)).curves, phases = Object.keys(curves);
    const terms = [...new Set(phases.flatMap((p) => Object.keys(curves[p].losses || {})))];
    const box = fresh("losses"), wide = Math.min(380, Math.max(240, byId("losses-body").clientWidth - 8));
    for (const term of terms) {
      const figure = el("figure", {}, el("figcaption", {}, term)), place = el("div", {});
      figure.append(place); box.append(figure);
      lines(place, phases.map((p, i) => ({ name: p, color: COLORS[i % COLORS.length], points: (curves[p].losses[term] || []).map((v, k) => [curves[p].steps[k], v]).filter((q) => typeof q[1] === "number") })).filter((s) => s.points.length),
        { width: wide, height: 190, label: `${term} by step` });
    }
    fresh("losses-legend", ...(phases.length > 1 ? phases.map((p, i) => el("span", {}, el("i", { css: { background: COLORS[i % COLORS.length] } }), p)) : []));
  }

  // ---------- table ----------
  function columns() {
    const c = cost();
    const metricNames = data.metrics.map((m, i) => [m, i]).filter(([m, i]) => m.column && data.trials.some((t) => t.metrics.some((row) => row[0] === i)));
    return [
      { key: "trial", head: "trial", value: (t) => t.number, number: true },
      { key: "method", head: "method", value: (t) => t.method },
      { key: "cost", head: c.short, value: (t) => t.costs[c.name] ?? null, text: (t) => beside(c, t.costs[c.name]), number: true },
      { key: "share", head: "of dense", value: (t) => t.costs[c.name] ?? null, text: (t) => shareText(c, t.costs[c.name]), number: true, skip: !c.dense },
      { key: "quality", head: `${data.metric} [90 %]`, value: (t) => t.quality, text: (t) => interval(t.quality, t.low, t.high), number: true },
      { key: "test", head: "test [90 %]", value: (t) => (t.test ? t.test.value : null), text: (t) => (t.test ? interval(t.test.value, t.test.low, t.test.high) : ""), number: true, skip: !data.trials.some((t) => t.test) },
      { key: "state", head: "state", value: (t) => t.state, text: (t) => (t.reason ? `${t.state}: ${t.reason}` : t.state), wrap: true },
      ...metricNames.map(([m, i]) => { const of = (t) => { const row = t.metrics.find((one) => one[0] === i); return row ? row[1] : null; };
        return { key: `m${i}`, head: m.unit === "1" ? m.name : `${m.name} (${m.unit})`, value: of, number: true, spare: true }; }),
      { key: "seconds", head: "seconds", value: (t) => Object.values(t.seconds).reduce((a, b) => a + b, 0) || null, number: true },
    ].filter((column) => !column.skip);
  }
  function shownTrials() {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean), cols = columns(), column = cols.find((one) => one.key === state.sort) || cols[0];
    const kept = data.trials.filter((t) => (state.only === "" || (state.only === "front" ? t.front : t.state === state.only))
      && words.every((word) => `${t.number} ${t.method} ${t.state} ${t.reason} ${t.origin}`.toLowerCase().includes(word)));
    const sign = state.down ? -1 : 1;
    return kept.sort((a, b) => {
      const [p, q] = [column.value(a), column.value(b)];
      if (p === null || q === null) return (p === null) - (q === null) || a.number - b.number;
      return sign * (typeof p === "string" ? p.localeCompare(q) : p - q) || a.number - b.number;
    });
  }
  function drawTable() {
    const cols = columns(), shown = shownTrials(), states = [...new Set(data.trials.map((t) => t.state))].sort();
    fresh("only", ...[["", "all trials"], ["front", "the front"], ...states.map((s) => [s, s])].map(([value, text]) => el("option", { value, selected: value === state.only }, text)));
    if (document.activeElement !== byId("find")) byId("find").value = state.find;
    fresh("trials-head", el("tr", {}, ...cols.map((column) => el("th", { scope: "col", class: `${column.number ? "number" : ""}${column.spare ? " spare" : ""}`, "aria-sort": column.key === state.sort ? (state.down ? "descending" : "ascending") : "none" },
      el("button", { type: "button", on: { click: () => { set({ sort: column.key, down: column.key === state.sort && !state.down }); refocus(column.key); } }, "data-key": column.key }, column.head, column.key === state.sort ? el("span", { "aria-hidden": "true" }, state.down ? " ▼" : " ▲") : null)))));
    fresh("trials-body", ...shown.map((t) => el("tr", { class: t.front ? "front" : "", "data-trial": t.number }, ...cols.map((column) => {
      const text = column.text ? column.text(t) : plain(column.value(t));
      if (column.key === "trial") return el("td", { class: "number" }, el("button", { type: "button", class: "link", "data-key": `trial ${t.number}`, "aria-label": `trial ${t.number}${t.front ? ", on the front" : ""}`, on: { click: () => pin(t.number) } }, `${t.number}${t.front ? "*" : ""}`));
      return el("td", { class: `${column.number ? "number" : ""}${column.spare ? " spare" : ""}${column.wrap ? " text" : ""}` }, column.key === "method" ? icon(shapeOf(t.method), colorOf(t.method)) : null, text);
    }))));
    markChosen();
    byId("count").textContent = `${shown.length} of ${data.trials.length} trials; * on the front`;
  }
  function markChosen() {
    for (const row of byId("trials-body").children) {
      const own = row.dataset.trial === String(state.trial);
      row.classList.toggle("chosen", own);
      if (own) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
    }
  }
  const refocus = (key) => { const button = [...document.querySelectorAll("#trials-head button")].find((one) => one.dataset.key === key); if (button) button.focus(); };
  function csv() {
    const cell = (value) => { const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value); return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text; };
    const metricHeads = data.metrics.map((m) => m.name), costHeads = data.costs.map((c) => c.name);
    const heads = ["study", "trial", "method", "state", "front", "metric", "quality", "low", "high", "test_quality", ...costHeads, "target", "bits", "seed", "seconds", "origin", "reason", "settings", "widths", ...metricHeads];
    const body = shownTrials().map((t) => { const by = new Map(t.metrics.map((m) => [m[0], m[1]])), widths = Object.fromEntries(t.widths.map((w, i) => [data.groups[i], w]));
      return [data.study, t.number, t.method, t.state, t.front, data.metric, t.quality, t.low, t.high, t.test && t.test.value, ...costHeads.map((c) => t.costs[c]), t.target, t.bits, t.seed,
        Object.values(t.seconds).reduce((a, b) => a + b, 0), t.origin, t.reason, t.settings, t.widths.length ? widths : "", ...metricHeads.map((_, i) => by.get(i))]; });
    return [heads, ...body].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }
  function download() {
    const address = URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), a = el("a", { href: address, download: `${data.study}.csv` });
    document.body.append(a); a.click(); a.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  // ---------- state ----------
  const TEXTS = ["cost", "a", "b", "left", "right", "network", "sort", "find", "only", "losses"];
  const NUMBERS = ["trial", "under", "row", "zoom", "split"];
  const START = { ...state };
  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    Object.assign(state, START);
    for (const name of TEXTS) if (given.has(name)) state[name] = given.get(name);
    for (const name of NUMBERS) { const value = Number(given.get(name)); if (given.has(name) && given.get(name) !== "" && Number.isFinite(value)) state[name] = value; }
    state.down = given.get("down") === "1";
    state.row = Math.max(0, Math.floor(state.row)); state.zoom = Math.min(32, Math.max(0, Math.floor(state.zoom))); state.split = Math.min(100, Math.max(0, state.split));
    if (!index.has(state.trial)) state.trial = null;
    else if (!given.has("b")) state.b = String(state.trial);
  }
  function write() {
    const said = new URLSearchParams();
    for (const name of [...TEXTS, ...NUMBERS]) if (state[name] !== START[name] && state[name] !== null) said.set(name, state[name]);
    if (state.down) said.set("down", "1");
    const hash = String(said);
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }
  const PARTS = { trial: [drawPinned, drawPanel, drawPictures, drawWidths, drawCurves, markChosen], cost: [drawFront, drawTable], under: [drawUnder], a: [drawWidths], b: [drawWidths],
    left: [drawPictures], right: [drawPictures], row: [drawPictures, drawPanel], network: [drawPictures, drawPanel], zoom: [paint], split: [paint], sort: [drawTable], down: [drawTable], find: [drawTable], only: [drawTable], losses: [drawCurves] };
  function drawPinned() { ring("pinned-ring", spots.find((s) => s.trial.number === state.trial)); }
  function set(changes) {
    Object.assign(state, changes);
    if ("cost" in changes) state.under = null;
    const parts = new Set(Object.keys(changes).flatMap((name) => PARTS[name]));
    keepingFocus(() => { for (const part of parts) part(); });
    write();
  }
  const FOCUSABLE = "button, select, input, summary, [tabindex]";
  const nameOf = (node) => node.dataset.key || node.getAttribute("aria-label") || node.textContent;
  function keepingFocus(draw) {
    const active = document.activeElement, host = active && active.parentElement ? active.parentElement.closest("[id]") : null;
    draw();
    if (!host || active.isConnected) return;
    const again = [...(byId(host.id) || host).querySelectorAll(FOCUSABLE)].find((node) => nameOf(node) === nameOf(active));
    if (again) again.focus({ preventScroll: true });
  }
  function take(found) {
    data = found;
    index = new Map(data.trials.map((t) => [t.number, t]));
  }
  function drawAll() {
    fresh("cost", ...data.costs.map((c) => el("option", { value: c.name, selected: c.name === cost().name }, c.title)));
    for (const part of [drawFront, drawPanel, drawPictures, drawWidths, drawCurves, drawTable]) part();
  }

  // ---------- events ----------
  const chart = byId("front-chart");
  chart.addEventListener("pointermove", (event) => { const box = chart.getBoundingClientRect(); hover(nearest(event.clientX - box.left, event.clientY - box.top, 26)); });
  chart.addEventListener("pointerleave", hideTip);
  chart.addEventListener("click", (event) => { const box = chart.getBoundingClientRect(), place = nearest(event.clientX - box.left, event.clientY - box.top, 26); if (place >= 0) pin(spots[place].trial.number); if (event.pointerType === "touch") hideTip(); });
  chart.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (move && spots.length) {
      const from = current >= 0 ? current : spots.findIndex((s) => s.trial.number === state.trial), to = from < 0 ? (move > 0 ? 0 : spots.length - 1) : Math.min(spots.length - 1, Math.max(0, from + move));
      hover(to); say(label(spots[to].trial)); event.preventDefault();
    } else if ((event.key === "Home" || event.key === "End") && spots.length) { hover(event.key === "Home" ? 0 : spots.length - 1); say(label(spots[current].trial)); event.preventDefault(); }
    else if ((event.key === "Enter" || event.key === " ") && current >= 0) { pin(spots[current].trial.number); event.preventDefault(); }
    else if (event.key === "Escape") { hideTip(); set({ trial: null }); }
  });
  for (const [id, name] of [["cost", "cost"], ["width-a", "a"], ["width-b", "b"], ["left", "left"], ["right", "right"], ["network", "network"], ["only", "only"], ["losses-of", "losses"]]) byId(id).addEventListener("change", (event) => set({ [name]: event.target.value }));
  for (const [id, name] of [["row", "row"], ["zoom", "zoom"]]) byId(id).addEventListener("change", (event) => set({ [name]: Number(event.target.value) }));
  byId("split").addEventListener("input", (event) => set({ split: Number(event.target.value) }));
  byId("find").addEventListener("input", (event) => set({ find: event.target.value }));
  byId("under").addEventListener("input", (event) => {
    const [low, high] = reach();
    set({ under: low > 0 ? low * (high / low) ** (Number(event.target.value) / 1000) : high });
  });
  byId("csv").addEventListener("click", download);
  byId("ab-canvas").addEventListener("pointermove", (event) => { readout(event); if (event.buttons === 1) { const box = event.currentTarget.getBoundingClientRect(); set({ split: Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)) }); } });
  const themes = ["", "light", "dark"];
  const theme = (name) => { document.documentElement.dataset.theme = name; byId("theme").textContent = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" }[name]; };
  const stored = (() => { try { return localStorage.getItem("ganprune-theme") || ""; } catch { return ""; } })();
  theme(themes.includes(stored) ? stored : "");
  byId("theme").addEventListener("click", () => { const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % 3]; theme(next); try { localStorage.setItem("ganprune-theme", next); } catch { /* a file without storage */ } });
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); chart.focus(); });
  window.addEventListener("hashchange", () => { read(); drawAll(); });
  let width = window.innerWidth;
  window.addEventListener("resize", () => { if (window.innerWidth !== width) { width = window.innerWidth; drawFront(); drawCurves(); paint(); } });

  // ---------- live ----------
  const written = new Map();  // the parts as the server wrote them last
  for (const part of document.querySelectorAll("[data-live]")) written.set(part.id, part.innerHTML);
  function renew(part, now) {
    if (!now || now.innerHTML === written.get(part.id)) return;
    written.set(part.id, now.innerHTML);
    const open = [...part.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
    const scrolled = [...part.querySelectorAll(".wide")].map((box) => [box.getAttribute("aria-label"), box.scrollLeft, box.scrollTop]);
    keepingFocus(() => part.replaceChildren(...document.importNode(now, true).childNodes));
    for (const summary of part.querySelectorAll("summary")) if (open.includes(summary.textContent)) summary.parentElement.open = true;
    for (const box of part.querySelectorAll(".wide")) {
      const before = scrolled.find(([name]) => name === box.getAttribute("aria-label"));
      if (before) [box.scrollLeft, box.scrollTop] = before.slice(1);
    }
  }
  function keepingPlace(draw) {  // what is read stays where it is in the window, although parts above it grow
    const parts = [...document.querySelectorAll("main > :not([hidden]), #details")];
    const read = parts.filter((node) => node.getBoundingClientRect().top <= 0).pop(), top = read ? read.getBoundingClientRect().top : 0;
    keepingFocus(draw);
    if (read) window.scrollBy({ top: read.getBoundingClientRect().top - top, behavior: "instant" });
  }
  function follow() {
    let mark = data.live.mark;
    const status = byId("live");
    const next = () => setTimeout(ask, 1000 * data.live.seconds);
    const ask = () => fetch("/", { headers: { "If-None-Match": mark }, cache: "no-store" }).then(async (answer) => {
      if (answer.status === 200) {
        mark = answer.headers.get("ETag") || mark;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        keepingPlace(() => {
          for (const part of document.querySelectorAll("[data-live]")) renew(part, page.getElementById(part.id));
          const shown = current >= 0 ? spots[current].trial.number : null;
          take(JSON.parse(page.getElementById("data").textContent));
          read(); drawAll();
          if (shown !== null) hover(spots.findIndex((s) => s.trial.number === shown));
        });
        status.textContent = `live: changed at ${new Date().toLocaleTimeString()}`;
      } else if (answer.status === 304) status.textContent = status.textContent.replace("; no answer", "");
      else throw new Error(answer.statusText);  // the database is away for a moment
      next();
    }).catch(() => { if (!status.textContent.endsWith("; no answer")) status.textContent += "; no answer"; next(); });
    status.textContent = "live: follows the database";
    next();
  }

  take(data);
  read();
  drawAll();
  document.documentElement.dataset.ready = "yes";
  if (data.live) follow();
})();
