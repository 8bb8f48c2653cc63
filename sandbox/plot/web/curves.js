// Curves as SVG, read by pointing at them or with the arrow keys. Needs sketch.js: brief, floats, make, roundTicks.

/** Ticks of a logarithmic axis: powers of ten, and parts of them where these are few. */
function logTicks(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.max(1, Math.ceil((last - first) / 6));
  const within = Math.floor(Math.log10(high)) - Math.ceil(Math.log10(low)) + 1; // powers of ten
  const parts = within < 3 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let p = first; p <= last; p += every) for (const s of parts) ticks.push(s * 10 ** p);
  return ticks.filter((t) => t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9));
}

/**
 * @param host element to draw in
 * @param spec {xlabel, ylabel, log, x, series: [{name, values, colour, dash}]}, numbers as base64 of float32
 * @param chosen called with the index of the x that is pointed at, when it is clicked
 */
function drawCurves(host, spec, chosen = null) {
  const x = floats(spec.x), series = spec.series.map((s) => ({ ...s, values: floats(s.values) }));
  const [W, H, left, right, top, bottom] = [560, 300, 74, 14, 12, 44];
  const shown = (v) => Number.isFinite(v) && (!spec.log || v > 0);
  const all = series.flatMap((s) => Array.from(s.values).filter(shown));
  if (!all.length || !x.length) { host.append("nothing to draw"); return null; }
  const scale = spec.log ? Math.log10 : (v) => v;
  const reduce = (values, pick) => values.reduce((a, b) => pick(a, b));
  let [low, high] = [scale(reduce(all, Math.min)), scale(reduce(all, Math.max))];
  const pad = (high - low || Math.abs(high) || 1) * 0.05;
  [low, high] = [low - pad, high + pad];
  const [first, last] = [x[0], x[x.length - 1] === x[0] ? x[0] + 1 : x[x.length - 1]];
  const across = (v) => left + ((v - first) / (last - first)) * (W - left - right);
  const down = (v) => top + ((high - scale(v)) / (high - low)) * (H - top - bottom);

  const svg = make("svg:svg", { viewBox: `0 0 ${W} ${H}`, class: "curves", tabindex: 0, role: "img", "aria-label": `${spec.ylabel} over ${spec.xlabel}: ${series.map((s) => s.name).join(", ")}` });
  let yTicks = spec.log ? logTicks(10 ** low, 10 ** high) : roundTicks(low, high, 5);
  if (spec.log && yTicks.length < 3) yTicks = roundTicks(10 ** low, 10 ** high, 4);
  for (const t of yTicks) {
    svg.append(make("svg:line", { x1: left, x2: W - right, y1: down(t), y2: down(t), class: "grid" }));
    svg.append(make("svg:text", { x: left - 7, y: down(t) + 4, "text-anchor": "end" }, brief(t, 3)));
  }
  for (const t of roundTicks(first, last, 6)) {
    svg.append(make("svg:line", { x1: across(t), x2: across(t), y1: H - bottom, y2: H - bottom + 4, class: "axis" }));
    svg.append(make("svg:text", { x: across(t), y: H - bottom + 17, "text-anchor": "middle" }, brief(t, 4)));
  }
  svg.append(make("svg:path", { d: `M${left} ${top}V${H - bottom}H${W - right}`, class: "axis", fill: "none" }));
  svg.append(make("svg:text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, spec.xlabel));
  svg.append(make("svg:text", { transform: `translate(14 ${(top + H - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, spec.ylabel));
  for (const s of series) {
    let path = "", pen = false;
    s.values.forEach((v, i) => {
      if (shown(v)) path += `${pen ? "L" : "M"}${across(x[i]).toFixed(2)} ${down(v).toFixed(2)}`;
      pen = shown(v);
    });
    svg.append(make("svg:path", { d: path, fill: "none", stroke: s.colour, "stroke-width": 2, "stroke-dasharray": s.dash, "stroke-linejoin": "round" }));
  }
  const line = make("svg:line", { y1: top, y2: H - bottom, class: "cursor", visibility: "hidden" });
  const dots = series.map((s) => make("svg:circle", { r: 4, fill: s.colour, stroke: "#fff", visibility: "hidden" }));
  svg.append(line, ...dots);
  const readout = make("div", { class: "readout", role: "status" });
  const legend = make("div", { class: "legend" }, ...series.map((s) => make("span", {}, make("svg:svg", { width: 30, height: 10, "aria-hidden": "true" }, make("svg:line", { x1: 1, x2: 29, y1: 5, y2: 5, stroke: s.colour, "stroke-width": 2.5, "stroke-dasharray": s.dash })), s.name)));
  host.append(legend, svg, readout);

  let here = -1;
  const point = (index) => {
    here = Math.max(0, Math.min(x.length - 1, index));
    const at = across(x[here]);
    line.setAttribute("x1", at); line.setAttribute("x2", at); line.setAttribute("visibility", "visible");
    dots.forEach((dot, s) => {
      const v = series[s].values[here];
      dot.setAttribute("visibility", shown(v) ? "visible" : "hidden");
      if (shown(v)) { dot.setAttribute("cx", at); dot.setAttribute("cy", down(v)); }
    });
    readout.textContent = `${spec.xlabel} ${brief(x[here])}: ` + series.map((s) => `${s.name} ${brief(s.values[here])}`).join(", ");
  };
  const nearest = (event) => {
    const area = svg.getBoundingClientRect();
    const value = first + (((event.clientX - area.left) / area.width) * W - left) / (W - left - right) * (last - first);
    let [a, b] = [0, x.length - 1];
    while (b - a > 1) { const m = (a + b) >> 1; if (x[m] <= value) a = m; else b = m; }
    return Math.abs(x[a] - value) <= Math.abs(x[b] - value) ? a : b;
  };
  svg.addEventListener("pointermove", (event) => point(nearest(event)));
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    point(here + step);
    if (chosen) chosen(here);
  });
  if (chosen) svg.addEventListener("click", (event) => chosen(nearest(event)));
  return { point };
}
