// A network on a canvas: stiffness as width, state or strain as colour, roles as marks with a key, the rest shape pale.
// Networks in space turn when they are dragged. Plain script, no imports: it serves pages and widgets alike.

/** Numbers of a base64 text or of a DataView. */
function numbers(source, Kind) {
  if (source === null || source === undefined) return null;
  let bytes;
  if (typeof source === "string") bytes = Uint8Array.from(atob(source), (c) => c.charCodeAt(0));
  else bytes = new Uint8Array(source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength));
  return new Kind(bytes.buffer);
}
const floats = (source) => numbers(source, Float32Array);

/** A short text for a number. */
function brief(value, digits = 4) {
  if (!Number.isFinite(value)) return "no value";
  if (value === 0) return "0";
  const text = Math.abs(value) >= 1e5 || Math.abs(value) < 1e-4 ? value.toExponential(digits - 1) : value.toPrecision(digits);
  return text.replace(/(\.\d*?)0+(e|$)/, "$1$2").replace(/\.(e|$)/, "$1").replace("-", "−");
}

/** A number with what it is, in words: "pressure (kPa)" gives "pressure 0.5 kPa". */
function measured(label, value) {
  const [, name, unit] = /^(.*?)(?: \((.+)\))?$/.exec(label);
  return `${name} ${brief(value)}${unit ? " " + unit : ""}`;
}

/** Round steps between low and high, about `count` of them. */
function roundTicks(low, high, count) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((s) => s * power).find((s) => s >= rough) || rough;
  const ticks = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + 1e-9 * step && ticks.length < 50; t += step) ticks.push(Math.abs(t) < 1e-9 * step ? 0 : t);
  return ticks;
}

/** An element with attributes and children. */
function make(name, attributes = {}, ...children) {
  const spaced = name.startsWith("svg:");
  const element = spaced
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") element.style.cssText = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Corners of a mark of unit radius; null for a disk. */
function corners(marker) {
  const ring = (n, start, inner = 1) =>
    Array.from({ length: inner === 1 ? n : 2 * n }, (_, i, m = inner === 1 ? n : 2 * n) => {
      const r = inner !== 1 && i % 2 ? inner : 1;
      const a = start + (2 * Math.PI * i) / m;
      return [r * Math.cos(a), r * Math.sin(a)];
    });
  const up = -Math.PI / 2;
  const cross = [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]];
  switch (marker) {
    case "s": return [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]];
    case "^": return [[0, -1.1], [1, 0.85], [-1, 0.85]];
    case "v": return [[0, 1.1], [1, -0.85], [-1, -0.85]];
    case "<": return [[-1.1, 0], [0.85, -1], [0.85, 1]];
    case ">": return [[1.1, 0], [-0.85, -1], [-0.85, 1]];
    case "D": return [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]];
    case "p": return ring(5, up);
    case "h": return ring(6, up);
    case "*": return ring(5, up, 0.4);
    case "P": return cross;
    case "X": return cross.map(([x, y]) => [(x - y) * 0.74, (x + y) * 0.74]);
    default: return null;
  }
}

class Sketch {
  /**
   * @param host element to draw in
   * @param net what `sandbox.plot.sketch.describe` gives
   */
  constructor(host, net) {
    this.net = net;
    this.rest = floats(net.rest);
    this.ends = numbers(net.ends, Int32Array);
    this.shifts = floats(net.shifts);
    this.dim = net.dim;
    this.count = this.rest.length / this.dim;
    this.edges = this.ends.length / 2;
    this.box = net.box.map((corner) => corner.slice());
    this.stateRange = net.state ? net.state.slice() : null;
    this.strainMost = net.strain || 0;
    [this.stiffLeast, this.stiffMost, this.stiffLargest] = net.stiffness || [Infinity, 0, 0];
    this.turn = { yaw: 0.49, pitch: 0.31 };
    this.lengths = this.lengthsAt(this.rest);
    this.marked = new Int16Array(this.count).fill(-1);
    net.roles.forEach((role, r) => role.nodes.forEach((n) => (this.marked[n] = r)));
    this.frames = 0; // drawn so far

    this.canvas = make("canvas", { role: "img", "aria-label": net.label, style: "width:100%;display:block;touch-action:none;background:#fff" });
    this.bar = make("div", { class: "sketch-bar" });
    this.key = make("div", { class: "sketch-key" });
    this.tip = make("div", { class: "sketch-tip", role: "status", hidden: "" });
    const stage = make("div", { style: "position:relative;flex:1 1 auto;min-width:0" }, this.canvas, this.tip);
    host.classList.add("sketch");
    host.append(make("div", { style: "display:flex;gap:10px;align-items:stretch" }, stage, this.bar), this.key);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(stage);
    this.stage = stage;
  }

