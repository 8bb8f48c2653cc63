// A network over epochs or time: a sketch with a slider and a button. Needs sketch.js.

/**
 * @param host element to draw in
 * @param film {net, frames}: each frame {label, state, positions, stiffness}; what is absent is as in the frame before
 * @returns the sketch, whose `film` has show(number), start() and stop()
 */
function playFilm(host, film) {
  const frames = [];
  for (const given of film.frames) {
    const before = frames[frames.length - 1] || { state: null, positions: null, stiffness: null };
    const frame = { label: given.label };
    for (const name of ["state", "positions", "stiffness"]) frame[name] = name in given ? floats(given[name]) : before[name];
    frames.push(frame);
  }
  const last = frames.length - 1;
  const sketch = new Sketch(host, film.net);
  const slider = make("input", { type: "range", min: 0, max: last, value: last, "aria-label": "frame" });
  const button = make("button", { type: "button" }, "play");
  const when = make("output", {});
  if (last > 0) host.append(make("div", { class: "film" }, button, slider, when));
  const show = (number) => {
    slider.value = number;
    sketch.show(frames[number]);
    when.textContent = frames[number].label;
  };
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "play"; };
  const start = () => {
    button.textContent = "stop";
    show(+slider.value === last ? 0 : +slider.value);
    timer = setInterval(() => (+slider.value >= last ? stop() : show(+slider.value + 1)), Math.max(50, 4000 / frames.length));
  };
  slider.addEventListener("input", () => show(+slider.value));
  button.addEventListener("click", () => (timer ? stop() : start()));
  show(last);
  sketch.film = { show, start, stop };
  return sketch;
}
