// Puts the network and the curves of a run on its page. Needs sketch.js and curves.js.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  data.curves.forEach((spec, i) => drawCurves(document.getElementById(`curve-${i}`), spec));
  if (!data.film) return;
  const frames = [];
  for (const given of data.film.frames) {
    const before = frames[frames.length - 1] || { state: null, positions: null, stiffness: null };
    const frame = { label: given.label };
    for (const name of ["state", "positions", "stiffness"]) frame[name] = name in given ? floats(given[name]) : before[name];
    frames.push(frame);
  }
  const sketch = new Sketch(document.getElementById("network"), data.film.net);
  window.sketch = sketch;
  const slider = document.getElementById("frame"), button = document.getElementById("play"), when = document.getElementById("when");
  const show = (number) => {
    sketch.show(frames[number]);
    if (when) when.textContent = frames[number].label;
  };
  show(frames.length - 1);
  if (!slider) return;
  slider.addEventListener("input", () => show(+slider.value));
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "play"; };
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "stop";
    if (+slider.value === frames.length - 1) slider.value = 0;
    show(+slider.value);
    timer = setInterval(() => {
      if (+slider.value >= frames.length - 1) return stop();
      slider.value = +slider.value + 1;
      show(+slider.value);
    }, Math.max(50, 4000 / frames.length));
  });
})();