  /**
   * Show a frame: {state: N, positions: N*dim, stiffness: E}, each a Float32Array or null; with `sizes` as
   * `net.stiffness` has them where its stiffnesses are not among those that `net` was described with.
   */
  show(frame) {
    this.frame = frame;
    const { state, positions, sizes } = frame;
    const scales = () => JSON.stringify([this.stateRange, this.strainMost, this.stiffMost, this.stiffLargest]);
    const before = scales();
    if (state) {
      let [low, high] = this.stateRange || [Infinity, -Infinity];
      for (const v of state) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
      if (this.net.signed) { high = Math.max(Math.abs(low), Math.abs(high)) || 1; low = -high; }
      if (high > low || !this.stateRange) this.stateRange = high > low ? [low, high] : [low - 0.5, low + 0.5];
    }
    if (sizes) {
      this.stiffLeast = Math.min(this.stiffLeast, sizes[0]);
      this.stiffMost = Math.max(this.stiffMost, sizes[1]);
      this.stiffLargest = Math.max(this.stiffLargest, sizes[2]);
    }
    this.strain = null;
    if (this.net.moves && positions && !state) {
      const now = this.lengthsAt(positions);
      this.strain = now.map((l, e) => (this.lengths[e] > 0 ? l / this.lengths[e] - 1 : NaN));
      for (const v of this.strain) if (Number.isFinite(v)) this.strainMost = Math.max(this.strainMost, Math.abs(v));
    }
    if (this.net.moves && positions) {
      for (let i = 0; i < positions.length; i++) {
        const a = i % this.dim;
        if (Number.isFinite(positions[i])) {
          this.box[0][a] = Math.min(this.box[0][a], positions[i]);
          this.box[1][a] = Math.max(this.box[1][a], positions[i]);
        }
      }
    }
    if (!this.keyed || before !== scales()) this.drawKey();
    this.request();
  }

