"use strict";
// The page that runs generators: files and data stand beside this script. Every text is set as text.
(() => {
  const RUNS = 5, LONGEST_MS = 6000; // of the runs that are counted, and of all of them together
  const MOST_PIXELS = 1 << 20, TILE = 512, OVERLAP = 4; // more pixels at once than a browser's memory has room for
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const el = (tag, attributes, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const fill = (id, items, value) => byId(id).replaceChildren(...items.map(([key, text]) => el("option", key === value ? { value: key, selected: "" } : { value: key }, text)));
  const plain = (value, digits = 4) => String(Number(value.toPrecision(digits)));
  const sizeText = (bytes) => (bytes < 1e6 ? `${plain(bytes / 1e3, 3)} kB` : `${plain(bytes / 1e6, 3)} MB`);
  const pause = () => new Promise((done) => setTimeout(done));
  const median = (values) => { const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1; return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2; };
  const state = { network: data.networks[0], source: null, turn: 0 };
  const times = new Map(); // of the last picture, by file
  const say = (text) => { byId("status").textContent = text; };
  const alert = (text) => { byId("alert").textContent = text; byId("alert").hidden = !text; };

  // ---------- files and runtime ----------
  const once = (make) => { const found = new Map(); return (key) => { if (!found.has(key)) found.set(key, make(key).catch((error) => { found.delete(key); throw error; })); return found.get(key); }; };
  const contained = once(async (name) => {
    const packed = await fetch(`data:application/octet-stream;base64,${byId(`file-${name}`).textContent.trim()}`);
    return new Uint8Array(await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  });
  async function runtimeFile(file) {
    if (byId(`file-${file.name}`)) return contained(file.name);
    let answer;
    try { answer = await fetch(file.address, { integrity: file.integrity, credentials: "omit", referrerPolicy: "no-referrer" }); }
    catch { throw new Error(`${file.address} cannot be loaded, or is another file than this page was made for. Try again with a network, or make the page with --web-runtime`); }
    if (!answer.ok) throw new Error(`${file.address} answers ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }
  const runtime = once(async () => {
    const [code, binary] = await Promise.all(data.runtime.map(runtimeFile));
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const ort = await import(address);
    Object.assign(ort.env.wasm, { wasmBinary: binary.buffer, numThreads: 1, proxy: false });
    ort.env.logLevel = "error";
    return ort;
  });
  const session = once(async (file) => (await runtime("")).InferenceSession.create(await contained(file), { executionProviders: ["wasm"] }));

  // ---------- pictures and planes: {height, width, channels, values} with values in the generator's range ----------
  const canvasOf = (width, height) => { const canvas = el("canvas", {}); canvas.width = width; canvas.height = height; return canvas; };
  const pen = (canvas) => canvas.getContext("2d", { willReadFrequently: true });
  const resized = (source, width, height) => { const canvas = canvasOf(width, height), to = pen(canvas); to.imageSmoothingQuality = "high"; to.drawImage(source, 0, 0, width, height); return canvas; };
  function planesOf(canvas, input) {
    const { width, height } = canvas, pixels = pen(canvas).getImageData(0, 0, width, height).data, n = width * height, channels = input.shape[0];
    const values = new Float32Array(channels * n), unit = (input.high - input.low) / 255;
    for (let i = 0; i < n; i++) {
      const [r, g, b] = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]];
      if (channels === 1) values[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b) * unit + input.low;
      else { values[i] = r * unit + input.low; values[n + i] = g * unit + input.low; values[2 * n + i] = b * unit + input.low; }
    }
    return { height, width, channels, values };
  }
  const reflected = (place, length) => { const period = 2 * (length - 1) || 1, at = ((place % period) + period) % period; return at < length ? at : period - at; };
  function padded(planes, height, width, top, left) {
    if (planes.height === height && planes.width === width) return planes;
    const values = new Float32Array(planes.channels * height * width);
    for (let c = 0, to = 0; c < planes.channels; c++) for (let y = 0; y < height; y++) {
      const row = (c * planes.height + reflected(y - top, planes.height)) * planes.width;
      for (let x = 0; x < width; x++) values[to++] = planes.values[row + reflected(x - left, planes.width)];
    }
    return { height, width, channels: planes.channels, values };
  }
  function cut(planes, top, left, height, width) {
    const values = new Float32Array(planes.channels * height * width);
    for (let c = 0; c < planes.channels; c++) for (let y = 0; y < height; y++) {
      const from = (c * planes.height + top + y) * planes.width + left;
      values.set(planes.values.subarray(from, from + width), (c * height + y) * width);
    }
    return { height, width, channels: planes.channels, values };
  }
  function pictured(planes, network) {
    const { width, height } = planes, n = width * height, canvas = canvasOf(width, height), image = new ImageData(width, height), unit = 255 / (network.high - network.low);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < 3; c++) {
        const value = planes.values[(planes.channels === 1 ? 0 : c * n) + i];
        if (!Number.isFinite(value)) throw new Error("the generator's output is not finite");
        image.data[4 * i + c] = Math.round(Math.min(255, Math.max(0, (value - network.low) * unit)));
      }
      image.data[4 * i + 3] = 255;
    }
    pen(canvas).putImageData(image, 0, 0);
    return canvas;
  }

  // ---------- sizes, as `ganprune run` takes them ----------
  const ratio = (sizes) => sizes.scale[0] / sizes.scale[1];
  function fits(sizes) {
    const trained = `${sizes.width} x ${sizes.height}`;
    return sizes.stride ? [["own", "the picture's own"], ["stretch", `stretched to ${trained}`], ["tile", `tiles of ${TILE} x ${TILE}`]]
      : [["stretch", `stretched to ${trained}`], ["tile", `tiles of ${trained}`]];
  }
  function placed(source, sizes, fit) {
    const { width, height } = source, whole = sizes.scale[1];
    if (fit === "stretch") return { height: sizes.height, width: sizes.width, top: 0, left: 0, inner: [sizes.height, sizes.width] };
    if (!sizes.stride) return { height: Math.max(sizes.height, Math.ceil(height / whole) * whole), width: Math.max(sizes.width, Math.ceil(width / whole) * whole), top: 0, left: 0, inner: [height, width] };
    const around = (side) => Math.max(sizes.least, Math.ceil(side / sizes.stride) * sizes.stride), room = [around(height), around(width)];
    const [top, left] = [height, width].map((side, i) => Math.floor(Math.floor((room[i] - side) / 2) / whole) * whole);
    return { height: room[0], width: room[1], top, left, inner: [height, width] };
  }
  function starts(length, side, stride) {
    const overlap = Math.ceil(Math.ceil(side / OVERLAP) / stride) * stride, step = Math.max(stride, Math.floor((side - overlap) / stride) * stride), found = [];
    for (let at = 0; at < Math.max(1, length - side); at += step) found.push(at);
    if (length > side) found.push(length - side);
    return found;
  }
  const fade = (length) => Float32Array.from({ length }, (_, i) => Math.min(1, Math.min(i + 1, length - i) / Math.max(1, Math.floor(length / OVERLAP))));
  async function inTiles(run, planes, sizes, side) {
    const high = Math.min(side[0], planes.height), wide = Math.min(side[1], planes.width), stride = sizes.stride || sizes.scale[1], scale = ratio(sizes);
    const height = planes.height * scale, width = planes.width * scale, weights = new Float32Array(height * width);
    let total = null, channels = 0;
    for (const top of starts(planes.height, high, stride)) for (const left of starts(planes.width, wide, stride)) {
      const part = await run(cut(planes, top, left, high, wide)), down = fade(part.height), across = fade(part.width);
      channels = part.channels;
      total = total || new Float32Array(channels * height * width);
      for (let y = 0; y < part.height; y++) for (let x = 0; x < part.width; x++) {
        const weight = down[y] * across[x], at = (top * scale + y) * width + left * scale + x;
        weights[at] += weight;
        for (let c = 0; c < channels; c++) total[c * height * width + at] += weight * part.values[(c * part.height + y) * part.width + x];
      }
    }
    for (let c = 0; c < channels; c++) for (let i = 0; i < weights.length; i++) total[c * weights.length + i] /= weights[i];
    return { height, width, channels, values: total };
  }

  // ---------- runs ----------
  function normals(seed, count) { // mulberry32, and Box-Muller
    let a = seed >>> 0;
    const uniform = () => { a = (a + 0x6d2b79f5) | 0; let t = Math.imul(a ^ (a >>> 15), 1 | a); t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296; };
    return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  }
  function job() {
    const network = state.network, image = network.inputs.find((input) => input.kind === "image"), sizes = network.sizes;
    const drawn = network.inputs.filter((input) => input.kind !== "image").map((input) => [input, Number(byId(`draw-${input.name}`).value) || 0]);
    if (!image) return { drawn, planes: null, back: (planes) => pictured(planes, network), note: "" };
    const trained = state.source.height === sizes.height && state.source.width === sizes.width;
    const fit = trained ? "stretch" : byId("fit").value, place = placed(state.source, sizes, fit), scale = ratio(sizes);
    const planes = padded(planesOf(fit === "stretch" && !trained ? resized(state.source, sizes.width, sizes.height) : state.source, image), place.height, place.width, place.top, place.left);
    const large = fit === "own" && place.height * place.width > MOST_PIXELS, tiled = fit === "tile" || large;
    const side = sizes.stride ? [TILE, TILE].map((n) => Math.max(sizes.least, Math.ceil(n / sizes.stride) * sizes.stride)) : [sizes.height, sizes.width];
    const back = (made) => {
      const part = pictured(cut(made, Math.ceil(scale * place.top), Math.ceil(scale * place.left), Math.ceil(scale * place.inner[0]), Math.ceil(scale * place.inner[1])), network);
      const [width, height] = [Math.ceil(scale * state.source.width), Math.ceil(scale * state.source.height)];
      return part.width === width && part.height === height ? part : resized(part, width, height);
    };
    const notes = [`The input is ${place.width} x ${place.height} pixels${tiled ? `, in tiles of ${Math.min(side[1], place.width)} x ${Math.min(side[0], place.height)}` : ""}.`];
    if (large) notes.push("Larger pictures would need more memory at once than a browser has.");
    if (!sizes.stride && !trained) notes.push(`The file runs at ${sizes.width} x ${sizes.height} alone (${sizes.reason}).`);
    return { drawn, planes, back, side: tiled ? side : null, sizes, image, note: notes.join(" ") };
  }
  async function generated(ort, file, work) {
    const one = await session(file), others = {};
    for (const [input, value] of work.drawn) others[input.name] = input.kind === "label" ? new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), [1])
      : new ort.Tensor("float32", normals(value, input.shape.reduce((a, b) => a * b, 1)), [1, ...input.shape]);
    const run = async (planes) => {
      const feeds = planes ? { ...others, [work.image.name]: new ort.Tensor("float32", planes.values, [1, planes.channels, planes.height, planes.width]) } : others;
      const found = await one.run(feeds), output = found[one.outputNames[0]], [, channels, height, width] = output.dims;
      return { height, width, channels, values: output.data };
    };
    const before = performance.now();
    const made = work.planes && work.side ? await inTiles(run, work.planes, work.sizes, work.side) : await run(work.planes);
    return { made, ms: performance.now() - before };
  }
  function show(id, canvas) {
    const to = byId(id);
    to.width = canvas.width; to.height = canvas.height;
    to.classList.toggle("small", canvas.width < 200);
    pen(to).drawImage(canvas, 0, 0);
  }
  async function run() {
    const turn = ++state.turn, generators = ["left", "right"].map((side) => state.network.generators.find((one) => one.file === byId(side).value));
    if (state.network.sizes && !state.source) return;
    const stale = () => turn !== state.turn;
    alert("");
    byId("run").disabled = true;
    try {
      say("Loading the runtime and the generators ...");
      const ort = await runtime(""), work = job(), outputs = [];
      for (const [i, side] of ["left", "right"].entries()) {
        say(`Running ${generators[i].label} ...`);
        await pause();
        const canvas = work.back((await generated(ort, generators[i].file, work)).made);
        if (stale()) return;
        outputs.push(canvas);
        show(`${side}-output`, canvas);
        byId(`${side}-output`).setAttribute("aria-label", `output of ${generators[i].label}`);
        byId(`${side}-name`).textContent = generators[i].label;
        byId(`${side}-ms`).textContent = "";
        const save = byId(`${side}-save`);
        save.href = canvas.toDataURL("image/png"); save.download = `${data.study}-${generators[i].label.replace(/\W+/g, "-")}.png`;
      }
      if (state.source) show("input", state.source);
      byId("input-figure").hidden = !state.source;
      byId("results").hidden = false;
      byId("note").textContent = work.note;
      byId("compared").textContent = difference(...outputs);
      say("Measuring milliseconds ...");
      const found = generators.map(() => []), start = performance.now();
      for (let n = 0; n < RUNS && (n === 0 || performance.now() - start < LONGEST_MS); n++) for (const [i, one] of generators.entries()) {
        await pause();
        const { ms } = await generated(ort, one.file, work);
        if (stale()) return;
        found[i].push(ms);
      }
      generators.forEach((one, i) => times.set(one.file, found[i]));
      const [a, b] = found.map(median);
      for (const [i, side] of ["left", "right"].entries()) byId(`${side}-ms`).textContent = `${plain([a, b][i], 3)} ms`;
      if (generators[0] !== generators[1]) byId("right-ms").textContent += b < a ? `, ${plain(a / b, 2)} times as fast` : `, ${plain(b / a, 2)} times as long`;
      table();
      say(`Done: median of ${found[0].length} ${found[0].length === 1 ? "run" : "runs"} each.`);
    } catch (error) {
      if (stale()) return;
      alert(`This did not run: ${error && error.message ? error.message : error}`);
      say("");
    } finally { if (!stale()) byId("run").disabled = false; }
  }
  function difference(a, b) {
    if (a.width !== b.width || a.height !== b.height) return "";
    const [p, q] = [a, b].map((canvas) => pen(canvas).getImageData(0, 0, canvas.width, canvas.height).data);
    let largest = 0, total = 0, squares = 0;
    for (let i = 0; i < p.length; i++) if (i % 4 !== 3) { const d = Math.abs(p[i] - q[i]); largest = Math.max(largest, d); total += d; squares += d * d; }
    const n = p.length * 3 / 4, psnr = squares ? `${plain(10 * Math.log10(255 * 255 * n / squares), 3)} dB` : "equal";
    return `Between both outputs: largest difference ${largest} of 255, on average ${plain(total / n, 3)}; PSNR ${psnr}.`;
  }

  // ---------- page ----------
  function table() {
    byId("generators").replaceChildren(...state.network.generators.map((one) => {
      const ms = times.get(one.file);
      return el("tr", {}, el("th", { scope: "row" }, one.label), el("td", {}, one.quality), ...[one.costs.macs || "", one.costs.params || "", sizeText(one.bytes),
        ms ? `${plain(median(ms), 3)} [${plain(Math.min(...ms), 3)}, ${plain(Math.max(...ms), 3)}]` : ""].map((text) => el("td", { class: "number" }, text)));
    }));
  }
  function choose(network) {
    state.network = network; state.turn++;
    fill("network", data.networks.map((one) => [one.name, one.name]), network.name);
    byId("network-label").hidden = data.networks.length < 2;
    const files = network.generators.map((one) => [one.file, one.label]);
    fill("left", files, files[0][0]); fill("right", files, files[Math.min(1, files.length - 1)][0]);
    byId("fit-label").hidden = byId("drop").hidden = !network.sizes;
    if (network.sizes) fill("fit", fits(network.sizes), network.sizes.stride ? "own" : ratio(network.sizes) > 1 ? "tile" : "stretch");
    byId("draws").replaceChildren(...network.inputs.filter((input) => input.kind !== "image").map((input) => el("label", {}, input.kind === "label" ? `${input.name} (class, 0 to ${input.classes - 1})` : `${input.name} (seed)`,
      el("input", { id: `draw-${input.name}`, type: "number", value: "0", min: "0", max: input.kind === "label" ? String(input.classes - 1) : "4294967295" }))));
    byId("run").disabled = Boolean(network.sizes) && !state.source;
    byId("run").textContent = network.sizes ? "Run again" : "Draw";
    examples(network).catch((error) => alert(`The test inputs cannot be shown: ${error.message}`));
    times.clear(); table();
    say(network.sizes ? "" : "Press Draw for pictures of the seeds.");
  }
  async function examples(network) {
    const found = [];
    for (const [address, rows] of network.examples) {
      const image = new Image();
      image.src = address;
      await image.decode();
      const high = image.height / rows;
      for (let row = 0; row < rows; row++) {
        const canvas = canvasOf(image.width, high);
        pen(canvas).drawImage(image, 0, row * high, image.width, high, 0, 0, image.width, high);
        const button = el("button", { type: "button", "aria-label": `run test input ${row + 1}` }, canvas);
        button.addEventListener("click", () => { take(canvas); });
        found.push(button);
      }
    }
    if (network === state.network) byId("examples").replaceChildren(...(found.length ? [el("span", { class: "quiet" }, "or a test input of the study:"), ...found] : []));
  }
  function take(canvas) { state.source = canvas; run(); }
  async function open(file) {
    if (!file) return;
    try {
      const image = await createImageBitmap(file), canvas = canvasOf(image.width, image.height);
      pen(canvas).drawImage(image, 0, 0);
      take(canvas);
    } catch { alert(`${file.name || "this"} is no picture that this browser reads: got ${file.type || "a file of unknown type"}; expected PNG, JPEG or WebP`); }
  }
  byId("file").addEventListener("change", (event) => { open(event.target.files[0]); event.target.value = ""; });
  const drop = byId("drop");
  for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.toggle("over", kind === "dragover"); if (kind === "drop") open(event.dataTransfer.files[0]); });
  document.addEventListener("paste", (event) => { if (state.network.sizes) open([...event.clipboardData.files][0]); });
  byId("network").addEventListener("change", (event) => choose(data.networks.find((one) => one.name === event.target.value)));
  for (const id of ["left", "right", "fit"]) byId(id).addEventListener("change", run);
  byId("run").addEventListener("click", run);
  byId("choices").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  choose(data.networks[0]);
  document.documentElement.dataset.ready = "yes";
})();