  /** Draw before the screen is next refreshed. */
  request() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.draw(); });
  }

  resize() {
    const width = this.stage.clientWidth;
    if (!width) return;
    const shape = this.dim === 3 ? 0.85 : (this.box[1][1] - this.box[0][1] + 1e-9) / (this.box[1][0] - this.box[0][0] + 1e-9);
    const height = Math.round(Math.min(Math.max(shape * width, 0.12 * width, 90), 0.95 * width, 560));
    const ratio = window.devicePixelRatio || 1;
    this.canvas.style.height = `${height}px`;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.width = width; this.height = height; this.ratio = ratio;
    this.drawKey();
    this.request();
  }

  lengthsAt(x) {
    const d = this.dim, out = new Float32Array(this.edges);
    for (let e = 0; e < this.edges; e++) {
      let sum = 0;
      for (let a = 0; a < d; a++) {
        const v = x[this.ends[2 * e + 1] * d + a] - x[this.ends[2 * e] * d + a] + (this.shifts ? this.shifts[e * d + a] : 0);
        sum += v * v;
      }
      out[e] = Math.sqrt(sum);
    }
    return out;
  }

  /** A function from coordinates to the screen: [x, y, depth], depth from 0 (near) to 1. */
  projection() {
    const [low, high] = this.box, margin = 14;
    const middle = low.map((l, a) => (l + high[a]) / 2);
    if (this.dim === 2) {
      const unit = Math.min((this.width - 2 * margin) / Math.max(high[0] - low[0], 1e-9), (this.height - 2 * margin) / Math.max(high[1] - low[1], 1e-9));
      this.unit = unit;
      return (x, y) => [this.width / 2 + unit * (x - middle[0]), this.height / 2 - unit * (y - middle[1]), 0];
    }
    const { yaw, pitch } = this.turn;
    const reach = 0.5 * Math.hypot(...low.map((l, a) => high[a] - l)) || 1;
    const unit = (0.5 * Math.min(this.width, this.height) - margin) / reach;
    this.unit = unit;
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    return (x, y, z) => {
      const [u, v, w] = [x - middle[0], y - middle[1], z - middle[2]];
      const across = cy * u + sy * v, away = -sy * u + cy * v;
      const up = cp * w + sp * away, depth = cp * away - sp * w;
      const near = 3 / (3 + depth / reach);
      return [this.width / 2 + unit * near * across, this.height / 2 - unit * near * up, 0.5 + depth / reach / 2];
    };
  }

  points(x, place) {
    const d = this.dim, out = new Float32Array(3 * this.count);
    for (let n = 0; n < this.count; n++) {
      const p = d === 2 ? place(x[2 * n], x[2 * n + 1]) : place(x[3 * n], x[3 * n + 1], x[3 * n + 2]);
      out[3 * n] = p[0]; out[3 * n + 1] = p[1]; out[3 * n + 2] = p[2];
    }
    return out;
  }

  /** Lines of an edge on the screen, [[x0, y0, x1, y1], ...]: two stubs where it crosses a periodic boundary. */
  linesOf(e, x, points, place) {
    const d = this.dim, i = this.ends[2 * e], j = this.ends[2 * e + 1];
    const straight = [[points[3 * i], points[3 * i + 1], points[3 * j], points[3 * j + 1]]];
    if (!this.shifts) return straight;
    let across = false;
    for (let a = 0; a < d; a++) across ||= this.shifts[e * d + a] !== 0;
    if (!across) return straight;
    const half = Array.from({ length: d }, (_, a) => (x[j * d + a] - x[i * d + a] + this.shifts[e * d + a]) / 2);
    const from = place(...half.map((h, a) => x[i * d + a] + h)), to = place(...half.map((h, a) => x[j * d + a] - h));
    return [[points[3 * i], points[3 * i + 1], from[0], from[1]], [to[0], to[1], points[3 * j], points[3 * j + 1]]];
  }

  stateMap() {
    return this.net.signed ? this.net.diverging : this.net.sequential;
  }

  stateColour(value) {
    if (!Number.isFinite(value) || !this.stateRange) return this.net.palette.missing;
    const [low, high] = this.stateRange;
    const share = high > low ? (value - low) / (high - low) : 0.5;
    return this.stateMap()[Math.max(0, Math.min(255, Math.round(255 * share)))];
  }

  edgeColour(e) {
    const { palette, diverging } = this.net;
    if (this.strain) {
      const v = this.strain[e];
      return Number.isFinite(v) ? diverging[Math.round(127.5 + 127.5 * Math.max(-1, Math.min(1, v / (this.strainMost || 1))))] : palette.missing;
    }
    if (this.onEdges) return this.stateColour((this.frame.state[this.ends[2 * e]] + this.frame.state[this.ends[2 * e + 1]]) / 2);
    const k = this.frame.stiffness ? this.frame.stiffness[e] : 1;
    return k < 0 ? palette.negative : k === 0 || !Number.isFinite(k) ? palette.faint : palette.edge;
  }

  draw() {
    if (!this.frame || !this.width) return;
    const context = this.canvas.getContext("2d"), { palette, moves } = this.net;
    const x = (moves && this.frame.positions) || this.rest;
    const place = this.projection();
    const points = (this.pointsNow = this.points(x, place));
    const gap = this.net.spacing * this.unit * (this.dim === 3 ? 1.3 : 1);
    const radius = Math.min(0.2 * gap, 6.5), widest = Math.max(1.6, Math.min(0.32 * gap, 6.5) * this.net.fine);
    const plain = Math.max(0.5, Math.min(0.09 * gap, 1.6));
    const { state } = this.frame;
    this.onEdges = Boolean(state) && radius < 1.2 && this.edges > 0;
    this.widthOf = (k) => (this.uniform() ? 1.6 * plain : Math.max(0.5, widest * Math.min(1, Math.abs(k) / (this.stiffMost || 1))));
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.width, this.height);
    context.lineCap = "round";

    if (moves && this.frame.positions && this.net.shadow) {
      const still = this.points(this.rest, place);
      context.strokeStyle = palette.pale;
      context.lineWidth = 1;
      context.beginPath();
      for (let e = 0; e < this.edges; e++) {
        for (const [a, b, c, d] of this.linesOf(e, this.rest, still, place)) { context.moveTo(a, b); context.lineTo(c, d); }
      }
      context.stroke();
    }

    if (this.dim === 3) {
      // Far ones first, nodes and edges together: an edge is as far as its farther end, so that it hides no node of its own.
      const far = (e) => Math.max(points[3 * this.ends[2 * e] + 2], points[3 * this.ends[2 * e + 1] + 2]);
      const all = [];
      for (let e = 0; e < this.edges; e++) all.push([far(e) + 1e-6, e, -1]);
      for (let n = 0; n < this.count; n++) all.push([this.marked[n] >= 0 ? -1 : points[3 * n + 2], -1, n]);
      all.sort((a, b) => b[0] - a[0]);
      for (const [depth, e, n] of all) {
        if (n >= 0) this.drawNode(context, n, radius);
        else this.drawEdges(context, this.looksOf(e, plain, depth), this.linesOf(e, x, points, place), gap);
      }
    } else {
      const batches = new Map(); // edges of one look are one path
      for (let e = 0; e < this.edges; e++) {
        const look = this.looksOf(e, plain, 0), key = look.join("|");
        let batch = batches.get(key);
        if (!batch) batches.set(key, (batch = { look, lines: [] }));
        batch.lines.push(...this.linesOf(e, x, points, place));
      }
      for (const { look, lines } of batches.values()) this.drawEdges(context, look, lines, gap);
      for (const marked of [false, true]) {
        for (let n = 0; n < this.count; n++) if (this.marked[n] >= 0 === marked) this.drawNode(context, n, radius);
      }
    }
    this.frames += 1;
    this.canvas.dataset.frames = this.frames;
    if (this.keyUnit !== this.unit) { // the widths in the key are those of the screen, known once something is drawn
      this.keyUnit = this.unit;
      this.drawKey();
    }
  }

  /** Colour, width and opacity of an edge. */
  looksOf(e, plain, depth) {
    const { stiffness } = this.frame;
    let width = stiffness ? Math.round(8 * this.widthOf(stiffness[e])) / 8 : this.onEdges ? 2 * plain : plain;
    if (!(width > 0)) width = 0.5;
    return [this.edgeColour(e), width, 1 - 0.7 * Math.min(1, Math.max(0, depth))];
  }

  drawEdges(context, [colour, width, opacity], lines, gap) {
    context.strokeStyle = colour;
    context.globalAlpha = opacity;
    context.lineWidth = width;
    context.beginPath();
    for (const [a, b, c, d] of lines) {
      context.moveTo(a, b);
      if (this.net.arcs && Math.abs(c - a) > 1.5 * gap) context.quadraticCurveTo((a + c) / 2, b - 0.5 * Math.abs(c - a), c, d);
      else context.lineTo(c, d);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawNode(context, n, radius) {
    const { palette, roles } = this.net, { state } = this.frame, points = this.pointsNow;
    const [px, py] = [points[3 * n], points[3 * n + 1]];
    const role = this.marked[n] >= 0 ? roles[this.marked[n]] : null, bare = this.edges === 0;
    if (!Number.isFinite(px) || (!role && radius < 1.2 && !bare)) return;
    const near = this.dim === 3 ? 1.2 - 0.5 * points[3 * n + 2] : 1;
    const size = near * (role ? Math.max(4.5, Math.min(1.55 * radius, 9)) : Math.max(radius, bare ? 1.5 : 0) * (state ? 1 : 0.6));
    context.fillStyle = state ? this.stateColour(state[n]) : role ? role.colour : palette.ink;
    context.strokeStyle = role ? role.colour : palette.ink;
    context.lineWidth = role ? 1.8 : 0.7;
    context.beginPath();
    const shape = role ? corners(role.marker) : null;
    if (!shape) context.arc(px, py, size, 0, 2 * Math.PI);
    else { shape.forEach(([u, v], i) => (i ? context.lineTo(px + size * u, py + size * v) : context.moveTo(px + size * u, py + size * v))); context.closePath(); }
    context.fill();
    context.stroke();
  }

  /** Whether all stiffnesses are one: their width then says nothing, and lines are plain. */
  uniform() {
    return this.stiffMost - this.stiffLeast <= 1e-6 * this.stiffMost;
  }

  /** Up to three stiffnesses within their range, round where they can be; the most too where larger ones are as wide. */
  examples() {
    if (this.uniform()) return [this.stiffMost];
    const round = roundTicks(this.stiffLeast, this.stiffMost, 4).filter((k) => k > 0);
    if (round.length < 2) return [this.stiffLeast || this.stiffMost / 2, this.stiffMost];
    const some = [...new Set([0, (round.length - 1) >> 1, round.length - 1])].map((i) => round[i]);
    return this.beyond() && some[some.length - 1] !== this.stiffMost ? [...some.slice(-2), this.stiffMost] : some;
  }

  /** Whether some are stronger than the widest are drawn for. */
  beyond() {
    return this.stiffLargest > this.stiffMost;
  }

  drawKey() {
    if (!this.frame) return;
    this.keyed = true;
    const { roles, palette, diverging } = this.net;
    const hollow = Boolean(this.frame.state);
    const swatch = (inner) => make("svg:svg", { width: 22, height: 16, viewBox: "-11 -8 22 16", "aria-hidden": "true" }, inner);
    const entry = (inner, text) => make("span", { class: "sketch-entry" }, swatch(inner), text);
    const entries = roles.filter((role) => role.nodes.length).map((role) => {
      const shape = corners(role.marker);
      const looks = { fill: hollow ? "#fff" : role.colour, stroke: role.colour, "stroke-width": 1.6 };
      return entry(shape ? make("svg:polygon", { points: shape.map(([u, v]) => `${5.5 * u},${5.5 * v}`).join(" "), ...looks }) : make("svg:circle", { r: 5, ...looks }), role.name);
    });
    if (this.frame.positions && this.net.moves && this.net.shadow) {
      entries.push(entry(make("svg:line", { x1: -9, x2: 9, stroke: palette.pale, "stroke-width": 2 }), "at rest"));
    }
    if (this.frame.stiffness && this.stiffMost && this.unit) {
      entries.push(make("span", { class: "sketch-entry" }, this.net.stiffnessLabel + ":"));
      for (const k of this.examples()) {
        const width = this.widthOf ? this.widthOf(k) : 2;
        entries.push(entry(make("svg:line", { x1: -9, x2: 9, stroke: palette.edge, "stroke-width": width }), (this.beyond() && k === this.stiffMost ? "≥ " : "") + brief(k, 3)));
      }
    }
    this.key.replaceChildren(...entries);
    const most = this.strainMost || 1;
    const range = this.strain ? [-most, most] : this.frame.state ? this.stateRange : null;
    this.bar.replaceChildren();
    if (!range) return;
    const map = this.strain ? diverging : this.stateMap();
    const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => map[i]).join(",");
    const [low, high] = range;
    const ticks = roundTicks(low, high, 5).map((t) => make("span", { style: `bottom:${((100 * (t - low)) / (high - low || 1)).toFixed(2)}%` }, brief(t, 3)));
    const widest = Math.max(...ticks.map((t) => t.textContent.length));
    this.bar.append(
      make("div", { class: "sketch-ramp", style: `background:linear-gradient(to top,${stops})` }),
      make("div", { class: "sketch-ticks", style: `width:${widest}ch` }, ...ticks),
      make("div", { class: "sketch-label" }, this.strain ? "bond strain" : this.net.stateLabel),
    );
  }

  listen() {
    let held = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (this.dim !== 3) return;
      held = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointerup", () => (held = null));
    this.canvas.addEventListener("pointermove", (event) => {
      if (held) {
        this.turn.yaw -= (event.clientX - held[0]) / 150;
        this.turn.pitch = Math.max(-1.5, Math.min(1.5, this.turn.pitch + (event.clientY - held[1]) / 150));
        held = [event.clientX, event.clientY];
        this.tip.hidden = true;
        this.request();
        return;
      }
      const area = this.canvas.getBoundingClientRect();
      const text = this.under(event.clientX - area.left, event.clientY - area.top);
      this.tip.hidden = !text;
      if (!text) return;
      this.tip.textContent = text;
      const left = event.clientX - area.left;
      this.tip.style.left = `${Math.min(left + 12, this.width - 150)}px`;
      this.tip.style.top = `${event.clientY - area.top + 12}px`;
    });
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  /** What is at a point of the screen, in words; empty for nothing. */
  under(x, y) {
    const p = this.pointsNow;
    if (!p) return "";
    let best = 9, node = -1;
    for (let n = 0; n < this.count; n++) {
      const far = Math.hypot(p[3 * n] - x, p[3 * n + 1] - y);
      if (far < best) { best = far; node = n; }
    }
    if (node >= 0) {
      const role = this.marked[node] >= 0 ? `, ${this.net.roles[this.marked[node]].name}` : "";
      const state = this.frame.state ? `: ${measured(this.net.stateLabel, this.frame.state[node])}` : "";
      return `node ${node}${role}${state}`;
    }
    best = 5;
    let edge = -1;
    for (let e = 0; e < this.edges; e++) {
      const i = 3 * this.ends[2 * e], j = 3 * this.ends[2 * e + 1];
      const [u, v] = [p[j] - p[i], p[j + 1] - p[i + 1]];
      const t = Math.max(0, Math.min(1, ((x - p[i]) * u + (y - p[i + 1]) * v) / (u * u + v * v || 1)));
      const far = Math.hypot(p[i] + t * u - x, p[i + 1] + t * v - y);
      if (far < best) { best = far; edge = e; }
    }
    if (edge < 0) return "";
    const parts = [`edge ${edge} (${this.ends[2 * edge]}–${this.ends[2 * edge + 1]})`];
    if (this.frame.stiffness) parts.push(measured(this.net.stiffnessLabel, this.frame.stiffness[edge]));
    if (this.strain) parts.push(`strain ${brief(this.strain[edge])}`);
    return parts.join(", ");
  }
}
